import { chmod, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/**
 * A folder in one buffer: `uint32 LE length of the index | index as JSON | zstd, with its checksum, of all contents in
 * the index's order`.
 * The index stands outside the compressed part, so the version is known without unpacking.
 */
interface Index {
  readonly version: string
  readonly bytes: number
  readonly entries: readonly Entry[]
}

/** A symbolic link, or a file of `bytes` bytes; `path` is relative to the folder. */
type Entry =
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly bytes: number; readonly executable: boolean }

const INDEX_AT = 4

/** Packs what `wanted` says of a folder; its paths are relative, in sorted order. */
export async function packFolder(
  folder: string,
  options: {
    readonly version: string
    readonly level: number
    readonly wanted: (path: string) => boolean
  }
): Promise<Buffer> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter(options.wanted)
    .sort()
  const links = new Set(
    found.filter((entry) => entry.isSymbolicLink()).map((e) => join(e.parentPath, e.name))
  )
  const entries: Entry[] = []
  const contents: Buffer[] = []
  for (const path of paths) {
    const from = join(folder, path)
    if (links.has(from)) {
      entries.push({ path, link: await readlink(from) })
      continue
    }
    const content = await readFile(from)
    const { mode } = await stat(from)
    entries.push({ path, bytes: content.length, executable: (mode & 0o100) !== 0 })
    contents.push(content)
  }
  const all = Buffer.concat(contents)
  const index: Index = { version: options.version, bytes: all.length, entries }
  const head = Buffer.from(JSON.stringify(index))
  const length = Buffer.alloc(INDEX_AT)
  length.writeUInt32LE(head.length)
  const params = { [constants.ZSTD_c_compressionLevel]: options.level, [constants.ZSTD_c_checksumFlag]: 1 }
  return Buffer.concat([length, head, zstdCompressSync(all, { params })])
}

export function versionOfPack(pack: Buffer): string {
  return indexOf(pack).version
}

/** Writes a pack's files into an existing folder, readable for everybody. */
export async function unpack(pack: Buffer, folder: string): Promise<void> {
  const { entries, bytes } = indexOf(pack)
  const contents = zstdDecompressSync(pack.subarray(INDEX_AT + pack.readUInt32LE()), {
    maxOutputLength: bytes
  })
  let at = 0
  const made = new Set<string>([folder])
  for (const entry of entries) {
    const path = join(folder, entry.path)
    await makeFolders(dirname(path), made)
    if ('link' in entry) {
      await symlink(entry.link, path)
      continue
    }
    await writeFile(path, contents.subarray(at, at + entry.bytes))
    await chmod(path, entry.executable ? 0o755 : 0o644) // whatever the umask is
    at += entry.bytes
  }
}

async function makeFolders(folder: string, made: Set<string>): Promise<void> {
  if (made.has(folder)) return
  await makeFolders(dirname(folder), made)
  await mkdir(folder)
  await chmod(folder, 0o755)
  made.add(folder)
}

function indexOf(pack: Buffer): Index {
  // Written by `packFolder` when the executable was made.
  return JSON.parse(pack.toString('utf8', INDEX_AT, INDEX_AT + pack.readUInt32LE())) as Index
}
