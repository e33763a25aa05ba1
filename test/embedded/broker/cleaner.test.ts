import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compact } from '../../../src/embedded/broker/cleaner.ts'
import { Disk } from '../../../src/embedded/broker/disk.ts'
import { PartitionLog } from '../../../src/embedded/broker/log.ts'
import { retire } from '../../../src/embedded/broker/retention.ts'
import { TopicConfig } from '../../../src/embedded/broker/topic-config.ts'
import { AbortedFilter } from '../../../src/records/aborted.ts'
import { batchesOf, readHeader, verifyCrc } from '../../../src/records/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import { keyed } from '../../conformance/broker/retention-bench.ts'
import { temporaryDirectory } from './support.ts'

const T0 = 1_700_000_000_000

/** Segments smaller than a client may ask for. */
function compacting(segmentBytes: number, more: Readonly<Record<string, string>> = {}): TopicConfig {
  const given = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0', ...more }
  return Object.assign(new TopicConfig(given), { segmentBytes })
}

function open(directory: string, config = compacting(400)): PartitionLog {
  return new PartitionLog({
    directory,
    disk: new Disk({ fsync: false }),
    leadership: { leader: 1, replicas: [1], epoch: 0 },
    config: () => ({ segmentBytes: config.segmentBytes, segmentMs: Infinity }),
    startOffset: 0
  })
}

/** Appends as a client does, and returns the offset. */
function append(log: PartitionLog, batch: Buffer): number {
  return log.append(batch, readHeader(batch, 0)).baseOffset
}

/** What a read_committed consumer sees from the log's start on: `offset key=value`. */
function committed(log: PartitionLog): string[] {
  const seen: string[] = []
  for (let offset = log.startOffset; offset < log.lastStableOffset; ) {
    const { records, aborted } = log.read(offset, 1 << 20, true, true)
    const filter = new AbortedFilter(aborted ?? [])
    if (records.length === 0) throw new Error(`nothing at offset ${offset} of ${log.lastStableOffset}`)
    for (const batch of batchesOf(records)) {
      const header = readHeader(batch, 0)
      expect(verifyCrc(batch)).toBe(true)
      offset = header.lastOffset + 1
      if (filter.isAborted(header) || header.control) continue
      for (const one of decodeRecords(batch)) seen.push(`${one.offset} ${one.key}=${one.value ?? 'null'}`)
    }
  }
  return seen
}

/** Of what a consumer saw, the last of each key. */
function lastOfEach(seen: readonly string[]): Map<string, string> {
  return new Map(seen.map((one) => [one.slice(one.indexOf(' ') + 1, one.indexOf('=')), one]))
}

interface Step {
  readonly kind: 'plain' | 'idempotent' | 'begin' | 'commit' | 'abort' | 'clean' | 'restart'
  readonly producer: number
  readonly keys: readonly string[]
  readonly codec: 0 | 1
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('plain', 'plain', 'idempotent', 'begin', 'commit', 'abort', 'clean', 'restart'),
    producer: fc.integer({ min: 1, max: 3 }),
    keys: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 4 }),
    codec: fc.constantFrom(0, 1)
  }),
  { minLength: 10, maxLength: 120 }
)

/** Plays the steps, and what producers and consumers expect of a log that is cleaned. */
class Player {
  readonly #directory = temporaryDirectory()
  readonly #config = compacting(200, { 'delete.retention.ms': '0' })
  log = open(this.#directory, this.#config)
  /** The last value of every key that was committed, as `offset key=value`. */
  readonly #latest = new Map<string, string>()
  readonly #sequences = new Map<number, number>()
  readonly #open = new Map<number, string[]>()
  #cleaned = 0
  #time = T0

  play({ kind, producer, keys, codec }: Step): void {
    this.#time += 1_000
    const records = keys.map(
      (key, index) => `${key}=${(this.#time + index) % 7 === 0 ? 'null' : this.#time + index}`
    )
    if (kind === 'plain') this.#keep(this.#write(records, { codec }))
    else if (kind === 'idempotent') this.#keep(this.#send(records, producer + 10, codec, false))
    else if (kind === 'begin') {
      const sent = this.#send(records, producer, codec, true)
      this.#open.set(producer, [...(this.#open.get(producer) ?? []), ...sent])
    } else if (kind === 'clean') this.clean()
    else if (kind === 'restart') this.restart()
    else this.#end(producer, kind === 'commit')
  }

  clean(): void {
    this.#cleaned = compact(this.log, this.#config, this.#cleaned, this.#time)
    const below = committed(this.log).filter((one) => Number.parseInt(one, 10) < this.#cleaned)
    expect(lastOfEach(below).size).toBe(below.length)
  }

  restart(): void {
    this.log.close()
    this.log = open(this.#directory, this.#config)
    this.#cleaned = 0
  }

  check(): void {
    const wanted = new Map(this.#latest)
    const stable = [...this.#open.values()].flat().map((one) => Number.parseInt(one, 10))
    const bound = Math.min(Infinity, ...stable)
    expect(this.log.lastStableOffset).toBe(Math.min(this.log.endOffset, bound))
    const found = lastOfEach(committed(this.log))
    // Beyond the last stable offset nobody sees what was committed.
    const visible = ([, one]: [string, string]) => Number.parseInt(one, 10) < bound
    for (const [key, one] of [...wanted].filter(visible)) {
      // A tombstone may be gone, but then so is what it deleted.
      if (!one.endsWith('=null') || found.has(key)) expect(found.get(key)).toBe(one)
    }
    for (const [producer, sequence] of this.#sequences) {
      const options = { producerId: producer, producerEpoch: 0, transactional: producer < 10 }
      const next = readHeader(keyed('z=1', this.#time, { ...options, baseSequence: sequence }), 0)
      expect(() => this.log.producers.check(next)).not.toThrow()
      const gap = readHeader(keyed('z=1', this.#time, { ...options, baseSequence: sequence + 1 }), 0)
      expect(() => this.log.producers.check(gap)).toThrow('was expected')
    }
  }

  #send(records: readonly string[], producerId: number, codec: 0 | 1, transactional: boolean): string[] {
    const baseSequence = this.#sequences.get(producerId) ?? 0
    this.#sequences.set(producerId, baseSequence + records.length)
    return this.#write(records, { codec, producerId, producerEpoch: 0, baseSequence, transactional })
  }

  #write(records: readonly string[], options: Parameters<typeof keyed>[2]): string[] {
    const offset = append(this.log, keyed(records.join(' '), this.#time, options))
    return records.map((record, index) => `${offset + index} ${record}`)
  }

  #end(producerId: number, isCommit: boolean): void {
    const sent = this.#open.get(producerId)
    if (!sent) return
    this.#open.delete(producerId)
    const end = { producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: this.#time }
    this.log.appendMarker({ ...end, committed: isCommit })
    if (isCommit) this.#keep(sent)
  }

  #keep(written: readonly string[]): void {
    for (const [key, one] of lastOfEach(written)) {
      const before = this.#latest.get(key)
      if (before === undefined || Number.parseInt(before, 10) < Number.parseInt(one, 10))
        this.#latest.set(key, one)
    }
  }
}

test('whatever is cleaned whenever, the last committed value of each key stays, and producers go on', () => {
  fc.assert(
    fc.property(steps, (some) => {
      const player = new Player()
      for (const step of some) {
        player.play(step)
        if (step.kind === 'clean' || step.kind === 'restart') player.check()
      }
      player.clean()
      player.clean()
      player.check()
      player.restart()
      player.check()
    }),
    { numRuns: 100 }
  )
})

test('cleaning leaves no more than the last records, and what got small is merged by the next round', () => {
  const directory = temporaryDirectory()
  const config = compacting(1_000)
  const log = open(directory, config)
  for (let index = 0; index < 200; index++) append(log, keyed(`k${index % 4}=${index}`, T0 + index))
  const before = log.segments.length
  expect(before).toBeGreaterThan(15)
  const cleaned = compact(log, config, 0, T0)
  expect(cleaned).toBe(log.segments.at(-1)?.baseOffset)
  expect(log.segments.length).toBe(before)
  expect(committed(log).filter((one) => Number.parseInt(one, 10) < cleaned).length).toBe(4)
  // Nothing new to clean: the log is left alone.
  expect(compact(log, config, cleaned, T0)).toBe(cleaned)
  for (let index = 200; index < 220; index++) append(log, keyed(`k${index % 4}=${index}`, T0 + index))
  compact(log, config, cleaned, T0)
  expect(log.segments.length).toBeLessThan(6)
  expect(readdirSync(directory).length).toBe(log.segments.length)
  expect([log.startOffset, log.endOffset]).toEqual([0, 220])
})

test('the markers of a transaction go once its batches have gone and their horizon has passed', () => {
  const deleting = compacting(100, { 'delete.retention.ms': '0' })
  const log = open(temporaryDirectory(), deleting)
  const transaction = (producerId: number, committed: boolean) => {
    append(log, keyed('a=1', T0, { producerId, producerEpoch: 0, baseSequence: 0, transactional: true }))
    log.appendMarker({ producerId, producerEpoch: 1, committed, coordinatorEpoch: 0, timestamp: T0 })
  }
  transaction(1, true)
  transaction(2, false)
  append(log, keyed('a=2', T0))
  append(log, keyed('b=1', T0))
  // Nobody knows these producers any more.
  log.producers.expire(T0 + 1)
  let cleaned = compact(log, deleting, 0, T0)
  expect(bases(log)).toEqual([1, 3, 4, 5])
  for (const [round, wanted] of [
    [1, 3, 4, 5, 6],
    [4, 5, 6, 7]
  ].entries()) {
    append(log, keyed(`c=${round}`, T0))
    cleaned = compact(log, deleting, cleaned, T0 + round + 1)
    expect(bases(log)).toEqual(wanted)
  }
  expect(committed(log)).toEqual(['4 a=2', '5 b=1', '6 c=0', '7 c=1'])
})

test('a swap that a kill cut short is completed or undone by the next start', () => {
  const directory = temporaryDirectory()
  const log = open(directory)
  for (let index = 0; index < 30; index++) append(log, keyed(`k${index % 3}=${index}`, T0 + index))
  const before = readdirSync(directory).sort()
  const replaced = readFileSync(join(directory, before[1] ?? ''))
  const seen = committed(log)
  log.close()
  // What a cleaner had begun to write is no part of the log.
  writeFileSync(join(directory, `${before[0]}.cleaned`), 'half a batch')
  const unharmed = open(directory)
  expect(committed(unharmed)).toEqual(seen)
  expect(readdirSync(directory).sort()).toEqual(before)
  compact(unharmed, compacting(1 << 20), 0, T0)
  const [cleaned = ''] = readdirSync(directory).sort()
  const after = committed(unharmed)
  unharmed.close()
  // The replacement was whole, and the segments that it replaces had not all gone.
  const end = Number.parseInt(readdirSync(directory).sort()[1] ?? '', 10)
  renameSync(join(directory, cleaned), join(directory, `${cleaned}.${end}.swap`))
  writeFileSync(join(directory, before[1] ?? ''), replaced)
  expect(committed(open(directory))).toEqual(after)
  expect(readdirSync(directory).sort()).toEqual([before[0], before.at(-1)])
})

test('a transaction that was aborted and is cleaned away does not take later ones of its producer along', () => {
  const config = compacting(100, { 'delete.retention.ms': '0' })
  const log = open(temporaryDirectory(), config)
  let [sequence, cleaned, time] = [0, 0, T0]
  const transaction = (record: string, committed: boolean) => {
    const producer = { producerId: 1, producerEpoch: 0 }
    append(log, keyed(record, T0, { ...producer, baseSequence: sequence++, transactional: true }))
    log.appendMarker({ ...producer, committed, coordinatorEpoch: 0, timestamp: T0 })
  }
  const clean = () => {
    append(log, keyed('z=1', T0))
    cleaned = compact(log, config, cleaned, ++time)
  }
  transaction('a=aborted', false)
  append(log, keyed('b=1', T0))
  clean()
  transaction('b=2', true)
  // The batch goes, the marker gets its horizon, the marker goes, and all that is left is cleaned once more.
  for (let round = 0; round < 4; round++) clean()
  expect(bases(log).slice(0, 2)).toEqual([4, 5])
  expect(committed(log)).toEqual(['4 b=2', expect.stringContaining('z='), expect.stringContaining('z=')])
})

test.each([
  ['of a segment', 1 << 20],
  ['at the end of a segment', 25_000]
])('a read in a hole %s goes on with the next batch, however far it is', (_, segmentBytes) => {
  const config = compacting(segmentBytes)
  const log = open(temporaryDirectory(), config)
  const large = 'v'.repeat(10_000)
  for (const key of ['a', 'x', 'x', 'b', 'x']) append(log, keyed(`${key}=${large}`, T0))
  append(log, keyed(`z=${'v'.repeat(1 << 20)}`, T0))
  compact(log, config, 0, T0)
  expect(bases(log)).toEqual([0, 3, 4, 5])
  const base = (offset: number) => readHeader(log.read(offset, 100, false, true).records, 0).baseOffset
  expect([0, 1, 2, 3, 4, 5].map(base)).toEqual([0, 3, 3, 3, 4, 5])
})

test('what retention dropped stays dropped after a restart, also when that was everything', () => {
  const directory = temporaryDirectory()
  const log = open(directory)
  for (let index = 0; index < 20; index++) append(log, keyed(`k=${index}`, T0 + index * 1_000))
  const some = new TopicConfig({ 'retention.ms': '5500' })
  retire(log, some, T0 + 19_000)
  const { startOffset } = log
  expect(startOffset).toBeGreaterThan(5)
  expect(startOffset).toBeLessThanOrEqual(14)
  log.close()
  const second = open(directory)
  expect([second.startOffset, second.endOffset]).toEqual([startOffset, 20])
  expect(second.endOfEpoch(0)).toEqual({ epoch: 0, endOffset: 20 })
  retire(second, some, T0 + 100_000)
  expect([second.startOffset, second.endOffset]).toEqual([20, 20])
  second.close()
  const third = open(directory)
  expect([third.startOffset, third.endOffset]).toEqual([20, 20])
  expect(append(third, keyed('k=20', T0))).toBe(20)
})

/** The base offset of every batch from the log's start on. */
function bases(log: PartitionLog): number[] {
  const found: number[] = []
  for (let offset = log.startOffset; offset < log.endOffset; ) {
    const { records } = log.read(offset, 1 << 20, false, true)
    if (records.length === 0) throw new Error(`nothing at offset ${offset} of ${log.endOffset}`)
    for (const batch of batchesOf(records)) {
      const { baseOffset, lastOffset } = readHeader(batch, 0)
      found.push(baseOffset)
      offset = lastOffset + 1
    }
  }
  return found
}
