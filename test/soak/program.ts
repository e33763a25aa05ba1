import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fromSources } from '../support/causeway-process.ts'

const built = join(import.meta.dirname, '../../dist/causeway')

/** What is tortured: the executable, when it has been built, as users run it; else the sources. */
export const programUnderTest: readonly string[] = existsSync(built) ? [built] : fromSources
