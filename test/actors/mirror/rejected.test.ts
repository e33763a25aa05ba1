import { expect, test } from 'vitest'
import { readHeader } from '../../../src/records/batch.ts'
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
