import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../src/config.ts'

/** Writes `config.schema.json`, the JSON Schema that editors use to complete and check config files. */
const file = new URL('../config.schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
