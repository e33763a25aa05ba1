import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../src/records/murmur2.ts'

/** The cases of Kafka's own test, UtilsTest.testMurmur2. */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107]
])('murmur2 of %s', (key, expected) => {
  expect(murmur2(Buffer.from(key))).toBe(expected)
})

test('a negative hash loses its sign bit before the modulo', () => {
  expect(partitionOf(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7)
})
