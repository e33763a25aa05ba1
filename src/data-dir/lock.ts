import { createHash, randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { identityOf } from './process.ts'

/** Either the lock is ours, or it is held by the process `holder`. */
export interface LockResult {
  readonly holder?: number
  readonly release: () => Promise<void>
}

/**
 * Takes a lock file for the process `pid`, or says which running process holds it.
 *
 * The file names its holder by pid and start time, so that a lock left by `kill -9` is recognised even when the pid has
 * been given to another process. It appears with its whole content at once (a hard link). A stale one is replaced under
 * a second lock whose name is made from the stale content: of several processes that found the same stale lock one
 * replaces it, and whoever was slower finds that the content has changed. Should the replacing process be killed too,
 * its second lock is stale in turn and is taken over in the same way.
 */
export async function acquireLock(file: string, pid: number): Promise<LockResult> {
  const mine = `${pid} ${identityOf(pid) ?? 'unknown'} ${randomBytes(8).toString('hex')}\n`
  for (;;) {
    if (await createWhole(file, mine)) return { release: () => releaseOwn(file, mine) }
    const found = await readLock(file)
    if (found === undefined) continue
    const holder = livingHolder(found)
    if (holder !== undefined) return { holder, release: async () => undefined }

    const guard = await acquireLock(`${file}.${digest(found)}`, pid)
    if (guard.holder !== undefined) return guard
    try {
      if ((await readLock(file)) !== found) continue
      await replaceWhole(file, mine)
      return { release: () => releaseOwn(file, mine) }
    } finally {
      await guard.release()
    }
  }
}

/** The pid of the process that a lock names, when that very process still runs. */
function livingHolder(content: string): number | undefined {
  const [pid, identity] = content.trim().split(' ')
  const holder = Number(pid)
  if (!Number.isSafeInteger(holder) || holder <= 0) return undefined
  const running = identityOf(holder)
  return running !== undefined && running === identity ? holder : undefined
}

async function createWhole(file: string, content: string): Promise<boolean> {
  const draft = await draftOf(file, content)
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function replaceWhole(file: string, content: string): Promise<void> {
  await rename(await draftOf(file, content), file)
}

async function draftOf(file: string, content: string): Promise<string> {
  const draft = `${file}.draft-${randomBytes(8).toString('hex')}`
  await writeFile(draft, content, { flag: 'wx', mode: 0o600, flush: true })
  return draft
}

async function releaseOwn(file: string, mine: string): Promise<void> {
  if ((await readLock(file)) === mine) await rm(file, { force: true })
}

async function readLock(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function digest(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
