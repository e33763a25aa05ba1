import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumberDictionary } from '../../../src/actors/parquet/number-dictionary.ts'

test.each([1, 2] as const)('values of %i words come back by their indexes, equal ones by one', (words) => {
  const value = fc.tuple(
    fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 })),
    fc.integer({ min: -2, max: 2 })
  )
  fc.assert(
    fc.property(fc.array(value, { maxLength: 900 }), fc.nat(900), (values, cut) => {
      const dictionary = new NumberDictionary(words)
      const found: number[] = []
      for (const part of [values.slice(0, cut), values.slice(cut)]) {
        const flat = Int32Array.from(part.flatMap((pair) => pair.slice(0, words)))
        const indexes = new Uint32Array(part.length)
        expect(dictionary.index(flat, part.length, indexes)).toBe(true)
        found.push(...indexes)
      }
      const entries = new Int32Array(Uint8Array.from(dictionary.page).buffer)
      const expected = values.map((pair) => pair.slice(0, words))
      expect(found.map((index) => [...entries.subarray(index * words, (index + 1) * words)])).toEqual(
        expected
      )
      expect(dictionary.size).toBe(new Set(expected.map(String)).size)
    }),
    { numRuns: 200 }
  )
})

test('what never comes again is given up early, and so is what was made to collide', () => {
  const rising = Int32Array.from({ length: 20_000 }, (_, index) => index)
  expect(new NumberDictionary(1).index(rising, rising.length, new Uint32Array(rising.length))).toBe(false)
  // Each pair cancels itself out in a hash that multiplies both halves and joins them.
  const inverse = (factor: number) => {
    let found = factor
    for (let round = 0; round < 5; round++) found = Math.imul(found, 2 - Math.imul(factor, found))
    return found
  }
  const [low, high] = [inverse(0x9e3779b1), inverse(0x85ebca6b)]
  const colliding = Int32Array.from({ length: 400 }, (_, index) =>
    Math.imul(index >> 1, index & 1 ? high : low)
  )
  expect(new NumberDictionary(2).index(colliding, 200, new Uint32Array(200))).toBe(false)
})
