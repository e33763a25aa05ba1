import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Disk } from '../../../src/embedded/broker/disk.ts'
import { PartitionLog } from '../../../src/embedded/broker/log.ts'
import { AbortedFilter } from '../../../src/records/aborted.ts'
import { batchesOf, readHeader } from '../../../src/records/batch.ts'
import { decodeRecords, encodeBatch } from '../../../src/records/record.ts'
import { temporaryDirectory } from './support.ts'

const T0 = 1_700_000_000_000

interface Append {
  readonly producerId: number
  readonly sequence: number
  readonly values: readonly string[]
  readonly timestamp: number
  readonly transactional: boolean
}

function open(directory: string, segmentBytes = 2_000): PartitionLog {
  const disk = new Disk({ fsync: false })
  return new PartitionLog({
    directory,
    disk,
    leadership: { leader: 1, replicas: [1], epoch: 0 },
    config: () => ({ segmentBytes, segmentMs: Infinity }),
    startOffset: 0
  })
}

function append(
  log: PartitionLog,
  { producerId, sequence, values, timestamp, transactional }: Append
): number {
  const records = values.map((value, index) => ({
    key: null,
    value: Buffer.from(value),
    headers: [],
    timestamp: timestamp + index
  }))
  const producer =
    producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence: sequence, transactional }
  const batch = encodeBatch(records, { codec: 0, ...producer })
  return log.append(batch, readHeader(batch, 0)).baseOffset
}

function plain(count: number, timestamp = T0): Append {
  const values = Array.from({ length: count }, (_, index) => `${timestamp}-${index}`)
  return { producerId: -1, sequence: 0, values, timestamp, transactional: false }
}

function segments(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))
}

describe('reading', () => {
  test('any offset and any limit give the batches from the one that holds the offset', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }),
        fc.array(
          fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 9_000 }))
        ),
        (counts, reads) => {
          const log = open(temporaryDirectory())
          const bases = counts.map((count, index) => append(log, plain(count, T0 + index * 1_000)))
          for (const [where, maxBytes] of reads) {
            const offset = Math.floor(where * log.endOffset)
            const { records } = log.read(offset, maxBytes, false, true)
            const holder = bases.findLast((base) => base <= offset)
            expect(readHeader(records, 0).baseOffset).toBe(holder)
            const found = [...batchesOf(records)].map((batch) => readHeader(batch, 0).baseOffset)
            const from = bases.indexOf(holder ?? 0)
            expect(found).toEqual(bases.slice(from, from + found.length))
            expect(records.length <= maxBytes || found.length === 1).toBe(true)
          }
          log.close()
        }
      ),
      { numRuns: 30 }
    )
  })

  test('a consumer that goes on where the last fetch ended sees every record once', () => {
    const log = open(temporaryDirectory())
    const sent = Array.from({ length: 200 }, (_, index) => plain((index % 7) + 1, T0 + index * 1_000))
    for (const one of sent) append(log, one)
    const seen: string[] = []
    for (let offset = 0; offset < log.endOffset; ) {
      for (const batch of batchesOf(log.read(offset, 700, false, true).records)) {
        offset = readHeader(batch, 0).lastOffset + 1
        seen.push(...decodeRecords(batch).map(({ value }) => String(value)))
      }
    }
    expect(seen).toEqual(sent.flatMap(({ values }) => values))
    log.close()
  })

  test('the first record at or after a time is found across segments', () => {
    const directory = temporaryDirectory()
    const log = open(directory)
    for (let index = 0; index < 100; index++) append(log, plain(5, T0 + index * 10))
    expect(segments(directory).length).toBeGreaterThan(3)
    for (const [time, offset] of [
      [0, 0],
      [T0 + 3, 3],
      [T0 + 5, 5],
      [T0 + 500, 250],
      [T0 + 994, 499]
    ] as const) {
      expect(log.offsetAt(time)?.offset).toBe(offset)
    }
    expect(log.offsetAt(T0 + 995)).toBeUndefined()
    log.close()
  })
})

describe('transactions', () => {
  /** Each step appends for one of four producers, or ends its transaction. */
  const steps = fc.array(
    fc.record({
      producer: fc.integer({ min: 0, max: 3 }),
      action: fc.constantFrom('send', 'send', 'commit', 'abort')
    }),
    { maxLength: 120 }
  )

  test('read_committed gives what was committed, in order, whatever the interleaving and the place to start', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 50, max: 3_000 }), (all, maxBytes) => {
        const directory = temporaryDirectory()
        const written = open(directory, 600)
        const { records, decided } = play(written, all)
        expect(written.lastStableOffset).toBe(decided)
        written.close()
        // Again from the files alone: the index of aborted transactions is rebuilt.
        const log = open(directory, 600)
        expect(log.lastStableOffset).toBe(decided)
        for (const start of [0, Math.floor(decided / 3), Math.floor(decided / 2)]) {
          const wanted = records.filter((one) => one.committed && one.offset >= start && one.offset < decided)
          expect(readCommitted(log, start, maxBytes)).toEqual(wanted.map(({ value }) => value))
        }
        log.close()
      }),
      { numRuns: 40 }
    )
  })
})

interface Played {
  readonly offset: number
  readonly value: string
  committed: boolean
}

/** Plays the steps and says what became of each record, and below which offset everything is decided. */
function play(
  log: PartitionLog,
  steps: readonly { readonly producer: number; readonly action: string }[]
): { records: Played[]; decided: number } {
  const records: Played[] = []
  const open = new Map<number, Played[]>()
  const sequences = new Map<number, number>()
  for (const [index, { producer, action }] of steps.entries()) {
    if (action === 'send') {
      const sequence = sequences.get(producer) ?? 0
      const values = [`${index}a`, `${index}b`]
      const base = append(log, { producerId: producer, sequence, values, timestamp: T0, transactional: true })
      sequences.set(producer, sequence + 2)
      const sent = values.map((value, at) => ({ offset: base + at, value, committed: false }))
      records.push(...sent)
      open.set(producer, [...(open.get(producer) ?? []), ...sent])
    } else {
      const committed = action === 'commit'
      log.appendMarker({
        producerId: producer,
        producerEpoch: 0,
        committed,
        coordinatorEpoch: 0,
        timestamp: T0
      })
      for (const record of open.get(producer) ?? []) record.committed = committed
      open.delete(producer)
    }
  }
  const firsts = [...open.values()].map(([first]) => first?.offset ?? 0)
  return { records, decided: Math.min(log.endOffset, ...firsts) }
}

function readCommitted(log: PartitionLog, start: number, maxBytes: number): string[] {
  const values: string[] = []
  for (let offset = start; offset < log.lastStableOffset; ) {
    const { records, aborted } = log.read(offset, maxBytes, true, true)
    const filter = new AbortedFilter(aborted ?? [])
    for (const batch of batchesOf(records)) {
      const header = readHeader(batch, 0)
      const isAborted = filter.isAborted(header)
      for (const record of decodeRecords(batch)) {
        if (!isAborted && !header.control && record.offset >= start) values.push(String(record.value))
      }
      offset = header.lastOffset + 1
    }
  }
  return values
}

describe('recovery', () => {
  test('a newest segment cut anywhere keeps its whole batches, and the log goes on from there', () => {
    const source = temporaryDirectory()
    const log = open(source, 1 << 20)
    const bases = Array.from({ length: 12 }, (_, index) => append(log, plain((index % 4) + 1, T0 + index)))
    const ends = [...bases.slice(1), log.endOffset]
    log.close()
    const [file = ''] = segments(source)
    const bytes = readFileSync(file)
    const lengths = [...batchesOf(bytes)].map((batch) => batch.length)
    for (let cut = 0; cut <= bytes.length; cut += 7) {
      const directory = temporaryDirectory()
      cpSync(source, directory, { recursive: true })
      const [copy = ''] = segments(directory)
      truncateSync(copy, cut)
      const whole = wholeBatches(lengths, cut)
      const recovered = open(directory, 1 << 20)
      expect(recovered.endOffset).toBe(ends[whole - 1] ?? 0)
      expect(append(recovered, plain(2))).toBe(ends[whole - 1] ?? 0)
      recovered.close()
      expect([...batchesOf(readFileSync(copy))].length).toBe(whole + 1)
    }
  })

  test('a flipped bit in the newest segment cuts the log at its batch', () => {
    const directory = temporaryDirectory()
    const log = open(directory, 1 << 20)
    const bases = Array.from({ length: 5 }, () => append(log, plain(3)))
    log.close()
    const [file = ''] = segments(directory)
    const bytes = readFileSync(file)
    const at = bytes.length - 80
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const recovered = open(directory, 1 << 20)
    expect(recovered.endOffset).toBe(bases[4])
    recovered.close()
  })

  test('damage in an older segment is not passed over', () => {
    const directory = temporaryDirectory()
    const log = open(directory)
    for (let index = 0; index < 50; index++) append(log, plain(5))
    log.close()
    const [first = ''] = segments(directory)
    truncateSync(first, statSync(first).size - 1)
    expect(() => open(directory)).toThrow(expect.objectContaining({ code: 'log-corrupt' }))
  })

  test('producers are known again: a repeated batch after a restart is a repeated batch', () => {
    const directory = temporaryDirectory()
    const log = open(directory)
    const one = { producerId: 4, sequence: 0, values: ['a', 'b'], timestamp: T0, transactional: false }
    append(log, one)
    append(log, { ...one, sequence: 2 })
    log.close()
    const recovered = open(directory)
    expect(append(recovered, { ...one, sequence: 2 })).toBe(2)
    expect(() => append(recovered, { ...one, sequence: 5 })).toThrow(expect.objectContaining({ code: 45 }))
    expect(append(recovered, { ...one, sequence: 4 })).toBe(4)
    recovered.close()
  })

  test('records below the start are gone, whole segments from the disk', () => {
    const directory = temporaryDirectory()
    const log = open(directory)
    for (let index = 0; index < 100; index++) append(log, plain(5))
    const before = segments(directory).length
    log.truncateFront(300)
    expect(segments(directory).length).toBeLessThan(before)
    expect(log.startOffset).toBe(300)
    expect(() => log.read(299, 100, false, true)).toThrow(expect.objectContaining({ code: 1 }))
    expect(readHeader(log.read(300, 100, false, true).records, 0).baseOffset).toBe(300)
    log.close()
  })

  test('a write that fails half-way leaves the log as it was', () => {
    const directory = temporaryDirectory()
    const disk = new Disk({ fsync: true })
    const log = new PartitionLog({
      directory,
      disk,
      leadership: { leader: 1, replicas: [1], epoch: 0 },
      config: () => ({ segmentBytes: 1 << 20, segmentMs: Infinity }),
      startOffset: 0
    })
    append(log, plain(3))
    disk.full = true
    expect(() => append(log, plain(3))).toThrow('ENOSPC')
    disk.full = false
    expect(append(log, plain(3))).toBe(3)
    log.close()
    expect([...batchesOf(readFileSync(segments(directory)[0] ?? ''))].length).toBe(2)
  })
})

/** How many batches of these lengths lie whole within the first `bytes`. */
function wholeBatches(lengths: readonly number[], bytes: number): number {
  let end = 0
  return lengths.filter((length) => {
    end += length
    return end <= bytes
  }).length
}
