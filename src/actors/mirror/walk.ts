import { toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { Expectation, Skipped } from '../../machines/shard-protocol.ts'
import { AbortedFilter } from '../../records/aborted.ts'
import { batchesOf, judge, type Passing, readHeader } from '../../records/batch.ts'
import type { Rebatched } from '../../records/rebatch.ts'
import type { Lease } from '../budget.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import type { DeadLetters } from './dead-letters.ts'
import { type LeftOut, type Paths, Run, type RunOptions } from './run.ts'
import type { Placed } from './spread.ts'

/** Where a stretch begins, and how it is to be gone. */
export interface StretchOptions extends Pick<Expectation, 'offset' | 'isCareful'>, RunKind {}

type RunKind = Omit<RunOptions, 'paths' | 'partition'>

/** What one stretch of a walk came to. */
export interface Stretch {
  /** Offset after it. */
  readonly next: number
  /** Leader epoch of the last batch before `next`, -1 when the stretch has none. */
  readonly leaderEpoch: number
  /** Of the batches to be copied. */
  readonly records: number
  readonly bytes: number
  /** What was left out, because the rules want it so. */
  readonly skipped: readonly Skipped[]
  /** Set when the batch at `next` cannot be copied. */
  readonly stop?: Stop
}

/**
 * The way through one slice, in as many stretches as it takes: batches are judged by their headers, in order, and what
 * is known of aborted transactions goes along; what cannot pass as it is, or is too small to be worth it, is taken apart.
 * The slice's credit is given back when the walk has ended and every stretch that took batches has been let go.
 */
export class Walk {
  readonly slice: FetchedSlice
  readonly #paths: Paths
  readonly #batches: Generator<Buffer, void, undefined>
  readonly #aborted: AbortedFilter
  #holders = 1
  #isOver = false
  #isBegun = false

  constructor(slice: FetchedSlice, paths: Paths) {
    this.slice = slice
    this.#paths = paths
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
    { offset, isCareful, ...options }: StretchOptions,
    keep: (made: Placed, letters?: DeadLetters) => 'more' | 'enough'
  ): Stretch {
    this.#isBegun = true
    const run = new Run({ ...options, paths: this.#paths, partition: this.slice.partition })
    let [next, leaderEpoch, records, bytes, isEnough] = [offset, -1, 0, 0, false]
    const skipped: Skipped[] = []
    const reached = (stop?: Stop) => ({ next, leaderEpoch, records, bytes, skipped, ...(stop && { stop }) })
    const letGo = (): Stop | undefined => {
      const { batches, leftOut, failure } = run.take()
      for (const made of batches) {
        records += made.records
        bytes += made.batch.length
        if (keep(made) === 'enough') isEnough = true
      }
      for (const made of lettersIn(leftOut, options)) {
        bytes += made.batch.length
        if (keep(made, options.letters) === 'enough') isEnough = true
      }
      skipped.push(...leftOut.map((one) => skip(one, options)))
      if (failure === undefined) return undefined
      next = failure.offset
      leaderEpoch = failure.leaderEpoch
      return failure.stop
    }
    const ended = (stop: Stop | undefined) => {
      this.end()
      return reached(stop)
    }
    try {
      for (let step = this.#batches.next(); step.done !== true; step = this.#batches.next()) {
        const batch = step.value
        const header = readHeader(batch, 0)
        const passing = judge(header, next, this.#aborted.isAborted(header), options.maxBytes)
        if (passing === 'below-position') continue
        const isCopied = !isPassedOver(passing)
        const piece = {
          batch,
          header,
          from: next,
          passes: passing === 'pass' && !isCareful,
          epochBefore: leaderEpoch
        }
        const stop = isCopied && !run.fits(piece) ? letGo() : undefined
        if (stop !== undefined) return ended(stop)
        next = header.lastOffset + 1
        leaderEpoch = header.leaderEpoch
        if (isCopied) run.add(piece)
        if (!run.isFull && !isEnough) continue
        const stopped = letGo()
        if (stopped !== undefined) return ended(stopped)
        if (isEnough) return reached()
      }
    } catch (error) {
      return ended(letGo() ?? { standing: 'source-corrupt', reason: toFault(error).message })
    }
    return ended(letGo())
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

function lettersIn(leftOut: readonly LeftOut[], { letters, suspicion }: RunKind): Rebatched[] {
  const dead = leftOut.flatMap(({ letter }) => letter ?? [])
  return dead.length === 0 ? [] : (letters?.inBatches(dead, suspicion) ?? [])
}

function skip({ offset: from, until, stop, letter }: LeftOut, { letters }: RunKind): Skipped {
  const deadLetter = letter && letters?.target.topic
  return { from, until, reason: stop.reason, ...(deadLetter !== undefined && { deadLetter }) }
}

/** Markers, aborted data and what compaction has emptied: only the position moves. */
function isPassedOver(passing: Passing): boolean {
  return passing === 'control' || passing === 'aborted' || passing === 'decode:empty'
}
