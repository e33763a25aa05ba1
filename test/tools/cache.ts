import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Downloads and builds live here, outside the checkout: `CAUSEWAY_CACHE`, or the user's cache folder. */
export const cacheRoot =
  process.env.CAUSEWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'causeway')

/**
 * The folder `<name>-<hash of fingerprint>` in the cache, made by `build` when it is missing. Several test processes may
 * ask at once: one builds in a folder of its own and renames it, the others wait for that.
 */
export async function cached(
  name: string,
  fingerprint: string,
  build: (directory: string) => Promise<void>
): Promise<string> {
  const target = join(
    cacheRoot,
    `${name}-${createHash('sha256').update(fingerprint).digest('hex').slice(0, 12)}`
  )
  const lock = `${target}.lock`
  mkdirSync(cacheRoot, { recursive: true })
  while (!existsSync(target)) {
    if (!tryLock(lock)) {
      await delay(200)
      continue
    }
    try {
      if (existsSync(target)) break
      const building = `${target}.building-${process.pid}`
      rmSync(building, { recursive: true, force: true })
      mkdirSync(building)
      await build(building)
      renameSync(building, target)
    } finally {
      rmSync(lock, { recursive: true, force: true })
    }
  }
  return target
}

const LOCK_STALE_MS = 20 * 60_000

function tryLock(lock: string): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch {
    const age = existsSync(lock) ? Date.now() - statSync(lock).mtimeMs : 0
    if (age > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true })
    return false
  }
}
