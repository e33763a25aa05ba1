import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import type { FetchedSlice } from '../../../src/actors/kafka/fetcher.ts'
import { Intake } from '../../../src/actors/mirror/intake.ts'
import { at, bit, readHeader } from '../../../src/records/batch.ts'
import { writeInt64 } from '../../../src/records/bytes.ts'
import { encodeBatch } from '../../../src/records/record.ts'

/** What a batch of a source is, as far as passing it on goes. */
interface Kind {
  readonly records: number
  readonly producer?: number
  readonly control?: boolean
  readonly attributes?: number
  /** Offsets at its end that compaction took away. */
  readonly gap?: number
}

function batchAt(
  offset: number,
  { records, producer = -1, control = false, attributes = 0, gap = 0 }: Kind
): Buffer {
  const record = { key: Buffer.from('k'), value: Buffer.from(`${offset}`), headers: [], timestamp: 1 }
  const batch = encodeBatch(
    Array.from({ length: records }, () => record),
    {
      codec: 0,
      producerId: producer,
      transactional: producer >= 0,
      control
    }
  )
  writeInt64(batch, offset, at.baseOffset)
  batch.writeInt32BE(5, at.leaderEpoch)
  batch.writeInt16BE(batch.readInt16BE(at.attributes) | attributes, at.attributes)
  batch.writeInt32BE(records - 1 + gap, at.lastOffsetDelta)
  return batch
}

const budget = new ByteBudget(1 << 20)

function sliceOf(
  fetchOffset: number,
  batches: readonly Buffer[],
  more: Partial<FetchedSlice> = {}
): FetchedSlice {
  const recordSet = Buffer.concat(batches)
  const last = batches.at(-1)
  return {
    topic: 't',
    partition: 0,
    generation: 1,
    fetchOffset,
    recordSet,
    nextOffset: last === undefined ? fetchOffset : readHeader(last, 0).lastOffset + 1,
    aborted: [],
    highWatermark: 1_000,
    lastStableOffset: 900,
    logStartOffset: 0,
    topicId: undefined,
    leaderEpoch: 5,
    lease: budget.takeNow(recordSet.length),
    ...more
  }
}

function intakeAt(offset: number, maxBytes = 10_000): Intake {
  const intake = new Intake()
  intake.expect([{ topic: 't', partition: 0, offset, generation: 1, targetTopic: 't', maxBytes }])
  return intake
}

test('batches go on as they are; markers, aborted and emptied ones only move the position', () => {
  const intake = intakeAt(10)
  const marker = { records: 1, producer: 7, control: true }
  const batches = [
    batchAt(10, { records: 2 }),
    batchAt(12, { records: 3, producer: 7 }),
    batchAt(15, marker),
    batchAt(16, { records: 1, producer: 7 }),
    batchAt(17, marker)
  ]
  const [taken] = intake.take([sliceOf(10, batches, { aborted: [{ producerId: 7, firstOffset: 12 }] })])
  expect(taken).toMatchObject({ from: 10, next: 18, leaderEpoch: 5, end: 900, records: 3 })
  const load = intake.unload()
  expect(load.batches.map(({ batch }) => readHeader(batch, 0).baseOffset)).toEqual([10, 16])
  for (const { batch } of load.batches) expect(batches.some((one) => one.equals(batch))).toBe(true)
})

test.each([
  ['offset gaps', batchAt(12, { records: 2, gap: 1 }), 'offset-gaps'],
  ['log append time', batchAt(12, { records: 1, attributes: bit.logAppendTime }), 'log-append-time'],
  ['too many bytes', batchAt(12, { records: 100 }), 'too-large']
])('a batch with %s ends its partition where it lies', (_, batch, why) => {
  const intake = intakeAt(10, 500)
  const [taken] = intake.take([
    sliceOf(10, [batchAt(10, { records: 2 }), batch, batchAt(200, { records: 1 })])
  ])
  expect(taken).toMatchObject({ next: 12, records: 2, stop: { standing: 'held' } })
  expect(taken?.stop?.reason).toContain(`(${why})`)
  expect(intake.take([sliceOf(12, [batch])]), 'nothing more is taken').toEqual([])
})

test('a slice that is missing its beginning is no slice to go on with', () => {
  const late = sliceOf(11, [batchAt(11, { records: 1 })])
  expect(() => intakeAt(10).take([late])).toThrow(
    expect.objectContaining({ code: 'fetch-gap', retryable: true })
  )
  expect(late.lease.bytes).toBe(0)
})

test('slices of a former assignment, repeated ones and those of strangers are given back', () => {
  const intake = intakeAt(10)
  const slices = [
    sliceOf(10, [batchAt(10, { records: 1 })], { generation: 0 }),
    sliceOf(8, [batchAt(8, { records: 2 })]),
    sliceOf(10, [batchAt(10, { records: 1 })], { topic: 'other' })
  ]
  expect(intake.take(slices)).toEqual([])
  expect(slices.map(({ lease }) => lease.bytes)).toEqual([0, 0, 0])
})

test('only watermarks: the position stays and the credit is given back', () => {
  const slice = sliceOf(10, [])
  expect(intakeAt(10).take([slice])).toMatchObject([{ from: 10, next: 10, bytes: 0, end: 900 }])
  expect(slice.lease.bytes).toBe(0)
})

test('damaged bytes stop the partition as damaged', () => {
  const batch = batchAt(10, { records: 1 })
  batch.writeInt32BE(3, at.length)
  expect(intakeAt(10).take([sliceOf(10, [batch], { nextOffset: 11 })])).toMatchObject([
    { next: 10, stop: { standing: 'source-corrupt' } }
  ])
})

test('however a log is cut into slices, every batch is taken once and in order, and all credit comes back', () => {
  const kinds = fc.array(
    fc.record({ records: fc.integer({ min: 1, max: 4 }), producer: fc.constantFrom(-1, 3) }),
    {
      minLength: 1,
      maxLength: 20
    }
  )
  fc.assert(
    fc.property(kinds, fc.array(fc.nat(20)), (log, cuts) => {
      let offset = 0
      const batches = log.map((kind) => {
        const batch = batchAt(offset, kind)
        offset += kind.records
        return batch
      })
      const bounds = [...new Set([0, ...cuts.filter((cut) => cut < batches.length), batches.length])].sort(
        (a, b) => a - b
      )
      const intake = intakeAt(0)
      for (const [index, from] of bounds.slice(0, -1).entries()) {
        const part = batches.slice(from, bounds[index + 1])
        intake.take([sliceOf(part[0]?.readInt32BE(4) ?? 0, part)])
      }
      const load = intake.unload()
      expect(intake.takeMore()).toEqual([])
      expect(load.batches.map(({ batch }) => readHeader(batch, 0).baseOffset)).toEqual(
        batches.map((batch) => readHeader(batch, 0).baseOffset)
      )
      expect(load.records).toBe(offset)
      for (const lease of load.leases) lease.release()
      expect(intake.unload()).toEqual({ batches: [], leases: [], records: 0, bytes: 0 })
    })
  )
})

/** 2,500 batches of one record, in two slices; those of producer 7 before offset 1,500 are of an aborted transaction. */
function manyTinySlices(): FetchedSlice[] {
  const producerOf = (offset: number) => (offset === 5 || offset === 1_600 ? { producer: 7 } : {})
  const marker = { producer: 7, control: true }
  const batches = Array.from({ length: 2_500 }, (_, offset) =>
    batchAt(offset, { records: 1, ...(offset === 1_500 ? marker : producerOf(offset)) })
  )
  const aborted = [{ producerId: 7, firstOffset: 5 }]
  return [sliceOf(0, batches.slice(0, 2_000), { aborted }), sliceOf(2_000, batches.slice(2_000))]
}

test('more batches than a transaction should hold go in several loads, each reported when it is there', () => {
  const intake = intakeAt(0)
  const slices = manyTinySlices()
  const [first] = intake.take(slices)
  expect(first).toMatchObject({ from: 0, next: 1_001, records: 1_000 })
  const loads = [intake.unload()]
  const taken = intake.takeMore()
  expect(taken).toMatchObject([
    { from: 1_001, next: 2_000 },
    { from: 2_000, next: 2_002, records: 2 }
  ])
  loads.push(intake.unload())
  expect(intake.takeMore()).toMatchObject([{ from: 2_002, next: 2_500 }])
  loads.push(intake.unload())
  const offsets = loads.flatMap(({ batches }) => batches.map(({ batch }) => readHeader(batch, 0).baseOffset))
  expect(offsets).toEqual(Array.from({ length: 2_500 }, (_, n) => n).filter((n) => n !== 5 && n !== 1_500))
  expect(slices.every(({ lease }) => lease.bytes > 0)).toBe(true)
  for (const { leases } of loads) for (const lease of leases) lease.release()
  expect(slices.map(({ lease }) => lease.bytes)).toEqual([0, 0])
})

test('what waits for room is given back when its partition is forgotten or the intake closes', () => {
  const intake = intakeAt(0)
  const slices = manyTinySlices()
  intake.take(slices)
  intake.forget([{ topic: 't', partition: 0 }])
  expect(slices.map(({ lease }) => lease.bytes > 0)).toEqual([true, false])
  for (const lease of intake.unload().leases) lease.release()
  expect(slices[0]?.lease.bytes).toBe(0)
  const others = manyTinySlices()
  intake.expect([{ topic: 't', partition: 0, offset: 0, generation: 1, targetTopic: 't', maxBytes: 10_000 }])
  intake.take(others)
  intake.close()
  expect(others.map(({ lease }) => lease.bytes)).toEqual([0, 0])
})
