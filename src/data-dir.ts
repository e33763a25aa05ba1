import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { acquireLock } from './data-dir/lock.ts'
import { Fault, toFault } from './errors.ts'

/** The format of what lies in a data directory. A directory of another format is refused, never guessed at. */
export const dataDirVersion = 1

/**
 * A worker's own directory, held against every other process of this machine.
 *
 *     version     format, one number
 *     lock        the process that holds the directory
 *     worker-id   made once, kept for ever: the stable part of `group.instance.id`
 */
export interface DataDir {
  readonly path: string
  readonly workerId: string
  /** Gives the directory to others. */
  readonly release: () => Promise<void>
}

/**
 * Creates (0700) and takes a data directory for the process `pid`. Rejects with `data-dir-not-writable`,
 * `data-dir-in-use` or `data-dir-version`. The lock of a process that was killed is detected and taken over.
 */
export async function openDataDir(path: string, pid: number): Promise<DataDir> {
  await makeWritable(path)
  const lock = await acquireLock(join(path, 'lock'), pid)
  if (lock.holder !== undefined) {
    throw new Fault('data-dir-in-use', `data directory ${path} is in use by process ${lock.holder}`)
  }
  try {
    await checkVersion(path)
    return { path, workerId: await workerIdOf(path), release: lock.release }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function makeWritable(path: string): Promise<void> {
  const probe = join(path, `probe-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await writeFile(probe, 'writable?', { flag: 'wx', flush: true })
    await rm(probe)
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined)
    const fault = toFault(error)
    const code = fault.code === 'disk-full' ? fault.code : 'data-dir-not-writable'
    throw new Fault(code, `data directory ${path} cannot be written: ${fault.message}`, { cause: error })
  }
}

async function checkVersion(path: string): Promise<void> {
  const found = await readOnce(join(path, 'version'), () => `${dataDirVersion}`)
  if (found === `${dataDirVersion}`) return
  const message = `data directory ${path} has format ${JSON.stringify(found.slice(0, 20))}; this version of Causeway reads format ${dataDirVersion}`
  throw new Fault('data-dir-version', message)
}

async function workerIdOf(path: string): Promise<string> {
  const found = await readOnce(join(path, 'worker-id'), () => randomBytes(6).toString('hex'))
  if (/^[A-Za-z0-9._-]{1,64}$/.test(found)) return found
  throw new Fault('data-dir-version', `data directory ${path} has a worker-id that is no name`)
}

/** The trimmed content of a small file, which is made when it is missing or was left empty by a crash. */
async function readOnce(file: string, make: () => string): Promise<string> {
  const found = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  })
  if (found.trim() !== '') return found.trim()
  const made = make()
  await writeFile(file, `${made}\n`, { flush: true })
  return made
}
