import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import type { FetchedSlice } from '../../../src/actors/kafka/fetcher.ts'
import type { Intake } from '../../../src/actors/mirror/intake.ts'
import type { Paths } from '../../../src/actors/mirror/run.ts'
import type { Expectation } from '../../../src/machines/shard-protocol.ts'
import { failing } from '../../../src/machines/topic-rules.ts'
import { at, bit, readHeader, verifyCrc } from '../../../src/records/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import {
  batchAt,
  expected,
  LARGE,
  newIntake,
  noPaths,
  offsetsIn,
  oldMessage,
  range,
  sliceOf
} from './slices.ts'

let paths: Paths
beforeEach(() => {
  paths = noPaths()
})

const intakeAt = (offset: number, more: Partial<Expectation> = {}): Intake => newIntake(offset, more, paths)

test('large batches go on as they are; markers, aborted and emptied ones only move the position', () => {
  const intake = intakeAt(10)
  const marker = { records: 1, producer: 7, control: true }
  const batches = [
    batchAt(10, { records: 2, bytes: LARGE }),
    batchAt(12, { records: 3, producer: 7 }),
    batchAt(15, marker),
    batchAt(16, { records: 1, producer: 7, bytes: LARGE }),
    batchAt(17, marker)
  ]
  const [taken] = intake.take([sliceOf(10, batches, { aborted: [{ producerId: 7, firstOffset: 12 }] })])
  expect(taken).toMatchObject({ from: 10, next: 18, leaderEpoch: 5, end: 900, records: 3 })
  const load = intake.unload()
  expect(load.batches.map(({ batch }) => readHeader(batch, 0).baseOffset)).toEqual([10, 16])
  for (const { batch } of load.batches) expect(batches.some((one) => one.equals(batch))).toBe(true)
  expect(paths).toEqual({ batchesPassed: 2, batchesMerged: 0, batchesDecoded: 0, recordsFiltered: 0 })
})

test('small neighbours go on together, of one codec and never past a large one; a small one alone as it is', () => {
  const intake = intakeAt(0)
  const batches = [
    ...[0, 1, 2].map((offset) => batchAt(offset, { records: 1 })),
    ...[3, 4].map((offset) => batchAt(offset, { records: 1, codec: 4, bytes: 600 })),
    batchAt(5, { records: 1, bytes: LARGE }),
    batchAt(6, { records: 1 })
  ]
  expect(intake.take([sliceOf(0, batches)])).toMatchObject([{ next: 7, records: 7 }])
  const load = intake.unload()
  expect(load.batches.map(({ batch }) => readHeader(batch, 0).count)).toEqual([3, 2, 1, 1])
  expect(load.batches.map(({ batch }) => readHeader(batch, 0).codec)).toEqual([0, 4, 0, 0])
  expect(offsetsIn(load)).toEqual(range(0, 7))
  expect(paths).toEqual({ batchesPassed: 2, batchesMerged: 5, batchesDecoded: 0, recordsFiltered: 0 })
})

test.each([
  ['offset gaps', batchAt(12, { records: 20, gap: 1 }), 10, 33],
  ['log append time', batchAt(12, { records: 20, attributes: bit.logAppendTime, bytes: LARGE }), 10, 32],
  ['more bytes than the target allows', batchAt(12, { records: 20, bytes: LARGE }), 10, 32],
  ['the position in its middle', batchAt(12, { records: 20 }), 17, 32]
])('a batch with %s is taken apart', (_, batch, position, next) => {
  const intake = intakeAt(position)
  const slice = sliceOf(position, [batchAt(10, { records: 2 }), batch])
  expect(intake.take([slice])).toMatchObject([{ next, records: 32 - position }])
  const load = intake.unload()
  expect(offsetsIn(load)).toEqual(range(position, 32))
  for (const made of load.batches) {
    const { lastOffsetDelta, count, logAppendTime, length } = readHeader(made.batch, 0)
    expect({ lastOffsetDelta, logAppendTime }).toEqual({ lastOffsetDelta: count - 1, logAppendTime: false })
    expect(length).toBeLessThanOrEqual(100_000)
  }
  expect(paths.batchesDecoded).toBe(1)
})

test('a record larger than the target allows ends its partition there, and what came before it goes on', () => {
  const intake = intakeAt(0, { maxBytes: 5_000 })
  const slice = sliceOf(0, [
    batchAt(0, { records: 2 }),
    batchAt(2, { records: 3 }),
    batchAt(5, { records: 1, bytes: LARGE }),
    batchAt(6, { records: 1 })
  ])
  const [taken] = intake.take([slice])
  expect(taken).toMatchObject({ next: 5, records: 5, leaderEpoch: 5, stop: { standing: 'rejected' } })
  expect(taken?.stop?.reason).toMatch(/^the record at offset 5 takes 200\d\d bytes, the target allows 5000$/)
  expect(offsetsIn(intake.unload())).toEqual(range(0, 5))
  expect(intake.take([sliceOf(5, [batchAt(5, { records: 1 })])]), 'nothing more is taken').toEqual([])
})

test('a damaged batch among small ones ends its partition there, and what came before it goes on', () => {
  const intake = intakeAt(0)
  const damaged = batchAt(3, { records: 2 })
  damaged[damaged.length - 1] = 0xff
  const slice = sliceOf(0, [...[0, 1, 2].map((offset) => batchAt(offset, { records: 1 })), damaged])
  const [taken] = intake.take([slice])
  expect(taken).toMatchObject({ next: 3, records: 3, stop: { standing: 'source-corrupt' } })
  expect(taken?.stop?.reason).toContain('offset 3')
  expect(offsetsIn(intake.unload())).toEqual([0, 1, 2])
})

test('where the rules want it, damaged batches and records that are too large are left out, and told', () => {
  const policies = { rejected: 'skip', sourceCorrupt: 'skip' } as const
  const intake = intakeAt(0, { maxBytes: 5_000, policies })
  const damaged = batchAt(3, { records: 2 })
  damaged[damaged.length - 1] = 0xff
  const mixed = batchAt(5, { records: 3, bytes: LARGE })
  const slice = sliceOf(0, [
    ...[0, 1, 2].map((offset) => batchAt(offset, { records: 1 })),
    ...[damaged, mixed, batchAt(8, { records: 2 })]
  ])
  const [taken] = intake.take([slice])
  expect(taken).toMatchObject({ next: 10, records: 5 })
  expect(taken?.stop).toBeUndefined()
  expect(taken?.skipped?.map(({ from, until }) => [from, until])).toEqual([
    [3, 5],
    [5, 6],
    [6, 7],
    [7, 8]
  ])
  expect(taken?.skipped?.[0]?.reason).toContain('CRC-32C')
  expect(offsetsIn(intake.unload())).toEqual([0, 1, 2, 8, 9])
})

test('what a filter leaves behind is passed over; a record without an answer ends its partition', () => {
  const batches = [
    batchAt(0, { records: 4 }),
    batchAt(4, { records: 3, bytes: LARGE }),
    batchAt(7, { records: 1 })
  ]
  const odd = intakeAt(0, { filter: 'offset % 2 == 1' })
  expect(odd.take([sliceOf(0, batches)])).toMatchObject([{ next: 8, records: 4 }])
  expect(offsetsIn(odd.unload())).toEqual([1, 3, 5, 7])
  expect(paths.recordsFiltered).toBe(4)
  const none = intakeAt(0, { filter: 'false' })
  const slice = sliceOf(0, batches)
  expect(none.take([slice])).toMatchObject([{ next: 8, records: 0, bytes: 0 }])
  expect(slice.lease.bytes).toBe(0)
  const lost = intakeAt(0, { filter: 'offset == 5 ? value.no.such : true' })
  const [taken] = lost.take([sliceOf(0, batches)])
  expect(taken).toMatchObject({ next: 5, records: 5, stop: { standing: 'rejected' } })
  expect(taken?.stop?.reason).toContain('the record at offset 5: the filter has no answer')
  expect(offsetsIn(lost.unload())).toEqual([0, 1, 2, 3, 4])
})

test('with care, a large batch is held against its checksum before it goes on', () => {
  const damaged = batchAt(1, { records: 1, bytes: LARGE })
  damaged[damaged.length - 9] = 0xff
  const batches = [
    batchAt(0, { records: 1, bytes: LARGE }),
    damaged,
    batchAt(2, { records: 1, bytes: LARGE })
  ]
  expect(intakeAt(0).take([sliceOf(0, batches)])).toMatchObject([{ next: 3, records: 3 }])
  const careful = intakeAt(0, { isCareful: true, policies: { rejected: 'fail', sourceCorrupt: 'skip' } })
  expect(careful.take([sliceOf(0, batches)])).toMatchObject([
    { next: 3, records: 2, skipped: [{ from: 1, until: 2 }] }
  ])
  expect(offsetsIn(careful.unload())).toEqual([0, 2])
})

test('a damaged record alone in its batch goes on with a checksum that it does not fit; with care it is found', () => {
  const damaged = batchAt(1, { records: 1 })
  damaged[damaged.length - 4] = 0xff
  const batches = [batchAt(0, { records: 1 }), damaged, batchAt(2, { records: 1 })]
  const intake = intakeAt(0)
  expect(intake.take([sliceOf(0, batches)])).toMatchObject([{ next: 3, records: 3 }])
  expect(intake.unload().batches.map(({ batch }) => verifyCrc(batch))).toEqual([false])
  const [taken] = intakeAt(0, { isCareful: true }).take([sliceOf(0, batches)])
  expect(taken).toMatchObject({ next: 1, records: 1, stop: { standing: 'source-corrupt' } })
})

test('messages of the former formats go on as batches, from wherever the position is among them', () => {
  const intake = intakeAt(1)
  expect(intake.take([sliceOf(1, [oldMessage, batchAt(3, { records: 2 })])])).toMatchObject([
    { next: 5, records: 4 }
  ])
  expect(intake.unload().batches.map(({ batch }) => readHeader(batch, 0))).toMatchObject([
    { magic: 2, count: 2, codec: 1 },
    { magic: 2, count: 2, codec: 0 }
  ])
  const skipping = intakeAt(0, {
    filter: 'key.startsWith("k")',
    policies: { ...failing, rejected: 'skip' }
  })
  expect(skipping.take([sliceOf(0, [oldMessage])])).toMatchObject([
    { next: 3, records: 2, skipped: [{ from: 1, until: 2 }] }
  ])
  const left = skipping.unload().batches.flatMap(({ batch }) => decodeRecords(batch))
  expect(left.map(({ key }) => String(key))).toEqual(['k0', 'k2'])
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
      expect(offsetsIn(load)).toEqual(range(0, offset))
      expect(load.records).toBe(offset)
      for (const lease of load.leases) lease.release()
      expect(intake.unload()).toEqual({ batches: [], leases: [], records: 0, bytes: 0 })
    })
  )
})

/** 1,250 large batches in two slices; those of producer 7 before offset 750 are of an aborted transaction. */
function manySlices(): FetchedSlice[] {
  const producerOf = (offset: number) => (offset === 5 || offset === 800 ? { producer: 7 } : {})
  const marker = { producer: 7, control: true }
  const batches = range(0, 1_250).map((offset) =>
    batchAt(offset, { records: 1, ...(offset === 750 ? marker : { bytes: LARGE, ...producerOf(offset) }) })
  )
  const aborted = [{ producerId: 7, firstOffset: 5 }]
  return [sliceOf(0, batches.slice(0, 1_000), { aborted }), sliceOf(1_000, batches.slice(1_000))]
}

test('more bytes than a transaction should hold go in several loads, each reported when it is there', () => {
  const intake = intakeAt(0)
  const slices = manySlices()
  const [first] = intake.take(slices)
  const next = first?.next ?? 0
  expect(next).toBeGreaterThan(800)
  expect(next).toBeLessThan(900)
  const loads = [intake.unload()]
  expect(intake.takeMore()).toMatchObject([
    { from: next, next: 1_000 },
    { from: 1_000, next: 1_250 }
  ])
  loads.push(intake.unload())
  expect(loads.flatMap(offsetsIn)).toEqual(range(0, 1_250).filter((n) => n !== 5 && n !== 750))
  expect(slices.every(({ lease }) => lease.bytes > 0)).toBe(true)
  for (const { leases } of loads) for (const lease of leases) lease.release()
  expect(slices.map(({ lease }) => lease.bytes)).toEqual([0, 0])
})

test('what waits for room is given back when its partition is forgotten or the intake closes', () => {
  const intake = intakeAt(0)
  const slices = manySlices()
  intake.take(slices)
  intake.forget([{ topic: 't', partition: 0 }])
  expect(slices.map(({ lease }) => lease.bytes > 0)).toEqual([true, false])
  for (const lease of intake.unload().leases) lease.release()
  expect(slices[0]?.lease.bytes).toBe(0)
  const others = manySlices()
  intake.expect([expected(0)])
  intake.take(others)
  intake.close()
  expect(others.map(({ lease }) => lease.bytes)).toEqual([0, 0])
})
