import { Journal } from '../journal.ts'

/** What was handed to a socket, or is about to be: the positions `[from, next)` of the source. */
interface Flush {
  /** Stream clock, milliseconds. */
  readonly at: number
  readonly from: number
  readonly next: number
  /** Events so far, these included. */
  readonly emitted: number
}

/** Twice the longest window that a client may ask for (X API: `backfill_minutes` ≤ 5). */
const KEEP_MS = 10 * 60_000
/** Flushes so near to each other in time are remembered as one, at the later's time. */
const MERGE_MS = 50
const COMPACT_ENTRIES_MIN = 20_000

/**
 * How far the stream has come, durable before the bytes go out, and when: the memory that backfill is answered from.
 *
 * The stream clock advances only while the service lives, from where its journal ends. So after a death and however long a
 * pause, the window still reaches back over everything that was sent in the last minutes of the former life. Where time is
 * blurred, it is towards later, which makes windows longer and never shorter.
 */
export class Emission {
  readonly #journal: Journal<Flush>
  readonly #now: () => number
  readonly #startedMs: number
  #clockAtStart = 0
  /** Ascending; together they cover the window's positions without a gap. */
  readonly #flushes: Flush[] = []

  /** `now` is a monotonic clock in milliseconds. */
  constructor(path: string, now: () => number) {
    this.#now = now
    this.#journal = new Journal<Flush>(path, (flush) => this.#remember(flush))
    this.#startedMs = now()
    this.#clockAtStart = this.#flushes.at(-1)?.at ?? 0
  }

  /** The next position that was never sent. */
  get position(): number {
    return this.#flushes.at(-1)?.next ?? 0
  }

  /** Events sent so far, each counted once however often it was replayed. */
  get emitted(): number {
    return this.#flushes.at(-1)?.emitted ?? 0
  }

  /** Makes it durable that positions up to `next` are sent, `events` of them matching. */
  record(next: number, events: number): void {
    const flush = { at: this.#clock(), from: this.position, next, emitted: this.emitted + events }
    this.#journal.append(flush)
    this.#remember(flush)
    if (this.#journal.entries > Math.max(COMPACT_ENTRIES_MIN, 2 * this.#flushes.length)) {
      this.#journal.compact(this.#flushes)
    }
  }

  /** The first position that was sent within the last minutes of the stream clock. */
  backfillFrom(minutes: number): number {
    const oldest = this.#clock() - minutes * 60_000
    const first = this.#flushes.find((flush) => flush.at >= oldest)
    return first === undefined ? this.position : first.from
  }

  close(): void {
    this.#journal.close()
  }

  #clock(): number {
    return Math.round(this.#clockAtStart + this.#now() - this.#startedMs)
  }

  #remember(flush: Flush): void {
    const last = this.#flushes.at(-1)
    const merges = last !== undefined && Math.floor(flush.at / MERGE_MS) === Math.floor(last.at / MERGE_MS)
    if (merges) this.#flushes.splice(-1, 1, { ...flush, from: last.from })
    else this.#flushes.push(flush)
    const expired = this.#flushes.findIndex((one) => one.at >= flush.at - KEEP_MS)
    if (expired > 0) this.#flushes.splice(0, expired)
  }
}
