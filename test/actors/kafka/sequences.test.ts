import { expect, test } from 'vitest'
import { Sequences } from '../../../src/actors/kafka/sequences.ts'

test('sequences count per partition and start again at 0 with a new epoch', () => {
  const sequences = new Sequences()
  expect([sequences.take('t', 0, 3), sequences.take('t', 0, 2), sequences.take('t', 1, 1)]).toEqual([0, 3, 0])
  sequences.restart()
  expect(sequences.take('t', 0, 1)).toBe(0)
})

test('after 2^31 - 1 comes 0, also in the middle of a batch', () => {
  const sequences = new Sequences()
  sequences.take('t', 0, 2 ** 31 - 2)
  // Sequences 2147483646, 2147483647, 0, 1, 2: as DefaultRecordBatch.incrementSequence counts.
  expect(sequences.take('t', 0, 5)).toBe(2_147_483_646)
  expect(sequences.take('t', 0, 1)).toBe(3)
  sequences.restart()
  sequences.take('t', 0, 2 ** 31 - 1)
  expect(sequences.take('t', 0, 1)).toBe(2_147_483_647)
  expect(sequences.take('t', 0, 1)).toBe(0)
})
