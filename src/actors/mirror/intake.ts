import { Fault } from '../../errors.ts'
import type { RefusedRecord, Suspicion } from '../../machines/refused.ts'
import type { Expectation, Taken } from '../../machines/shard-protocol.ts'
import { compileFilter, type RecordFilter } from '../../records/filter.ts'
import type { Rebatched } from '../../records/rebatch.ts'
import type { Lease } from '../budget.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import type { OutgoingBatch } from '../kafka/producer.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'
import type { Paths, RunOptions } from './run.ts'
import { Walk } from './walk.ts'

/** Batches on their way out, under the target's names, and the credits that keep their bytes. */
export interface Load {
  readonly batches: readonly CopiedBatch[]
  readonly leases: readonly Lease[]
  readonly records: number
  readonly bytes: number
}

/** A batch, and where its records come from. */
export interface CopiedBatch extends OutgoingBatch, Pick<Rebatched, 'origins'> {
  /** Under the source's name. */
  readonly source: TopicPartition
}

interface Expected extends Omit<Expectation, 'topic' | 'partition' | 'offset' | 'refused' | 'jump'> {
  offset: number
  readonly refused: ReadonlyMap<number, RefusedRecord>
  readonly suspicion: Suspicion | undefined
}

/**
 * Limits of a load. A transaction cannot be committed before the load under way is acknowledged, and it lives for
 * seconds: a source of tiny batches must not fill it with more of them than the target takes in that time.
 */
const LOAD_BATCHES_MAX = 1_000
const LOAD_BYTES_MAX = 16 * 1024 * 1024

/**
 * Where fetched slices become batches to produce: each batch is judged by its header, and each partition is taken in
 * offset order without a gap or a repeat, whatever the fetcher delivers. No payload byte of a batch
 * that passes is read or copied. What does not fit into the load waits, with its credits, for the next one.
 */
export class Intake {
  readonly #paths: Paths
  readonly #expected = new Map<string, Expected>()
  readonly #filters = new Map<string, RecordFilter>()
  #waiting: Walk[] = []
  #batches: CopiedBatch[] = []
  #leases: Lease[] = []
  #records = 0
  #bytes = 0

  constructor(paths: Paths) {
    this.#paths = paths
  }

  expect(partitions: readonly Expectation[]): void {
    for (const { topic, partition, refused, ...expected } of partitions) {
      const byOffset = new Map(refused?.records.map((record) => [record.offset, record]))
      this.#expected.set(tp(topic, partition), {
        ...expected,
        refused: byOffset,
        suspicion: refused?.suspicion
      })
    }
  }

  /** No slice of these is taken any more; what was taken stays. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#expected.delete(tp(topic, partition))
    this.#waiting = this.#waiting.filter((walk) => {
      if (this.#expected.has(tp(walk.slice.topic, walk.slice.partition))) return true
      walk.end()
      return false
    })
  }

  /**
   * Takes what fits, gives back what nobody asked for, and keeps the rest for `takeMore`. Throws `fetch-gap` (retryable)
   * when offsets are missing between two slices: nothing but a restore tells then where to go on.
   */
  take(slices: readonly FetchedSlice[]): Taken[] {
    for (const slice of slices) this.#waiting.push(new Walk(slice, this.#paths))
    return this.takeMore()
  }

  /** Takes of what waits as much as the load has room for. Throws as `take` does. */
  takeMore(): Taken[] {
    const taken: Taken[] = []
    let done = 0
    try {
      for (const walk of this.#waiting) {
        if (this.#isFull()) break
        const one = this.#takeOne(walk)
        if (one !== undefined) taken.push(one)
        if (!walk.isOver) break
        done++
      }
    } finally {
      this.#waiting.splice(0, done)
    }
    return taken
  }

  /** Hands over everything taken since the last load. */
  unload(): Load {
    const load = { batches: this.#batches, leases: this.#leases, records: this.#records, bytes: this.#bytes }
    this.#batches = []
    this.#leases = []
    this.#records = 0
    this.#bytes = 0
    return load
  }

  /** Gives back every credit. */
  close(): void {
    for (const walk of this.#waiting.splice(0)) walk.end()
    for (const lease of this.unload().leases) lease.release()
  }

  #isFull(): boolean {
    return this.#batches.length >= LOAD_BATCHES_MAX || this.#bytes >= LOAD_BYTES_MAX
  }

  #takeOne(walk: Walk): Taken | undefined {
    const { topic, partition, generation, fetchOffset, lastStableOffset } = walk.slice
    const key = tp(topic, partition)
    const expected = this.#expected.get(key)
    if (expected === undefined || expected.generation !== generation || this.#isRepeated(walk, expected)) {
      walk.end()
      return undefined
    }
    if (fetchOffset > expected.offset) {
      walk.end()
      const message = `${key}: expected offset ${expected.offset}, was given ${fetchOffset}`
      throw new Fault('fetch-gap', message, { retryable: true })
    }
    const from = expected.offset
    const held = walk.hold()
    const filter = this.#filterOf(expected.filter, walk.slice)
    const stretch = walk.stretch({ ...expected, filter }, (made) => {
      const { batch, origins } = made
      this.#batches.push({
        topic: expected.targetTopic,
        partition,
        source: { topic, partition },
        batch,
        origins
      })
      this.#records += made.records
      this.#bytes += made.batch.length
      return this.#isFull() ? 'enough' : 'more'
    })
    if (stretch.bytes > 0) this.#leases.push(held)
    else held.release()
    expected.offset = stretch.next
    if (stretch.stop !== undefined) this.#expected.delete(key)
    return { topic, partition, from, end: lastStableOffset, ...stretch }
  }

  #filterOf(text: string | undefined, place: TopicPartition): RunOptions['filter'] {
    if (text === undefined) return undefined
    const filter = this.#filters.get(text) ?? compileFilter(text)
    this.#filters.set(text, filter)
    return (record) => filter(record, place)
  }

  /** Begins before what is expected, although nothing of it was taken yet. */
  #isRepeated({ slice, isBegun }: Walk, { offset }: Expected): boolean {
    return !isBegun && slice.fetchOffset < offset
  }
}
