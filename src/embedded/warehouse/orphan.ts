import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Fault } from '../../errors.ts'

/** What the first lines of `postmaster.pid` say (PostgreSQL, `src/include/utils/pidfile.h`). */
export interface PidFile {
  readonly pid: number
  readonly port: number
  /** `starting`, `ready`, `stopping` or `standby`. */
  readonly status: string
}

export async function readPidFile(clusterDir: string): Promise<PidFile | undefined> {
  let text: string
  try {
    text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if (Object(error).code === 'ENOENT') return undefined
    throw error
  }
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? '').trim() }
}

/**
 * Ends the server that an earlier process of ours left running in this directory, and removes a stale lock file.
 *
 * A kill -9 of the parent leaves the postmaster alive. It is always stopped rather than adopted: a fast shutdown and a
 * start take a tenth of a second, the new server is our child again with our settings, and there is one path to test.
 * A process counts as that server only if its working directory is the cluster's directory (without /proc: if its
 * command line names it); the process id in the lock file alone proves nothing, it may have been given to another.
 *
 * The caller holds the lock of the data directory, so no living process of ours needs that server.
 */
export async function endOrphan(clusterDir: string, timeoutMs: number): Promise<'none' | 'ended'> {
  const found = await processesIn(clusterDir)
  if (found.length === 0) {
    // PostgreSQL would refuse to start if the recorded number now belongs to another process of the same user, or to a
    // dead one that nobody has reaped. Of any other lock file it judges itself.
    const recorded = await readPidFile(clusterDir)
    if (recorded !== undefined && hasProcess(recorded.pid)) await rm(join(clusterDir, 'postmaster.pid'))
    return 'none'
  }
  const isGone = async () => (await processesIn(clusterDir)).length === 0
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    // Its children are never signalled: they leave when the postmaster does.
    for (const { pid, isPostmaster } of found) if (isPostmaster) send(pid, signal)
    if (await waitFor(isGone, timeoutMs)) return 'ended'
  }
  const pids = found.map(({ pid }) => pid).join(', ')
  throw new Fault('data-dir-in-use', `the PostgreSQL processes ${pids} in ${clusterDir} do not end`)
}

export interface ServerProcess {
  readonly pid: number
  readonly isPostmaster: boolean
}

/** The living PostgreSQL processes of the directory; without /proc the postmaster only. */
export async function processesIn(clusterDir: string): Promise<ServerProcess[]> {
  let directory: string
  try {
    directory = await realpath(clusterDir)
  } catch {
    return []
  }
  if (process.platform !== 'linux') return postmastersByCommandLine(directory)
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  return (await Promise.all(pids.map((pid) => serverProcess(pid, directory)))).flat()
}

async function serverProcess(pid: number, directory: string): Promise<ServerProcess[]> {
  try {
    if ((await readlink(`/proc/${pid}/cwd`)) !== directory) return []
    if (!(await readFile(`/proc/${pid}/comm`, 'utf8')).startsWith('postgres')) return []
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    return [{ pid, isPostmaster: words.includes('-D') }] // The children replace theirs by a title.
  } catch {
    return [] // Gone meanwhile, or another user's.
  }
}

async function postmastersByCommandLine(directory: string): Promise<ServerProcess[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,command='], {
    maxBuffer: 16 * 1024 * 1024
  })
  return stdout
    .split('\n')
    .filter((line) => line.includes(`postgres -D ${directory} `))
    .map((line) => ({ pid: Number.parseInt(line, 10), isPostmaster: true }))
}

/** Whether the number is taken, be it by a process that has ended and that its parent has not reaped. */
function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return Object(error).code === 'EPERM'
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (Object(error).code !== 'ESRCH') throw error
  }
}

async function waitFor(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await delay(10)) {
    if (await condition()) return true
  }
  return condition()
}
