import type { PlacedPartition } from '../../machines/mirror-protocol.ts'
import type { PositionRecord } from '../../machines/shard-protocol.ts'
import { firstTimestamp } from '../../records/batch.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'

/** Where a slice begins, and when its first record was made: milliseconds since 1970. */
interface Mark {
  readonly from: number
  readonly timestamp: number
}

interface Track {
  /** Of the slices that hold or follow the position, in order. */
  readonly marks: Mark[]
  /** The offset after what was fetched, -1 before the first answer. */
  until: number
  /** What was fetched reached the end of what may be copied: what comes after it did not exist then. */
  isAtEnd: boolean
  /** When it was first seen that the source has more than was fetched. */
  waitingSince: number | undefined
}

/**
 * How old the oldest record is that a partition's target does not have yet. One timestamp is kept per fetched slice,
 * that of its first batch's header, and an age is worked out only when somebody asks: so it may be too high by the
 * time that one slice spans, for as long as that slice waits for its commit.
 *
 * What was not fetched has no timestamp yet. Where the last answer did not reach the end, its own stands for it, because
 * what follows existed then; otherwise the age counts from the first look that found something, and is too low.
 */
export class Lags {
  readonly #now: () => number
  #tracks = new Map<string, Track>()

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now
  }

  reset(): void {
    this.#tracks.clear()
  }

  /** Takes note of what was fetched; called while the slices' bytes may still be read. */
  fetched(slices: readonly FetchedSlice[]): void {
    for (const slice of slices) {
      const track = this.#continued(slice)
      track.until = slice.nextOffset
      const hasBatches = slice.recordSet.length > 0
      const isAtEnd = slice.nextOffset >= slice.lastStableOffset
      if (hasBatches) {
        const timestamp = firstTimestamp(slice.recordSet)
        // Who does not say when it was made counts as made when it came.
        track.marks.push({ from: slice.fetchOffset, timestamp: timestamp < 0 ? this.#now() : timestamp })
      }
      if (hasBatches || isAtEnd) {
        track.isAtEnd = isAtEnd
        track.waitingSince = undefined
      } else track.waitingSince ??= this.#now()
    }
  }

  /** Forgets what lies before these positions. The last mark stays: it stands for what follows it. */
  committed(positions: readonly PositionRecord[]): void {
    for (const { topic, partition, position } of positions) {
      const marks = this.#tracks.get(tp(topic, partition))?.marks ?? []
      const kept = marks.findLastIndex(({ from }) => from <= position.next)
      if (kept > 0) marks.splice(0, kept)
    }
  }

  /** Takes note of where the source's partitions end, and forgets those that are gone. */
  looked(partitions: readonly Pick<PlacedPartition, 'topic' | 'partition' | 'logStart' | 'end'>[]): void {
    const known = this.#tracks
    this.#tracks = new Map()
    for (const { topic, partition, logStart, end } of partitions) {
      const key = tp(topic, partition)
      const track = known.get(key) ?? blank()
      const isMore = end > Math.max(track.until, logStart)
      track.waitingSince = isMore ? (track.waitingSince ?? this.#now()) : undefined
      this.#tracks.set(key, track)
    }
  }

  /**
   * Milliseconds; 0 when there is nothing to copy, `undefined` when the position or the end is not known.
   *
   * @param position the next offset to copy, as durably known
   * @param end the last stable offset of the source
   */
  ageMs(key: string, position: number, end: number): number | undefined {
    if (position < 0 || end < 0) return undefined
    if (position >= end) return 0
    const since = this.#since(this.#tracks.get(key), position)
    return since === undefined ? undefined : Math.max(0, this.#now() - since)
  }

  #since(track: Track | undefined, position: number): number | undefined {
    if (track === undefined) return undefined
    const { marks, until, isAtEnd, waitingSince } = track
    const mark = marks.findLast(({ from }) => from <= position) ?? marks[0]
    const isTold = mark !== undefined && (position < until || !isAtEnd)
    return isTold ? mark.timestamp : (waitingSince ?? this.#now())
  }

  /** What goes on where the last slice ended; a partition that is read anew begins anew. */
  #continued({ topic, partition, fetchOffset }: TopicPartition & { readonly fetchOffset: number }): Track {
    const key = tp(topic, partition)
    const known = this.#tracks.get(key)
    if (known?.until === fetchOffset) return known
    const track = blank()
    this.#tracks.set(key, track)
    return track
  }
}

function blank(): Track {
  return { marks: [], until: -1, isAtEnd: false, waitingSince: undefined }
}
