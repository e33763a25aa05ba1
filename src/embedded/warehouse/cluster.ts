import { type ChildProcess, spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '../../errors.ts'
import type { Account } from './account.ts'

const PG_MAJOR = '18'

/** Environment of the server's programs: nothing of ours, above all no `PG*` variable, leaks in. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } as const

/**
 * How the server's programs name the data directory.
 *
 * On Linux they are started inside it and call it `/proc/self/cwd`: that link needs no permission on the directories
 * above, so a data directory below a place that only root can enter works without opening it to others.
 */
export function pgdata(clusterDir: string): string {
  return process.platform === 'linux' ? '/proc/self/cwd' : clusterDir
}

/** Options of `spawn` for a program of the server: its account, its directory, and out of reach of the terminal. */
export function spawnOptions(clusterDir: string, account: Account | undefined) {
  return {
    cwd: clusterDir,
    env: SERVER_ENVIRONMENT,
    detached: true, // Ctrl-C belongs to us: PostgreSQL would take it as an order to shut down.
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid })
  }
}

export interface NewCluster {
  /** Our directory; the cluster becomes its subdirectory `cluster`. */
  readonly dataDir: string
  readonly initdb: string
  readonly account: Account | undefined
  readonly user: string
  readonly password: string
}

/** Creates the cluster unless it is there. A cut attempt leaves only a directory `new-…`, which the next one removes. */
export async function ensureCluster(wanted: NewCluster): Promise<void> {
  const clusterDir = join(wanted.dataDir, 'cluster')
  const version = await versionOf(clusterDir)
  if (version === PG_MAJOR) return
  if (version !== undefined) {
    throw new Fault(
      'data-dir-version',
      `${clusterDir} belongs to PostgreSQL ${version}, this is PostgreSQL ${PG_MAJOR}`
    )
  }
  for (const name of await readdir(wanted.dataDir)) {
    // An initdb that outlived our killed process may still be writing there; then a later start removes it.
    if (name.startsWith('new-')) {
      await rm(join(wanted.dataDir, name), { recursive: true, force: true }).catch(() => {})
    }
  }
  const making = await mkdtemp(join(wanted.dataDir, 'new-'))
  if (wanted.account !== undefined) await chown(making, wanted.account.uid, wanted.account.gid)
  await runInitdb(making, wanted)
  await rename(making, clusterDir)
}

async function versionOf(clusterDir: string): Promise<string | undefined> {
  try {
    return (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (Object(error).code === 'ENOENT') return undefined
    throw error
  }
}

/** The user id that owns the cluster, `undefined` before there is one. */
export async function ownerOf(dataDir: string): Promise<number | undefined> {
  await mkdir(dataDir, { recursive: true })
  try {
    return (await stat(join(dataDir, 'cluster'))).uid
  } catch (error) {
    if (Object(error).code === 'ENOENT') return undefined
    throw error
  }
}

async function runInitdb(
  making: string,
  { dataDir, initdb, account, user, password }: NewCluster
): Promise<void> {
  // The password reaches initdb through an open file that has no name any more: no crash can leave it behind.
  const passwordPath = join(dataDir, 'new-password')
  await writeFile(passwordPath, `${password}\n`, { mode: 0o600 })
  if (account !== undefined) await chown(passwordPath, account.uid, account.gid)
  await using secret = await open(passwordPath, 'r')
  await rm(passwordPath)
  const child = spawn(
    initdb,
    [
      '-D',
      pgdata(making),
      '--auth=scram-sha-256',
      `--username=${user}`,
      '--pwfile=/dev/fd/3',
      '--no-locale',
      '--encoding=UTF8',
      '--no-instructions'
    ],
    { ...spawnOptions(making, account), stdio: ['ignore', 'ignore', 'pipe', secret.fd] }
  )
  const complaint = await outcomeOf(child)
  if (complaint !== undefined) throw new Fault('warehouse-init-failed', `initdb failed: ${complaint}`)
}

/** Resolves with what a child wrote to stderr when it failed, with `undefined` when it ended well. */
function outcomeOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-2_000)
    })
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : text.trim() || `${signal ?? code}`)
    )
  })
}
