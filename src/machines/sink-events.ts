import type { FetcherInput, FetcherReport } from '../actors/kafka/fetcher.ts'
import type { GroupOffset, GroupSeat } from '../actors/kafka/group-offsets.ts'
import type { ChainInput, ChainReport } from './chain-events.ts'
import type { FlowEvent } from './flow.ts'
import type { HiveInput, HiveReport } from './hive.ts'
import type { MembershipInput, MembershipReport } from './membership.ts'
import type { PlacedPartition } from './sink-chains.ts'

/** What goes into a sink (`sink.ts`) and its actors, and what comes out. */
export interface SinkInput {
  readonly chain: Omit<ChainInput, 'topic' | 'partition' | 'topicId'>
  readonly membership: MembershipInput
  readonly fetcher: FetcherInput
  readonly flow: { readonly limitBytes: number }
  /** More data files than this are not written at a time. */
  readonly filesOpenMax: number
  /** Absent: no table shows the files. */
  readonly hive?: HiveInput
}

export interface TopologyReport {
  readonly type: 'topology.seen'
  readonly partitions: readonly PlacedPartition[]
  /** What an operator should know, for example that a topic does not exist yet. */
  readonly notes: readonly string[]
}

/** Takes offsets for lag tools. They are never read: the log is the position. */
export type CommitterCommand =
  | { readonly type: 'note'; readonly seat: CommitterSeat; readonly offset: GroupOffset }
  /** Commits what was noted, then says so. */
  | { readonly type: 'finish' }

export type CommitterReport = { readonly type: 'offsets.settled' }

/** Where and as whom to commit. */
export interface CommitterSeat extends GroupSeat {
  /** The coordinator's node id. */
  readonly node: number
}

/** More data files are being written than the sink wants. */
export interface FilesReport {
  readonly type: 'files.exceeded'
}

/** Monotone since the start of the role. */
export interface SinkCounters {
  readonly recordsRead: number
  readonly recordsKept: number
  readonly recordsFiltered: number
  readonly recordsDead: number
  readonly entriesPublished: number
  readonly filesPublished: number
  readonly bytesPublished: number
  /** Entries that another writer was faster with. */
  readonly commitsLost: number
  readonly faults: number
}

export const noCounters: SinkCounters = {
  recordsRead: 0,
  recordsKept: 0,
  recordsFiltered: 0,
  recordsDead: 0,
  entriesPublished: 0,
  filesPublished: 0,
  bytesPublished: 0,
  commitsLost: 0,
  faults: 0
}

export type SinkEvent =
  | { readonly type: 'drain' }
  | TopologyReport
  | MembershipReport
  | FetcherReport
  | ChainReport
  | FlowEvent
  | FilesReport
  | CommitterReport
  | HiveReport
