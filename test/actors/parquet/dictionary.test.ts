import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Dictionary } from '../../../src/actors/parquet/dictionary.ts'

test('equal values have one index, in order of appearance, and are found again', () => {
  const value = fc.oneof(fc.string({ maxLength: 3 }), fc.nat(5000).map(String))
  fc.assert(
    fc.property(fc.array(value, { maxLength: 600 }), (values) => {
      const dictionary = new Dictionary()
      const distinct: string[] = []
      for (const one of values) {
        if (!distinct.includes(one)) distinct.push(one)
        const bytes = Buffer.from(`<${one}>`)
        expect(dictionary.indexOf(bytes, 1, bytes.length - 1)).toBe(distinct.indexOf(one))
      }
      expect(dictionary.size).toBe(distinct.length)
      for (const [index, one] of distinct.entries()) {
        const { bytes } = dictionary.page
        expect(bytes.toString('utf8', dictionary.startOf(index), dictionary.endOf(index))).toBe(one)
      }
    }),
    { numRuns: 50 }
  )
})

test('a hundred thousand values all fit, and stay told apart', () => {
  const dictionary = new Dictionary()
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 100_000; index++) {
      const bytes = Buffer.from(`user${index}`)
      if (dictionary.indexOf(bytes, 0, bytes.length) !== index) throw new Error(`value ${index} is misplaced`)
    }
  }
  expect(dictionary.size).toBe(100_000)
})
