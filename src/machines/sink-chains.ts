import type { AnyActorRef, SnapshotFrom } from 'xstate'
import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import type { chainMachine } from './chain.ts'

/** What a sink knows of the chains it runs: plain data and total functions, used by `sink.ts`. */

/** A partition of a topic that the sink carries, as the last look at the cluster told it. */
export interface PlacedPartition extends TopicPartition {
  /** Names the topic's incarnation in the chain: Kafka's id, or the recorded one where brokers give none. */
  readonly topicId: string
  /** Whether `topicId` is Kafka's own, so that the fetcher can compare it. */
  readonly idSource: 'kafka' | 'recorded'
  readonly shard: number
}

export interface OwnedChain extends PlacedPartition {
  /** `closing`: its topic is gone or was created anew; it publishes what it holds and ends. */
  readonly life: 'open' | 'closing'
}

/** Chains by `chainId`. */
export type Chains = Readonly<Record<string, OwnedChain>>

/** Which chain the fetcher reads a partition for, and the number of that assignment. By `tp(topic, partition)`. */
export type Fetches = Readonly<Record<string, Fetch>>

export interface Fetch {
  readonly chain: string
  readonly generation: number
}

/** Names a chain's actor. A topic that was created anew has another id: both chains may live for a while. */
export function chainId(of: TopicPartition & { readonly topicId: string }): string {
  return `${tp(of.topic, of.partition)}@${of.topicId}`
}

export interface Changes {
  readonly start: readonly PlacedPartition[]
  /** No longer ours: another member goes on with them, so they stop at once. */
  readonly stop: readonly OwnedChain[]
  /** Ours, but gone from the cluster: they finish. */
  readonly close: readonly OwnedChain[]
}

/** What has to be done so that exactly the partitions of our shards have chains. */
export function changesOf(
  chains: Chains,
  partitions: readonly PlacedPartition[],
  shards: readonly number[]
): Changes {
  const mine = partitions.filter(({ shard }) => shards.includes(shard))
  const wanted = new Set(mine.map(chainId))
  const known = Object.values(chains)
  return {
    start: mine.filter((partition) => chains[chainId(partition)] === undefined),
    stop: known.filter(({ shard }) => !shards.includes(shard)),
    close: known.filter(
      (chain) => shards.includes(chain.shard) && chain.life === 'open' && !wanted.has(chainId(chain))
    )
  }
}

/** The child as it stood before this event. */
export function childOf(self: AnyActorRef, id: string): unknown {
  const children = self.getSnapshot().children as Readonly<Record<string, AnyActorRef | undefined>>
  return children[id]?.getSnapshot()
}

/** What its chains hold. */
export function holdingsOf(self: AnyActorRef, ids: readonly string[]): Holding[] {
  const children = self.getSnapshot().children as Readonly<Record<string, AnyActorRef | undefined>>
  return ids.flatMap((id) => {
    const chain = children[id]
    return chain ? holdingOf(id, chain.getSnapshot() as SnapshotFrom<typeof chainMachine>) : []
  })
}

/** What a chain holds in memory, for `toRotate`. */
export interface Holding {
  readonly chain: string
  /** In the chunk that grows. */
  readonly growingBytes: number
  /** Data files of the chunk that grows. */
  readonly growingFiles: number
  /** In chunks that are full or on their way: they come back without our doing. */
  readonly leavingBytes: number
}

/** What a chain holds in memory. */
function holdingOf(chain: string, snapshot: SnapshotFrom<typeof chainMachine>): Holding {
  const { draft, chunk } = snapshot.context
  const { work } = snapshot.value as {
    readonly work: string | { readonly running: { readonly intake: string } }
  }
  const intake = typeof work === 'string' ? undefined : work.running.intake
  const growing = intake === 'growing' || intake === 'small'
  const leaving = chunk?.files.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0
  return {
    chain,
    growingBytes: growing ? draft.memoryBytes : 0,
    growingFiles: growing ? draft.files : 0,
    leavingBytes: leaving + (growing ? 0 : draft.memoryBytes)
  }
}

/** Parts of a limit that growing chunks may hold together: above the first some are cut, down to the second. */
const GROWING_HIGH = 0.5
const GROWING_LOW = 0.3
/** The same for files. */
const FILES_LOW = 0.8

/**
 * The chains to cut early, largest first, when their chunks hold so much of the budget that fetching could starve: a
 * sink must never wait for credits that only its own chunks can give back.
 */
export function toRotate(holdings: readonly Holding[], limitBytes: number): string[] {
  const held = holdings.reduce((sum, each) => sum + each.growingBytes + each.leavingBytes, 0)
  if (held <= GROWING_HIGH * limitBytes) return []
  return largest(holdings, ({ growingBytes }) => growingBytes, GROWING_LOW * limitBytes)
}

/** The chains to cut early, those with most files first, when too many files are being written. */
export function toClose(holdings: readonly Holding[], filesMax: number): string[] {
  const growing = holdings.reduce((sum, { growingFiles }) => sum + growingFiles, 0)
  if (growing <= filesMax) return []
  return largest(holdings, ({ growingFiles }) => growingFiles, FILES_LOW * filesMax)
}

/** The largest, until those that are left hold no more than `rest` together. */
function largest(holdings: readonly Holding[], sizeOf: (of: Holding) => number, rest: number): string[] {
  let left = holdings.reduce((sum, holding) => sum + sizeOf(holding), 0)
  const chosen: string[] = []
  for (const holding of [...holdings].sort((a, b) => sizeOf(b) - sizeOf(a))) {
    if (left <= rest || sizeOf(holding) === 0) break
    chosen.push(holding.chain)
    left -= sizeOf(holding)
  }
  return chosen
}

export function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  const { [key]: _, ...rest } = record
  return rest
}
