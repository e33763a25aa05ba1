import type { GroupSeat } from '../actors/kafka/group-offsets.ts'

/** What the mirror's machine and the actor that looks after offsets say to each other. */

export type OffsetsCommand =
  /** Our place in the mirror's group, and what it gave us. */
  | { readonly type: 'seat.taken'; readonly seat: GroupSeat; readonly shards: readonly number[] }
  | { readonly type: 'seat.lost' }
  /** Writes what is left to be written, then says so. */
  | { readonly type: 'finish' }

export type OffsetsReport =
  /** What does not work, in words; nothing that is copied depends on it. */
  { readonly type: 'offsets.noted'; readonly notes: readonly string[] } | { readonly type: 'offsets.settled' }
