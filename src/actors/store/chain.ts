import { Fault } from '../../errors.ts'
import { publishEntry, unknown, writeHead } from './commit.ts'
import {
  type ClosedEntry,
  type Entry,
  type Genesis,
  instantOf,
  logVersion,
  parseGenesis,
  parseHead,
  parseTopicId,
  serialize,
  withRepairs
} from './entry.ts'
import {
  type ChainId,
  chainName,
  chainPrefix,
  genesisPath,
  headPath,
  parseLogPath,
  topicIdPath
} from './names.ts'
import { checkChain, readEntry, readGenesis, readRepairs, walkEntries } from './records.ts'
import { readSegment, type SegmentName } from './segments.ts'
import type { Store } from './store.ts'

/** Opening a chain: where its log ends, and whether its last entry is published. All functions reject with a `Fault`. */

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
  /** Milliseconds that published files are kept, as `publishEntry` takes it. */
  readonly ttlMs?: number | undefined
}

/** The end of a chain as its log tells. */
export interface OpenedChain {
  readonly chain: ChainId
  readonly genesis: Genesis
  /** The next entry's `from`: the first offset that no entry covers. */
  readonly end: number
  /** With what its repairs say. */
  readonly last: Entry | undefined
  /** Whether the head calls `last` published; otherwise it must be published before anything is committed. */
  readonly published: boolean
}

/** Entries that one opening reads at most behind a valid hint; more means that something else is wrong. */
const WALK_ENTRIES_MAX = 100_000
const GENERATIONS_MAX = 1_000

/** Finds the end of a chain, through closed generations, writing the genesis of the first one when there is none. */
export async function openChain(
  store: Store,
  options: OpenOptions,
  signal: AbortSignal
): Promise<OpenedChain> {
  const { rewinding, ...opened } = await findEnd(store, options, signal)
  if (rewinding === undefined) return opened
  const path = genesisPath({ ...options.chain, generation: rewinding })
  const what = `${path} is not written yet: a rewind is under way or was cut short`
  throw new Fault('chain-rewinding', what, { retryable: true })
}

/** The end of the last generation that has a genesis, and the next one that a closing entry names and nobody has begun. */
export async function findEnd(
  store: Store,
  options: OpenOptions,
  signal: AbortSignal
): Promise<OpenedChain & { readonly rewinding?: number }> {
  let chain = { ...options.chain, generation: 1 }
  let genesis: Genesis | undefined = await ensureGenesis(store, chain, options, signal)
  for (let generations = 1; generations <= GENERATIONS_MAX; generations++) {
    checkCluster(genesis, options.clusterId)
    const { closing, ...opened } = await openGeneration(store, chain, genesis, signal)
    if (closing === undefined) return opened
    // Nothing of the next generation may be committed before the last entry of this one is published.
    if (opened.last && !opened.published && closing.abandons !== opened.last.nonce) {
      await publishEntry(store, opened.last, signal, options)
      await writeHead(store, chain, opened.last, options.now(), signal)
    }
    chain = { ...chain, generation: closing.closed }
    genesis = await readGenesis(store, chain, signal)
    if (genesis === undefined) return { ...opened, rewinding: closing.closed }
  }
  throw new Fault('log-corrupt', `${chainPrefix(chain)} has too many generations`)
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

/** One generation; `closing` when another one goes on. */
export type Generation = OpenedChain & { readonly closing?: ClosedEntry }

/** The end of one generation, without writing anything; `undefined` when nobody has begun it. */
export async function readEnd(
  store: Store,
  chain: ChainId,
  signal: AbortSignal
): Promise<Generation | undefined> {
  const genesis = await readGenesis(store, chain, signal)
  return genesis && (await openGeneration(store, chain, genesis, signal))
}

async function openGeneration(
  store: Store,
  chain: ChainId,
  genesis: Genesis,
  signal: AbortSignal
): Promise<Generation> {
  const hinted = await publishedTail(store, chain, signal)
  let last = hinted ?? (await listedTail(store, chain, signal))
  let published = hinted !== undefined || last === undefined
  let closing: ClosedEntry | undefined
  let walked = 0
  for await (const entry of walkEntries(store, chain, last?.to ?? genesis.start, signal)) {
    if (entry.type === 'closed') {
      closing = entry
      break
    }
    if (++walked > WALK_ENTRIES_MAX) {
      throw new Fault('log-corrupt', `${chainPrefix(chain)}: more than ${walked} entries after its head`)
    }
    last = entry
    published = false
  }
  if (last && !published) last = withRepairs(last, await readRepairs(store, chain, last.from, signal))
  const end = last?.to ?? genesis.start
  return { chain, genesis, end, last, published, ...(closing && { closing }) }
}

/** The entry that the head points at, if the head is there and tells the truth. */
async function publishedTail(store: Store, chain: ChainId, signal: AbortSignal): Promise<Entry | undefined> {
  const content = await store.read(headPath(chain), signal)
  const head = content && parseHead(content)
  if (!head) return undefined
  const entry = await readEntry(store, chain, head.from, signal)
  return entry?.type === 'entry' && entry.nonce === head.nonce && entry.to === head.to ? entry : undefined
}

/**
 * The last entry that a listing shows (a closing one may stand behind it), but none below the end of a segment: a loose
 * one there is sealed, or void. The walk goes on from there, because a listing may be behind.
 */
async function listedTail(store: Store, chain: ChainId, signal: AbortSignal): Promise<Entry | undefined> {
  let newest: number[] = []
  let segment: SegmentName | undefined
  for await (const { path } of store.list(chainPrefix(chain), {}, signal)) {
    const file = parseLogPath(path)?.file
    if (file?.type === 'entry') newest = [file.from, ...newest].slice(0, 2)
    if (file?.type === 'segment') segment = file
  }
  for (const from of newest) {
    if (from < (segment?.to ?? 0)) break
    const entry = await readEntry(store, chain, from, signal)
    if (entry?.type === 'entry') return entry
  }
  return segment && (await readSegment(store, chain, segment, signal)).entries.at(-1)
}

function checkCluster(genesis: Genesis, clusterId: string): void {
  if (genesis.clusterId === clusterId || genesis.clusterId === '' || clusterId === '') return
  const what = `${genesis.chain} was begun from cluster ${genesis.clusterId}, this cluster is ${clusterId}`
  throw new Fault('chain-of-another-cluster', what)
}
