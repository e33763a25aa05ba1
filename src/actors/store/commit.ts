import { setTimeout as wait } from 'node:timers/promises'
import { Fault } from '../../errors.ts'
import { type Entry, type EntryFile, type Head, instantOf, logVersion, serialize } from './entry.ts'
import { type ChainId, entryId, entryPath, headPath } from './names.ts'
import { inParallel } from './parallel.ts'
import { readEntry } from './records.ts'
import { listSegments } from './segments.ts'
import type { PreparedFile, Store } from './store.ts'

/**
 * What is written to a chain, in the order of the promise: commit, publish, head (docs/formats.md, "Commit log"). All
 * functions reject with a `Fault`; after a retryable one the outcome is unknown, and opening the chain anew tells it.
 */

const COMMIT_ATTEMPTS_MAX = 5
const COMMIT_PAUSE_MS = 50
/** Files of one entry that are published at once. */
const PUBLISH_PARALLEL = 4

/**
 * The linearization point: the entry at its offset is ours, or another's. Whatever the store answered but a clear
 * success, the entry is read back: own nonce, won; another nonce, lost; absent, the same bytes once more. Rejects with
 * `commit-unknown` (retryable) when that stays without an answer; then the prepared bytes must stay, because a late
 * write of ours may still land and name them.
 *
 * A writer that was frozen for so long that its place is sealed and cleared meanwhile (`segments.ts`) finds it free and
 * wins nothing: what it wrote is void. That is found out before anything is published, taken back, and told as a loss.
 */
export async function commitEntry(
  store: Store,
  chain: ChainId,
  entry: Entry,
  signal: AbortSignal,
  previous?: Entry
): Promise<'won' | 'lost'> {
  const path = entryPath(chain, entry.from)
  const found = await createRecord(store, path, serialize(entry), signal, () =>
    readEntry(store, chain, entry.from, signal)
  )
  if (found !== undefined && found.nonce !== entry.nonce) return 'lost'
  if (!(await isVoid(store, chain, entry.from, previous, signal))) return 'won'
  await store.remove(path, signal)
  return 'lost'
}

/**
 * Creates a record at its path and resolves with `undefined`, or with what stands there: own bytes after a lost reply, or
 * another's. Rejects with `commit-unknown` (retryable) when that stays open.
 */
export async function createRecord<R>(
  store: Store,
  path: string,
  content: Buffer,
  signal: AbortSignal,
  read: () => Promise<R | undefined>
): Promise<R | undefined> {
  let doubt: Fault | undefined
  for (let attempt = 0; attempt < COMMIT_ATTEMPTS_MAX; attempt++) {
    if (attempt > 0) await wait(COMMIT_PAUSE_MS * 2 ** attempt, undefined, { signal })
    const answer = await store.create(path, content, signal)
    if (answer.outcome === 'created') return undefined
    if (answer.outcome === 'doubtful') doubt = answer.fault
    const found = await read()
    if (found !== undefined) return found
  }
  throw unknown('commit-unknown', store, path, doubt)
}

/**
 * Whether a place that was free lies below the end of a segment. Loose entries go in order: while the one before is
 * there, none behind it has gone, so in the usual case one look tells.
 */
async function isVoid(
  store: Store,
  chain: ChainId,
  from: number,
  previous: Entry | undefined,
  signal: AbortSignal
): Promise<boolean> {
  if (previous && (await store.stat(entryPath(chain, previous.from), signal))) return false
  const segments = await listSegments(store, chain, signal)
  return segments.some(({ to }) => to > from)
}

/** How long published files are kept. */
export interface Lifetime {
  /** Milliseconds after `committedAt`; undefined: for ever. */
  readonly ttlMs?: number | undefined
  readonly now: () => number
}

/**
 * Makes the files of a committed entry visible. Idempotent, by anyone; rejects as `Store.publish` does. A file that is
 * missing after its time is expired: it is never made visible again.
 */
export async function publishEntry(
  store: Store,
  entry: Entry,
  signal: AbortSignal,
  lifetime?: Lifetime
): Promise<void> {
  await inParallel(entry.files, PUBLISH_PARALLEL, async (file) => {
    if (isOutlived(entry, lifetime) && (await store.stat(file.path, signal)) === undefined) return
    await store.publish(preparedFile(entry, file), signal)
  })
}

/** Whether files of this entry that are missing have expired. */
export function isOutlived({ committedAt }: Entry, lifetime: Lifetime | undefined): boolean {
  if (lifetime?.ttlMs === undefined) return false
  return Date.parse(committedAt) + lifetime.ttlMs <= lifetime.now()
}

/** A file of an entry as a store publishes it: it carries the id of the record that gave its facts. */
export function preparedFile(entry: Entry, { path, bytes, preparation, writer }: EntryFile): PreparedFile {
  return { path, bytes, preparation, entryId: entryId(entry.chain, entry.from, writer ?? entry.nonce) }
}

/** Notes that `entry` and all before it are published. Until this has succeeded, nothing may be committed after it. */
export async function writeHead(
  store: Store,
  chain: ChainId,
  entry: Entry,
  nowMs: number,
  signal: AbortSignal
): Promise<void> {
  const { from, to, nonce } = entry
  const head: Head = { version: logVersion, type: 'head', from, to, nonce, publishedAt: instantOf(nowMs) }
  await store.replace(headPath(chain), serialize(head), signal)
}

/** The doubt's own words belong to the message: they are what an operator can act on. */
export function unknown(code: string, store: Store, path: string, doubt: Fault | undefined): Fault {
  const why = doubt === undefined ? '' : `: ${doubt.message}`
  const what = `${store.uri}: whether ${path} was written stays unknown${why}`
  return new Fault(code, what, { retryable: true, ...(doubt && { cause: doubt }) })
}
