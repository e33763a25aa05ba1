import { renameSync, writeFileSync } from 'node:fs'

/** Writes a file that only its owner may read: whole or not at all, also under kill -9. */
export function writePrivate(path: string, content: string): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, content, { mode: 0o600 })
  renameSync(temporary, path)
}
