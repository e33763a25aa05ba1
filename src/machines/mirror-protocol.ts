import type { Fault } from '../errors.ts'
import type { Codec } from '../records/batch.ts'
import type { PartitionSpec } from './ledger.ts'

/** What a mirror is told of the topics on both sides. */

/** A partition that the mirror copies, and the shard it belongs to. */
export interface PlacedPartition extends PartitionSpec {
  readonly shard: number
  /** Where the source's log ends, open transactions included; -1 when unknown. */
  readonly highWatermark: number
  /** What the target keeps batches in, when that is not what they came in. */
  readonly targetCodec?: Codec
  /** What keeps its last stable offset from moving for long: it is copied up to there. */
  readonly stuck?: Stuck
}

/** An open transaction that nobody seems to end. */
export interface Stuck {
  /** The last stable offset. */
  readonly offset: number
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly since: number
}

export type TopologyReport =
  | TopologySeen
  /** A cluster could not be asked: what was seen before stands. */
  | { readonly type: 'topology.failed'; readonly fault: Fault }

export interface TopologySeen {
  readonly type: 'topology.seen'
  readonly partitions: readonly PlacedPartition[]
  /** What an operator should know about topics, for example that the target cannot keep timestamps. */
  readonly notes: readonly string[]
}
