import { expect, test } from 'vitest'
import { Expected } from '../../src/demo/tally.ts'

const sent = (...ids: string[]) => {
  const expected = new Expected()
  for (const id of ids) expected.add(id)
  return expected
}
const records = (partition: number, ...ids: string[]) => ids.map((id) => ({ partition, id }))
const clean = { missing: 0, repeated: 0, outOfOrder: 0 }

test('a complete store in order has no fault, however the events are spread over partitions', () => {
  const expected = sent('1', '2', '3', '4')
  expect(expected.size).toBe(4)
  expect(expected.tally([...records(0, '2', '4'), ...records(1, '1', '3')])).toEqual({ count: 4, ...clean })
})

test('a lost event is missing, a second copy is repeated, a stranger is repeated', () => {
  const expected = sent('1', '2', '3')
  expect(expected.tally(records(0, '1', '3'))).toEqual({ count: 2, ...clean, missing: 1 })
  expect(expected.tally(records(0, '1', '2', '2', '3'))).toEqual({ count: 4, ...clean, repeated: 1 })
  expect(expected.tally(records(0, '1', '2', '3', '99'))).toEqual({ count: 4, ...clean, repeated: 1 })
})

test('a lost and a repeated event do not cancel out', () => {
  expect(sent('1', '2', '3').tally(records(0, '1', '1', '3'))).toEqual({
    count: 3,
    missing: 1,
    repeated: 1,
    outOfOrder: 0
  })
})

test('order is kept within a partition and free between partitions', () => {
  const expected = sent('1', '2', '3')
  expect(expected.tally(records(0, '2', '1', '3')).outOfOrder).toBe(1)
  expect(expected.tally([...records(0, '3'), ...records(1, '1', '2')]).outOfOrder).toBe(0)
})

test('an id that was sent twice must be found twice', () => {
  const expected = sent('1', '2', '1')
  expect(expected.size).toBe(3)
  expect(expected.tally(records(0, '1', '2'))).toMatchObject({ missing: 1, repeated: 0 })
  expect(expected.tally(records(0, '1', '1', '2'))).toMatchObject({ missing: 0, repeated: 0 })
})
