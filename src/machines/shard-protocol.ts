import type { FetchAssignment, FetchedSlice } from '../actors/kafka/fetcher.ts'
import type { TopicPartition } from '../actors/kafka/topic-partition.ts'
import type { Fault } from '../errors.ts'
import type { Jump, PartitionSpec, Position, Positions, Stop } from './ledger.ts'
import type { Refused } from './refused.ts'
import type { Policies } from './topic-rules.ts'

/** What a shard's machine, its writer and the mirror say to each other. */

/** From the mirror to one of its shards. */
export type ShardCommand =
  /** All partitions of the shard as the last look at both clusters told them. */
  | { readonly type: 'partitions.changed'; readonly partitions: readonly PartitionSpec[] }
  | { readonly type: 'slices.fetched'; readonly slices: readonly FetchedSlice[] }
  | PartitionFaulted
  /** Intake has ended: produce and commit what was taken, then be done. */
  | { readonly type: 'drain' }

/** The fetcher gave a partition up. */
export interface PartitionFaulted extends TopicPartition {
  readonly type: 'partition.faulted'
  readonly generation: number
  readonly fault: Fault
}

/** From a shard to the mirror, which passes the first two on to the fetcher. */
export type ShardReport =
  | { readonly type: 'fetch.assign'; readonly partitions: readonly FetchAssignment[] }
  | { readonly type: 'fetch.release'; readonly partitions: readonly TopicPartition[] }
  /** What was taken is committed; the shard has ended. */
  | { readonly type: 'shard.drained'; readonly shard: number }

/** Where the writer expects the next slice of a partition to begin. */
export interface Expectation extends TopicPartition {
  readonly offset: number
  readonly generation: number
  /** What the topic is called on the target. */
  readonly targetTopic: string
  /** The target's limit on a batch, in bytes. */
  readonly maxBytes: number
  /** What may be left out of it. */
  readonly policies: Pick<Policies, 'rejected' | 'sourceCorrupt'>
  /** A CEL expression that a record must fit to be copied. */
  readonly filter: string | undefined
  /** The topic of the target that keeps what is rejected, where the rules name one. */
  readonly deadLetter?: string
  /** The target has called a batch corrupt: every batch is held against its checksum. */
  readonly isCareful: boolean
  /** What the target has refused of what begins at `offset`. */
  readonly refused?: Refused
  /** Set where records are placed by the hash of their keys: over so many partitions of the target. */
  readonly hashedOver?: number
  /** Set when `offset` is not where the position was: what lies between is skipped, or was copied from another topic. */
  readonly jump?: Jump
}

/**
 * From the shard to its writer, which answers each `add`, `produce` and `commit` with one report, and reports what it
 * took of `take` when it has room for it: at once, or with a later `produce`.
 */
export type WriterCommand =
  | { readonly type: 'expect'; readonly partitions: readonly Expectation[] }
  | { readonly type: 'forget'; readonly partitions: readonly TopicPartition[] }
  | { readonly type: 'take'; readonly slices: readonly FetchedSlice[] }
  /** Adds these and the shard's position partition to the transaction; the first one opens it. */
  | { readonly type: 'add'; readonly partitions: readonly Destination[] }
  /** Produces every batch that was reported as taken so far. */
  | { readonly type: 'produce' }
  /** Produces the positions, then EndTxn. */
  | { readonly type: 'commit'; readonly positions: readonly PositionRecord[] }

/** A partition of the target, under its name there, and the partitions of the source whose batches go to it. */
export interface Destination extends TopicPartition {
  readonly sources: readonly TopicPartition[]
}

export interface PositionRecord extends TopicPartition {
  readonly position: Position
}

/** From the writer to the shard. A writer that fails in any other way ends with an error. */
export type WriterReport =
  /** The restore is held up by a transaction: an unwritten marker of ours, or another writer's open one. */
  | {
      readonly type: 'writer.waiting'
      readonly on: 'markersPending' | 'hangingTransaction'
      readonly reason: string
    }
  | { readonly type: 'writer.fenced' }
  | { readonly type: 'writer.restored'; readonly positions: Positions }
  | { readonly type: 'writer.took'; readonly taken: readonly Taken[] }
  /** Under the target's names. */
  | { readonly type: 'writer.added'; readonly partitions: readonly TopicPartition[] }
  | { readonly type: 'writer.produced' }
  /**
   * At least once only, before a refusal: of these partitions not everything sent was acknowledged; what was sent of all
   * others stays.
   */
  | { readonly type: 'writer.acknowledged'; readonly but: readonly Unacknowledged[] }
  /** Some partitions could not be added or produced to: this transaction will never be committed. */
  | { readonly type: 'writer.refused'; readonly failures: readonly PartitionFailure[] }
  | {
      readonly type: 'writer.committed'
      /** From the command to the target's answer, in milliseconds. */
      readonly tookMs: number
    }

/** A partition of which something that was sent is not known to be on the target. */
export interface Unacknowledged extends TopicPartition {
  /** Everything before this offset is; left out when that is nothing. */
  readonly from?: number
}

/** What the writer took of one slice. */
export interface Taken extends TopicPartition {
  /** The offsets `[from, next)` were taken or passed over; `next` is `from` when only the source's end has moved. */
  readonly from: number
  readonly next: number
  /** Leader epoch of the last batch before `next`, -1 when unknown. */
  readonly leaderEpoch: number
  /** Last stable offset of the source. */
  readonly end: number
  /** Of the batches to be produced; 0 when the slice held only what is passed over. */
  readonly records: number
  readonly bytes: number
  /** Where the batches go, under the target's names. */
  readonly targets: readonly TopicPartition[]
  /** What was left out of it, because the rules want it so. */
  readonly skipped?: readonly Skipped[]
  /** Set when the batch at `next` cannot be copied: the partition ends there. */
  readonly stop?: Stop
}

/** The offsets `[from, until)` are not copied. */
export interface Skipped {
  readonly from: number
  readonly until: number
  readonly reason: string
  /** The topic of the target that keeps it. */
  readonly deadLetter?: string
}

export interface PartitionFailure extends TopicPartition {
  readonly fault: Fault
  /** Set when the target refuses a batch for good because of what some record in it is. */
  readonly refused?: Refused
}
