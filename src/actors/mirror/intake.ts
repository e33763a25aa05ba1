import { Fault, toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { Expectation, Taken } from '../../machines/shard-protocol.ts'
import { AbortedFilter } from '../../records/aborted.ts'
import { batchesOf, judge, type Passing, readHeader } from '../../records/batch.ts'
import type { Lease } from '../budget.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import type { OutgoingBatch } from '../kafka/producer.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'

/** Batches on their way out, and the credits that keep their bytes. */
export interface Load {
  readonly batches: readonly OutgoingBatch[]
  readonly leases: readonly Lease[]
  readonly records: number
  readonly bytes: number
}

interface Expected {
  offset: number
  readonly generation: number
  readonly maxBytes: number
}

/**
 * Where fetched slices become batches to produce: each batch is judged by its header, and each partition is taken in
 * offset order without a gap or a repeat, whatever the fetcher delivers. No payload byte is read or copied.
 */
export class Intake {
  readonly #expected = new Map<string, Expected>()
  #batches: OutgoingBatch[] = []
  #leases: Lease[] = []
  #records = 0
  #bytes = 0

  expect(partitions: readonly Expectation[]): void {
    for (const { topic, partition, offset, generation, maxBytes } of partitions) {
      this.#expected.set(tp(topic, partition), { offset, generation, maxBytes })
    }
  }

  /** No slice of these is taken any more; what was taken stays. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#expected.delete(tp(topic, partition))
  }

  /**
   * Takes what fits and gives the rest back. Throws `fetch-gap` (retryable) when offsets are missing between two slices:
   * nothing but a restore tells then where to go on.
   */
  take(slices: readonly FetchedSlice[]): Taken[] {
    const taken: Taken[] = []
    for (const [index, slice] of slices.entries()) {
      try {
        const one = this.#takeOne(slice)
        if (one !== undefined) taken.push(one)
      } catch (error) {
        for (const { lease } of slices.slice(index)) lease.release()
        throw error
      }
    }
    return taken
  }

  /** Hands over everything taken so far. */
  unload(): Load {
    const load = { batches: this.#batches, leases: this.#leases, records: this.#records, bytes: this.#bytes }
    this.#batches = []
    this.#leases = []
    this.#records = 0
    this.#bytes = 0
    return load
  }

  #takeOne(slice: FetchedSlice): Taken | undefined {
    const { topic, partition, fetchOffset, lease } = slice
    const key = tp(topic, partition)
    const expected = this.#expected.get(key)
    const isStale = expected?.generation !== slice.generation || fetchOffset < expected.offset
    if (expected === undefined || isStale) {
      lease.release()
      return undefined
    }
    if (fetchOffset > expected.offset) {
      const message = `${key}: expected offset ${expected.offset}, was given ${fetchOffset}`
      throw new Fault('fetch-gap', message, { retryable: true })
    }
    const walk = walkBatches(slice, expected)
    expected.offset = walk.next
    if (walk.stop !== undefined) this.#expected.delete(key)
    if (walk.batches.length === 0) lease.release()
    else {
      for (const batch of walk.batches) this.#batches.push({ topic, partition, batch })
      this.#leases.push(lease)
      this.#records += walk.records
      this.#bytes += walk.bytes
    }
    return {
      topic,
      partition,
      from: fetchOffset,
      next: walk.next,
      leaderEpoch: walk.leaderEpoch,
      end: slice.lastStableOffset,
      records: walk.records,
      bytes: walk.bytes,
      ...(walk.stop === undefined ? {} : { stop: walk.stop })
    }
  }
}

interface Walk {
  readonly batches: Buffer[]
  next: number
  leaderEpoch: number
  records: number
  bytes: number
  stop?: Stop
}

/** Judges the batches of a slice in order, up to the first that cannot be copied. */
function walkBatches(slice: FetchedSlice, { offset, maxBytes }: Expected): Walk {
  const walk: Walk = { batches: [], next: offset, leaderEpoch: -1, records: 0, bytes: 0 }
  const aborted = new AbortedFilter(slice.aborted)
  try {
    for (const batch of batchesOf(slice.recordSet)) {
      const header = readHeader(batch, 0)
      const passing = judge(header, walk.next, aborted.isAborted(header), maxBytes)
      if (passing === 'below-position') continue
      if (passing === 'pass') {
        walk.batches.push(batch)
        walk.records += header.count
        walk.bytes += batch.length
      } else if (!isPassedOver(passing)) {
        walk.stop = { standing: 'held', reason: reasonOf(passing, header.baseOffset) }
        break
      }
      walk.next = header.lastOffset + 1
      walk.leaderEpoch = header.leaderEpoch
    }
  } catch (error) {
    walk.stop = { standing: 'source-corrupt', reason: toFault(error).message }
  }
  return walk
}

/** Markers, aborted data and what compaction has emptied: only the position moves. */
function isPassedOver(passing: Passing): boolean {
  return passing === 'control' || passing === 'aborted' || passing === 'decode:empty'
}

function reasonOf(passing: Passing, offset: number): string {
  return `the batch at offset ${offset} cannot be passed on as it is (${passing.replace('decode:', '')})`
}
