import type { FetchedSlice } from '../actors/kafka/fetcher.ts'
import type { TopicPartition } from '../actors/kafka/topic-partition.ts'
import type { BuilderReport } from '../actors/store/builder.ts'
import type { OpenedChain } from '../actors/store/chain.ts'
import type { Chunk } from '../actors/store/chunk.ts'
import type { Entry } from '../actors/store/entry.ts'
import type { Fault } from '../errors.ts'

/** What goes into a chain (`chain.ts`) and its actors, and what comes out. */
export interface ChainInput extends TopicPartition {
  readonly topicId: string
  /** Age at which a chunk is cut that holds at least `rotateBytesMin`; a smaller one waits for more, up to the greatest age. */
  readonly rotateAgeMs: number
  readonly rotateAgeMaxMs: number
  readonly rotateBytesMin: number
  /** Pauses after failures that may pass. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** Between two tries where somebody has to mend something first. */
  readonly patienceMs: number
}

/** What a chain tells the sink. */
export type ChainReport = TopicPartition & { readonly topicId: string } & ReportBody

export type ReportBody =
  | { readonly type: 'chain.opened'; readonly position: number; readonly leaderEpoch: number }
  /** Fetching must end: what is fetched from now on would be thrown away. */
  | { readonly type: 'chain.closed' }
  /** Drained: everything that was taken in is published, or left to the next opening. */
  | { readonly type: 'chain.ended' }
  /** A slice was taken in: what the chain holds in memory has changed. */
  | { readonly type: 'chain.grew' }
  | { readonly type: 'chain.throttled' }
  | { readonly type: 'chain.relaxed' }
  /** Published, and the head says so. */
  | { readonly type: 'chain.advanced'; readonly entry: Entry }
  /** Another writer's entry stands where ours would have. */
  | { readonly type: 'chain.lost' }
  | { readonly type: 'chain.faulted'; readonly fault: Fault }

export type ChainEvent =
  | { readonly type: 'records.sliced'; readonly slice: FetchedSlice }
  /** The fetcher gave this partition up. */
  | { readonly type: 'fetch.faulted'; readonly fault: Fault }
  /** Memory is short: cut what there is. */
  | { readonly type: 'rotate' }
  | { readonly type: 'drain' }
  | BuilderReport

export interface PrepareInput {
  readonly opened: OpenedChain
  readonly chunk: Chunk
}

export interface EntryInput {
  readonly opened: OpenedChain
  readonly entry: Entry
}

/** What Kafka still has of a partition whose position it cannot serve: `[logStart, logEnd)`. */
export interface LogRange {
  readonly logStart: number
  readonly logEnd: number
}
