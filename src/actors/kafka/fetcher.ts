import type { Fault } from '../../errors.ts'
import type { ByteBudget, Lease } from '../budget.ts'
import { fromTask } from '../task.ts'
import type { Cluster } from './cluster.ts'
import type { TopicPartition } from './topic-partition.ts'

export interface FetcherInput {
  readonly cluster: Cluster
  readonly budget: ByteBudget
  /** Most bytes one fetch response should hold; 4 MiB by default. */
  readonly maxBytes?: number
  /** Most bytes per partition in one response; 512 KiB by default, so that one partition cannot fill a response. */
  readonly partitionMaxBytes?: number
  /** How long a broker may wait for data, in milliseconds; 500 by default. */
  readonly maxWaitMs?: number
}

export interface FetchAssignment extends TopicPartition {
  /** The next offset to read. */
  readonly position: number
  /** Leader epoch of the batch before `position`, when known: then divergence is looked for before the first fetch. */
  readonly leaderEpoch?: number
  /** Topic id the position belongs to, when known: a topic with another id faults with `topic-reset`. */
  readonly topicId?: string
  /** Comes back in every slice of this assignment. A number the caller counts up; 0 by default. */
  readonly generation?: number
}

export type FetcherCommand =
  /** Starts (or restarts, at another position) the fetching of these partitions. */
  | { readonly type: 'assign'; readonly partitions: readonly FetchAssignment[] }
  | { readonly type: 'release'; readonly partitions: readonly TopicPartition[] }
  /** Stops fetching, keeps the position. Without `partitions`: all of them, present and to come. */
  | { readonly type: 'pause'; readonly partitions?: readonly TopicPartition[] }
  | { readonly type: 'resume'; readonly partitions?: readonly TopicPartition[] }
  | { readonly type: 'stop' }

export type FetcherReport =
  | { readonly type: 'records.fetched'; readonly slices: readonly FetchedSlice[] }
  /**
   * The partition is no longer fetched; `assign` starts it again. `fault.code` is one of
   * `offset-out-of-range`, `topic-reset`, `log-diverged` (the leader's log ends before our position in our epoch),
   * or a Kafka code that is not retryable (`kafka-topic-authorization-failed`).
   */
  | {
      readonly type: 'partition.faulted'
      readonly topic: string
      readonly partition: number
      readonly generation: number
      readonly fault: Fault
    }

/** What one fetch brought for one partition. `recordSet` may end in a truncated batch. */
export interface FetchedSlice extends TopicPartition {
  /** The generation of the assignment this slice belongs to. */
  readonly generation: number
  /** The offset asked for; the first batch may begin before it. */
  readonly fetchOffset: number
  /** Whole batches. Empty when nothing but the watermarks moved. */
  readonly recordSet: Buffer
  /** Offset after the last whole batch in `recordSet`, or `fetchOffset` when there is none. */
  readonly nextOffset: number
  /** Transactions aborted in this range, as the broker listed them: in no order. */
  readonly aborted: readonly AbortedTransaction[]
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Id of the topic as the last metadata told it, where brokers have ids. */
  readonly topicId: string | undefined
  /** Epoch of the leader that answered, -1 when the broker tells none. */
  readonly leaderEpoch: number
  /** Released when the bytes are no longer needed. */
  readonly lease: Lease
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Fetches the assigned partitions from their leaders until `stop`. One per role instance. */
export const fetcher = fromTask<void, FetcherInput, FetcherCommand, FetcherReport>(() =>
  Promise.reject(new Error('not yet'))
)
