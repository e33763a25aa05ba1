import { expect, test } from 'vitest'
import type { Load } from '../../../src/actors/mirror/intake.ts'
import { readHeader } from '../../../src/records/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import { batchAt, LARGE, newIntake, noPaths, offsetsIn, oldMessage, range, sliceOf } from './slices.ts'

const rejecting = (offset: number) => ({ offset, reason: `the record at offset ${offset}: no key` })

test('a record that the target refuses ends its partition there, or is left out; all around it goes on', () => {
  const batches = [
    batchAt(0, { records: 3, bytes: LARGE }),
    batchAt(3, { records: 4, bytes: LARGE }),
    batchAt(7, { records: 1, bytes: LARGE })
  ]
  const refused = { records: [rejecting(4), rejecting(6)] }
  const paths = noPaths()
  const failing = newIntake(0, { refused }, paths)
  const [taken] = failing.take([sliceOf(0, batches)])
  expect(taken).toMatchObject({ next: 4, records: 4, skipped: [] })
  expect(taken?.stop).toEqual({ standing: 'rejected', reason: 'the record at offset 4: no key' })
  const load = failing.unload()
  expect(offsetsIn(load)).toEqual(range(0, 4))
  expect(paths, 'only what holds it is taken apart').toMatchObject({ batchesPassed: 1, batchesDecoded: 1 })
  const skipping = newIntake(0, { refused, policies: { rejected: 'skip', sourceCorrupt: 'fail' } })
  expect(skipping.take([sliceOf(0, batches)])).toMatchObject([
    {
      next: 8,
      records: 6,
      skipped: [{ from: 4, until: 5, reason: 'the record at offset 4: no key' }, { from: 6 }]
    }
  ])
  const left = skipping.unload()
  expect(offsetsIn(left)).toEqual([0, 1, 2, 3, 5, 7])
  expect(left.batches.map(({ origins }) => origins)).toEqual([
    [{ offset: 0, count: 3 }],
    [
      { offset: 3, count: 1 },
      { offset: 5, count: 1 }
    ],
    [{ offset: 7, count: 1 }]
  ])
})

test('what is suspected is cut into small batches, and nothing else is', () => {
  const batches = [
    batchAt(0, { records: 9, bytes: LARGE }),
    batchAt(9, { records: 5, bytes: LARGE }),
    batchAt(14, { records: 2, bytes: LARGE }),
    batchAt(16, { records: 5, bytes: LARGE })
  ]
  const intake = newIntake(0, {
    maxBytes: 1 << 20,
    refused: { records: [], suspicion: { from: 9, until: 16, recordsMax: 2 } }
  })
  intake.take([sliceOf(0, batches)])
  const load = intake.unload()
  expect(load.batches.map(({ batch }) => readHeader(batch, 0).count)).toEqual([9, 2, 2, 1, 2, 5])
  expect(load.batches.flatMap(({ origins }) => origins).map(({ offset }) => offset)).toEqual([
    0, 9, 11, 13, 14, 16
  ])
  expect(offsetsIn(load)).toEqual(range(0, 21))
  const cut = load.batches.slice(1, 4)
  for (const { batch } of cut) expect(batch.buffer.byteLength, 'no memory of many').toBeLessThan(6 * LARGE)
})

test('a compressed message of the former formats is cut although it does not tell where it begins', () => {
  const suspicion = { from: 0, until: 2, recordsMax: 1 }
  const intake = newIntake(0, { refused: { records: [], suspicion } })
  intake.take([sliceOf(0, [oldMessage])])
  expect(intake.unload().batches.map(({ batch }) => readHeader(batch, 0).count)).toEqual([1, 1, 1])
})

const keeping = { rejected: 'dead-letter', sourceCorrupt: 'fail' } as const
const only = (load: Load, isDead: boolean): Load => {
  return { ...load, batches: load.batches.filter(({ isDeadLetter }) => isDeadLetter === isDead) }
}

test('what is rejected goes to the topic for dead letters, with what it was and why', () => {
  const refused = { records: [rejecting(4), { ...rejecting(9), isFinal: true }] }
  const filter = 'offset == 2 ? value.no.such : true'
  const intake = newIntake(0, { refused, policies: keeping, filter, maxBytes: 5_000 })
  const batches = [
    batchAt(0, { records: 6 }),
    batchAt(6, { records: 1, bytes: LARGE }),
    batchAt(7, { records: 5 })
  ]
  const [taken] = intake.take([sliceOf(0, batches)])
  expect(taken).toMatchObject({ next: 9, records: 6, stop: { standing: 'rejected' } })
  expect(taken?.targets).toEqual([
    { topic: 't', partition: 0 },
    { topic: 'dead', partition: 0 }
  ])
  expect(taken?.skipped).toMatchObject(
    [2, 4, 6].map((from) => ({ from, until: from + 1, deadLetter: 'dead' }))
  )
  const load = intake.unload()
  expect(load.records).toBe(6)
  expect(offsetsIn(only(load, false))).toEqual([0, 1, 3, 5, 7, 8])
  const letters = only(load, true)
  expect(new Set(letters.batches.map(({ topic, source }) => `${source.topic} ${topic}`))).toEqual(
    new Set(['t dead'])
  )
  expect(letters.batches.flatMap(({ origins }) => origins.map(({ offset }) => offset))).toEqual([2, 4, 6])
  const [second, fourth, sixth] = letters.batches.flatMap(({ batch }) => decodeRecords(batch))
  expect(fourth).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('4 ......'), timestamp: 77 })
  expect(fourth?.headers.map(({ key, value }) => [key, String(value)])).toEqual([
    ['__connect.errors.topic', 't'],
    ['__connect.errors.partition', '0'],
    ['__connect.errors.offset', '4'],
    ['__connect.errors.connector.name', 'm'],
    ['__connect.errors.exception.message', 'the record at offset 4: no key'],
    ['causeway.timestamp', '1']
  ])
  const why = (record: typeof fourth) => String(record?.headers[4]?.value)
  expect(why(second)).toContain('the filter has no answer')
  expect(why(sixth)).toMatch(/^the record at offset 6 takes 200\d\d bytes, the target allows 5000$/)
})

test('where a dead letter is suspected, dead letters are cut into small batches, too', () => {
  const records = range(0, 40).map(rejecting)
  const suspicion = { from: 3, until: 40, recordsMax: 7 }
  const intake = newIntake(0, { refused: { records, suspicion }, policies: keeping, deadLetter: 'other' })
  const [taken] = intake.take([sliceOf(0, [batchAt(0, { records: 40 })])])
  expect(taken).toMatchObject({ next: 40, records: 0, targets: [{ topic: 'other', partition: 0 }] })
  expect(intake.unload().batches.map(({ batch }) => readHeader(batch, 0).count)).toEqual([7, 7, 7, 7, 7, 5])
})
