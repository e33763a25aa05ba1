import { readFileSync } from 'node:fs'
import { getAsset, getRawAsset, isSea } from 'node:sea'

/**
 * Files that travel with the program. A checkout reads them beside its sources; the single executable carries them as
 * assets, under the same names (Node.js documentation, "Single executable applications").
 */

/** Name of the asset with PostgreSQL's programs; a checkout has them in `node_modules` instead. */
export const POSTGRES_PACK = 'postgres.pack'

/** Name of the asset with a lane's program: one file, since a thread of the executable has no others. */
export const LANE_ASSET = 'lanes/thread.cjs'

/** The text of a file; `path` is relative to `src/`. */
export function textAsset(path: string): string {
  return isSea() ? getAsset(path, 'utf8') : readFileSync(new URL(path, import.meta.url), 'utf8')
}

/** The bytes of an asset of the single executable, not copied and not to be written to; `undefined` in a checkout. */
export function packedAsset(name: string): Buffer | undefined {
  return isSea() ? Buffer.from(getRawAsset(name)) : undefined
}
