import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import type { Taken, Unacknowledged } from './shard-protocol.ts'

/** How far partitions have come at one stage of a transaction, by `tp(topic, partition)`. Plain data, total functions. */
export type Marks = Readonly<Record<string, Mark>>

export interface Mark {
  readonly topic: string
  readonly partition: number
  /** Offset after the last batch of this stage. */
  readonly next: number
  /** Leader epoch of that batch, -1 when unknown. */
  readonly leaderEpoch: number
  /** Of the batches at this stage; 0 when the position only moves over what is not copied. */
  readonly bytes: number
  readonly records: number
  /** Where the batches go, under the target's names. */
  readonly targets: readonly TopicPartition[]
}

export const none: Marks = {}

export function isEmpty(marks: Marks): boolean {
  for (const _ in marks) return false
  return true
}

export function bytesOf(marks: Marks): number {
  let bytes = 0
  for (const mark of Object.values(marks)) bytes += mark.bytes
  return bytes
}

/** Adds what was taken after everything in `marks`. */
export function mark(marks: Marks, taken: readonly Taken[]): Marks {
  const next: Record<string, Mark> = { ...marks }
  for (const { topic, partition, from, next: offset, leaderEpoch, bytes, records, targets } of taken) {
    if (from === offset) continue
    const key = tp(topic, partition)
    next[key] = later(next[key], { topic, partition, next: offset, leaderEpoch, bytes, records, targets })
  }
  return next
}

/** Both stages as one; those in `after` come later. */
export function join(before: Marks, after: Marks): Marks {
  const next: Record<string, Mark> = { ...before }
  for (const [key, mark] of Object.entries(after)) next[key] = later(next[key], mark)
  return next
}

/** What is left of marks whose ends were not reached everywhere. The last known leader epoch holds for all before it, too. */
export function cut(marks: Marks, short: readonly Unacknowledged[]): Marks {
  const next: Record<string, Mark> = { ...marks }
  for (const { topic, partition, from } of short) {
    const key = tp(topic, partition)
    const mark = next[key]
    if (mark === undefined || from === undefined) delete next[key]
    else next[key] = { ...mark, next: from }
  }
  return next
}

/** The marks with batches, and those that only move a position. */
export function split(marks: Marks): { readonly loaded: Marks; readonly empty: Marks } {
  const entries = Object.entries(marks)
  return {
    loaded: Object.fromEntries(entries.filter(([, mark]) => mark.bytes > 0)),
    empty: Object.fromEntries(entries.filter(([, mark]) => mark.bytes === 0))
  }
}

function later(before: Mark | undefined, after: Mark): Mark {
  if (before === undefined) return after
  return {
    ...after,
    leaderEpoch: after.leaderEpoch >= 0 ? after.leaderEpoch : before.leaderEpoch,
    bytes: before.bytes + after.bytes,
    records: before.records + after.records,
    targets: union(before.targets, after.targets)
  }
}

/** Each partition once. */
function union(
  before: readonly TopicPartition[],
  after: readonly TopicPartition[]
): readonly TopicPartition[] {
  const more = after.filter(
    (one) => !before.some(({ topic, partition }) => topic === one.topic && partition === one.partition)
  )
  return more.length === 0 ? before : [...before, ...more]
}
