import { toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { Expectation } from '../../machines/shard-protocol.ts'
import { AbortedFilter } from '../../records/aborted.ts'
import { batchesOf, judge, type Passing, readHeader } from '../../records/batch.ts'
import type { Lease } from '../budget.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'

/** What one stretch of a walk came to. */
export interface Stretch {
  /** Offset after it. */
  readonly next: number
  /** Leader epoch of the last batch before `next`, -1 when the stretch has none. */
  readonly leaderEpoch: number
  /** Of the batches to be copied. */
  readonly records: number
  readonly bytes: number
  /** Set when the batch at `next` cannot be copied. */
  readonly stop?: Stop
}

/**
 * The way through one slice, in as many stretches as it takes: batches are judged by their headers, in order, and what
 * is known of aborted transactions goes along. The slice's credit is given back when the walk has ended and every
 * stretch that took batches has been let go.
 */
export class Walk {
  readonly slice: FetchedSlice
  readonly #batches: Generator<Buffer, void, undefined>
  readonly #aborted: AbortedFilter
  #holders = 1
  #isOver = false
  #isBegun = false

  constructor(slice: FetchedSlice) {
    this.slice = slice
    this.#batches = batchesOf(slice.recordSet)
    this.#aborted = new AbortedFilter(slice.aborted)
  }

  /** Nothing of the slice is left to be walked over. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** A stretch of it was walked. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Goes on from `offset`, gives the batches to be copied to `keep`, and rests when it says that this was enough. */
  stretch(
    { offset, maxBytes }: Pick<Expectation, 'offset' | 'maxBytes'>,
    keep: (batch: Buffer, records: number) => 'more' | 'enough'
  ): Stretch {
    this.#isBegun = true
    let [next, leaderEpoch, records, bytes] = [offset, -1, 0, 0]
    const reached = () => ({ next, leaderEpoch, records, bytes })
    try {
      for (let step = this.#batches.next(); step.done !== true; step = this.#batches.next()) {
        const batch = step.value
        const header = readHeader(batch, 0)
        const passing = judge(header, next, this.#aborted.isAborted(header), maxBytes)
        if (passing === 'below-position') continue
        const isCopied = passing === 'pass'
        if (!isCopied && !isPassedOver(passing)) {
          this.end()
          return { ...reached(), stop: { standing: 'held', reason: reasonOf(passing, header.baseOffset) } }
        }
        next = header.lastOffset + 1
        leaderEpoch = header.leaderEpoch
        if (!isCopied) continue
        records += header.count
        bytes += batch.length
        if (keep(batch, header.count) === 'enough') return reached()
      }
    } catch (error) {
      this.end()
      return { ...reached(), stop: { standing: 'source-corrupt', reason: toFault(error).message } }
    }
    this.end()
    return reached()
  }

  /** Walks no further. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
  }

  /** Keeps the slice's bytes until it is released, whatever becomes of the walk. */
  hold(): Lease {
    const { lease } = this.slice
    let isHeld = true
    this.#holders++
    return {
      get bytes() {
        return isHeld ? lease.bytes : 0
      },
      release: () => {
        if (!isHeld) return
        isHeld = false
        this.#release()
      }
    }
  }

  #release(): void {
    this.#holders--
    if (this.#holders === 0) this.slice.lease.release()
  }
}

/** Markers, aborted data and what compaction has emptied: only the position moves. */
function isPassedOver(passing: Passing): boolean {
  return passing === 'control' || passing === 'aborted' || passing === 'decode:empty'
}

function reasonOf(passing: Passing, offset: number): string {
  return `the batch at offset ${offset} cannot be passed on as it is (${passing.replace('decode:', '')})`
}
