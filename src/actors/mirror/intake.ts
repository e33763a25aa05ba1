import { Fault } from '../../errors.ts'
import type { RefusedRecord, Suspicion } from '../../machines/refused.ts'
import type { Expectation, Taken } from '../../machines/shard-protocol.ts'
import { compileFilter, type RecordFilter } from '../../records/filter.ts'
import type { Rebatched } from '../../records/rebatch.ts'
import type { Lease } from '../budget.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import type { OutgoingBatch } from '../kafka/producer.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'
import { type DeadLetterOptions, DeadLetters } from './dead-letters.ts'
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
  /** Its records are not copies: they are kept because they could not be copied. */
  readonly isDeadLetter: boolean
}

interface Expected
  extends Omit<Expectation, 'topic' | 'partition' | 'offset' | 'refused' | 'deadLetter' | 'jump'> {
  offset: number
  readonly letters: DeadLetters | undefined
  readonly refused: ReadonlyMap<number, RefusedRecord> | undefined
  readonly suspicion: Suspicion | undefined
}

/**
 * Limits of a load. A transaction cannot be committed before the load under way is acknowledged, and it lives for
 * seconds: a source of tiny batches must not fill it with more of them than the target takes in that time.
 */
const LOAD_BATCHES_MAX = 1_000
const LOAD_BYTES_MAX = 16 * 1024 * 1024

/** Stands for their topic where partitions of the target are counted. */
const DEAD_LETTERS = -1

/**
 * Where fetched slices become batches to produce: each batch is judged by its header, and each partition is taken in
 * offset order without a gap or a repeat, whatever the fetcher delivers. No payload byte of a batch
 * that passes is read or copied. What does not fit into the load waits, with its credits, for the next one.
 */
export class Intake {
  readonly #paths: Paths
  readonly #deadLetters: DeadLetterOptions
  readonly #expected = new Map<string, Expected>()
  readonly #filters = new Map<string, RecordFilter>()
  #waiting: Walk[] = []
  #batches: CopiedBatch[] = []
  #leases: Lease[] = []
  #records = 0
  #bytes = 0

  constructor(paths: Paths, deadLetters: DeadLetterOptions) {
    this.#paths = paths
    this.#deadLetters = deadLetters
  }

  expect(partitions: readonly Expectation[]): void {
    for (const { topic, partition, refused, deadLetter, ...expected } of partitions) {
      const options = { ...this.#deadLetters, ...(deadLetter !== undefined && { topic: deadLetter }) }
      const isKept = expected.policies.rejected === 'dead-letter'
      this.#expected.set(tp(topic, partition), {
        ...expected,
        letters: isKept ? new DeadLetters(options, { topic, partition }) : undefined,
        refused: refused && new Map(refused.records.map((record) => [record.offset, record])),
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
    const targets = new Map<number, TopicPartition>()
    const stretch = walk.stretch({ ...expected, filter }, (made, letters) => {
      const { batch, origins, records, target: to = partition } = made
      const target = letters?.target ?? { topic: expected.targetTopic, partition: to }
      const isDeadLetter = letters !== undefined
      targets.set(isDeadLetter ? DEAD_LETTERS : to, target)
      this.#batches.push({ ...target, source: { topic, partition }, batch, origins, isDeadLetter })
      if (!isDeadLetter) this.#records += records
      this.#bytes += batch.length
      return this.#isFull() ? 'enough' : 'more'
    })
    if (stretch.bytes > 0) this.#leases.push(held)
    else held.release()
    expected.offset = stretch.next
    if (stretch.stop !== undefined) this.#expected.delete(key)
    return { topic, partition, from, end: lastStableOffset, targets: [...targets.values()], ...stretch }
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
