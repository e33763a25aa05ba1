import type { SnapshotFrom } from 'xstate'
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

/** What a chain holds in memory, for `toRotate`. */
export interface Holding {
  readonly chain: string
  /** In the chunk that grows. */
  readonly growingBytes: number
  /** In chunks that are full or on their way: they come back without our doing. */
  readonly leavingBytes: number
}

/** What a chain holds in memory. */
export function holdingOf(chain: string, snapshot: SnapshotFrom<typeof chainMachine>): Holding {
  const { draft, chunk } = snapshot.context
  const growing = snapshot.matches({ work: { running: { intake: 'growing' } } })
  const leaving = chunk?.files.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0
  return {
    chain,
    growingBytes: growing ? draft.bytes : 0,
    leavingBytes: leaving + (growing ? 0 : draft.bytes)
  }
}

/** Parts of the budget that growing chunks may hold together: above the first some are cut, down to the second. */
const GROWING_HIGH = 0.5
const GROWING_LOW = 0.3

/**
 * The chains to cut early, largest first, when their chunks hold so much of the budget that fetching could starve: a
 * sink must never wait for credits that only its own chunks can give back.
 */
export function toRotate(holdings: readonly Holding[], limitBytes: number): string[] {
  const held = holdings.reduce((sum, each) => sum + each.growingBytes + each.leavingBytes, 0)
  if (held <= GROWING_HIGH * limitBytes) return []
  let growing = holdings.reduce((sum, { growingBytes }) => sum + growingBytes, 0)
  const rotate: string[] = []
  for (const { chain, growingBytes } of [...holdings].sort((a, b) => b.growingBytes - a.growingBytes)) {
    if (growing <= GROWING_LOW * limitBytes || growingBytes === 0) break
    rotate.push(chain)
    growing -= growingBytes
  }
  return rotate
}

export function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  const { [key]: _, ...rest } = record
  return rest
}
