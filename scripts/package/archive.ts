import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A `.tar.xz` of files of `folder`, all below `prefix/`; the same files give the same bytes, whoever packs them. */
export function archive(file: string, folder: string, names: readonly string[], prefix: string): void {
  const options = [
    '--create',
    '--xz',
    `--file=${file}`,
    `--directory=${folder}`,
    `--transform=s,^,${prefix}/,`,
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mtime=@0',
    '--mode=u=rwX,go=rX'
  ]
  // Always two threads: their number decides how the input is cut, and so the bytes.
  execFileSync('tar', [...options, ...names], { env: { ...process.env, XZ_OPT: '-6 -T2' } })
}

/** Lines as `sha256sum` writes and checks them. */
export function checksums(folder: string, names: readonly string[]): string {
  return names
    .map((name) => {
      const digest = createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')
      return `${digest}  ${name}\n`
    })
    .join('')
}
