import { setTimeout as wait } from 'node:timers/promises'
import { Fault } from '../../errors.ts'
import {
  type ClosedEntry,
  type Entry,
  type Genesis,
  type Head,
  instantOf,
  logVersion,
  parseEntry,
  parseGenesis,
  parseHead,
  parseTopicId,
  serialize
} from './entry.ts'
import {
  type ChainId,
  chainName,
  chainPrefix,
  entryId,
  entryPath,
  genesisPath,
  headPath,
  parseLogPath,
  topicIdPath
} from './names.ts'
import { inParallel } from './parallel.ts'
import type { Store } from './store.ts'

/**
 * The commit log's protocol over a `Store` (docs/formats.md, "Commit log"): open, commit, publish, head. All functions
 * reject with a `Fault`; after a retryable one the outcome is unknown, and opening the chain anew tells it.
 */

/** Where a chain that has no genesis yet begins, and why. */
export interface ChainStart {
  readonly offset: number
  readonly reason: string
}

export interface OpenOptions {
  /** The chain but for its generation, which the log tells. */
  readonly chain: Omit<ChainId, 'generation'>
  /** Empty when the cluster has none. */
  readonly clusterId: string
  /** Asked only when there is no genesis. */
  readonly start: (signal: AbortSignal) => Promise<ChainStart>
  readonly now: () => number
}

/** The end of a chain as its log tells. */
export interface OpenedChain {
  readonly chain: ChainId
  readonly genesis: Genesis
  /** The next entry's `from`: the first offset that no entry covers. */
  readonly end: number
  readonly last: Entry | undefined
  /** Whether the head calls `last` published; otherwise it must be published before anything is committed. */
  readonly published: boolean
}

/** Entries that one opening reads at most behind a valid hint; more means that something else is wrong. */
const WALK_ENTRIES_MAX = 100_000
const GENERATIONS_MAX = 1_000
const COMMIT_ATTEMPTS_MAX = 5
const COMMIT_PAUSE_MS = 50
/** Files of one entry that are published at once. */
const PUBLISH_PARALLEL = 4

/** Finds the end of a chain, through closed generations, writing the genesis of the first one when there is none. */
export async function openChain(
  store: Store,
  options: OpenOptions,
  signal: AbortSignal
): Promise<OpenedChain> {
  let generation = 1
  for (let closed = 0; closed < GENERATIONS_MAX; closed++) {
    const chain = { ...options.chain, generation }
    const genesis = generation === 1 ? await ensureGenesis(store, chain, options, signal) : undefined
    const opened = await openGeneration(store, chain, genesis, signal)
    checkCluster(opened.genesis, options.clusterId)
    if (opened.closed === undefined) return opened
    // Nothing of the next generation may be committed before the last entry of this one is published.
    if (opened.last && !opened.published) {
      await publishEntry(store, opened.last, signal)
      await writeHead(store, chain, opened.last, options.now(), signal)
    }
    generation = opened.closed
  }
  throw new Fault('log-corrupt', `${chainPrefix({ ...options.chain, generation })} has too many generations`)
}

/** The genesis of a generation, or `undefined` when there is none yet. */
export async function readGenesis(
  store: Store,
  chain: ChainId,
  signal: AbortSignal
): Promise<Genesis | undefined> {
  const path = genesisPath(chain)
  const content = await store.read(path, signal)
  return content && checkChain(parseGenesis(content, path), chain, path)
}

/** The entry that begins at `from`, or `undefined` when there is none yet. Throws `log-corrupt` for a foreign one. */
export async function readEntry(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): Promise<Entry | ClosedEntry | undefined> {
  const path = entryPath(chain, from)
  const content = await store.read(path, signal)
  if (content === undefined) return undefined
  const entry = checkChain(parseEntry(content, path), chain, path)
  if (entry.from !== from) throw new Fault('log-corrupt', `${path} begins at ${entry.from}`)
  return entry
}

/** The entries of one generation from `from` on, in order, to the end of the log or to the one that closes it. */
export async function* walkEntries(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): AsyncGenerator<Entry | ClosedEntry, void, undefined> {
  for (let next = from; ; ) {
    const entry = await readEntry(store, chain, next, signal)
    if (entry === undefined) return
    yield entry
    if (entry.type === 'closed') return
    next = entry.to
  }
}

/**
 * The linearization point: the entry at its offset is ours, or another's. Whatever the store answered but a clear
 * success, the entry is read back: own nonce, won; another nonce, lost; absent, the same bytes once more. Rejects with
 * `commit-unknown` (retryable) when that stays without an answer; then the prepared bytes must stay, because a late
 * write of ours may still land and name them.
 */
export async function commitEntry(
  store: Store,
  chain: ChainId,
  entry: Entry,
  signal: AbortSignal
): Promise<'won' | 'lost'> {
  const path = entryPath(chain, entry.from)
  const content = serialize(entry)
  let doubt: Fault | undefined
  for (let attempt = 0; attempt < COMMIT_ATTEMPTS_MAX; attempt++) {
    if (attempt > 0) await wait(COMMIT_PAUSE_MS * 2 ** attempt, undefined, { signal })
    const answer = await store.create(path, content, signal)
    if (answer.outcome === 'created') return 'won'
    if (answer.outcome === 'doubtful') doubt = answer.fault
    const found = await readEntry(store, chain, entry.from, signal)
    if (found) return found.nonce === entry.nonce ? 'won' : 'lost'
  }
  throw unknown('commit-unknown', store, path, doubt)
}

/** Makes the files of a committed entry visible. Idempotent, by anyone; rejects as `Store.publish` does. */
export async function publishEntry(store: Store, entry: Entry, signal: AbortSignal): Promise<void> {
  const id = entryId(entry.chain, entry.from, entry.nonce)
  await inParallel(entry.files, PUBLISH_PARALLEL, ({ path, bytes, preparation }) =>
    store.publish({ path, bytes, preparation, entryId: id }, signal)
  )
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

/** The id under which a topic is known whose brokers give none: the first one that a member recorded. */
export async function recordedTopicId(
  store: Store,
  topic: { readonly sink: string; readonly topic: string; readonly candidate: string },
  signal: AbortSignal
): Promise<string> {
  const path = topicIdPath(topic.sink, topic.topic)
  const record = { version: logVersion, type: 'topic-id', topicId: topic.candidate } as const
  const content = await readOrCreate(store, path, serialize(record), signal)
  return parseTopicId(content, path).topicId
}

async function ensureGenesis(
  store: Store,
  chain: ChainId,
  options: OpenOptions,
  signal: AbortSignal
): Promise<Genesis> {
  const known = await readGenesis(store, chain, signal)
  if (known) return known
  const { offset, reason } = await options.start(signal)
  const genesis: Genesis = {
    version: logVersion,
    type: 'genesis',
    chain: chainName(chain),
    start: offset,
    reason,
    clusterId: options.clusterId,
    topicId: chain.topicId,
    topic: chain.topic,
    partition: chain.partition,
    createdAt: instantOf(options.now())
  }
  const path = genesisPath(chain)
  const content = await readOrCreate(store, path, serialize(genesis), signal)
  return checkChain(parseGenesis(content, path), chain, path)
}

/** Creates a file whose first writer decides; whoever that was, what stands there counts. */
async function readOrCreate(
  store: Store,
  path: string,
  content: Buffer,
  signal: AbortSignal
): Promise<Buffer> {
  const known = await store.read(path, signal)
  if (known) return known
  const answer = await store.create(path, content, signal)
  if (answer.outcome === 'created') return content
  const found = await store.read(path, signal)
  if (found) return found
  throw unknown('create-unknown', store, path, answer.outcome === 'doubtful' ? answer.fault : undefined)
}

/** The doubt's own words belong to the message: they are what an operator can act on. */
function unknown(code: string, store: Store, path: string, doubt: Fault | undefined): Fault {
  const why = doubt === undefined ? '' : `: ${doubt.message}`
  const what = `${store.uri}: whether ${path} was written stays unknown${why}`
  return new Fault(code, what, { retryable: true, ...(doubt && { cause: doubt }) })
}

type Generation = OpenedChain & { readonly closed?: number }

async function openGeneration(
  store: Store,
  chain: ChainId,
  known: Genesis | undefined,
  signal: AbortSignal
): Promise<Generation> {
  const genesis = known ?? (await readGenesis(store, chain, signal))
  if (genesis === undefined) {
    const what = `${genesisPath(chain)} is not written yet: a rewind is under way or was cut short`
    throw new Fault('chain-rewinding', what, { retryable: true })
  }
  const hinted = await publishedTail(store, chain, signal)
  let last = hinted ?? (await listedTail(store, chain, signal))
  let published = hinted !== undefined || last === undefined
  let walked = 0
  for await (const entry of walkEntries(store, chain, last?.to ?? genesis.start, signal)) {
    if (entry.type === 'closed') {
      return { chain, genesis, end: entry.from, last, published, closed: entry.closed }
    }
    if (++walked > WALK_ENTRIES_MAX) {
      throw new Fault('log-corrupt', `${chainPrefix(chain)}: more than ${walked} entries after its head`)
    }
    last = entry
    published = false
  }
  return { chain, genesis, end: last?.to ?? genesis.start, last, published }
}

/** The entry that the head points at, if the head is there and tells the truth. */
async function publishedTail(store: Store, chain: ChainId, signal: AbortSignal): Promise<Entry | undefined> {
  const content = await store.read(headPath(chain), signal)
  const head = content && parseHead(content)
  if (!head) return undefined
  const entry = await readEntry(store, chain, head.from, signal)
  return entry?.type === 'entry' && entry.nonce === head.nonce && entry.to === head.to ? entry : undefined
}

/** The last entry that a listing shows (a closing one may stand behind it); the walk goes on from there, because a listing may be behind. */
async function listedTail(store: Store, chain: ChainId, signal: AbortSignal): Promise<Entry | undefined> {
  let newest: number[] = []
  for await (const { path } of store.list(chainPrefix(chain), {}, signal)) {
    const parsed = parseLogPath(path)
    if (parsed?.file.type === 'entry') newest = [parsed.file.from, ...newest].slice(0, 2)
  }
  for (const from of newest) {
    const entry = await readEntry(store, chain, from, signal)
    if (entry?.type === 'entry') return entry
  }
  return undefined
}

function checkChain<T extends { readonly chain: string }>(record: T, chain: ChainId, path: string): T {
  if (record.chain === chainName(chain)) return record
  throw new Fault('log-corrupt', `${path} belongs to chain ${record.chain}`)
}

function checkCluster(genesis: Genesis, clusterId: string): void {
  if (genesis.clusterId === clusterId || genesis.clusterId === '' || clusterId === '') return
  const what = `${genesis.chain} was begun from cluster ${genesis.clusterId}, this cluster is ${clusterId}`
  throw new Fault('chain-of-another-cluster', what)
}
