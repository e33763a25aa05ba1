import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BOUND_BYTES_MAX, StringBounds } from '../../../src/actors/parquet/string-bounds.ts'

const long = fc.tuple(
  fc.constantFrom('a', 'b'),
  fc.integer({ min: 60, max: 70 }),
  fc.string({ maxLength: 2 })
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 5 }),
  long.map(([unit, times, tail]) => unit.repeat(times) + tail)
)

test('the bounds are the least and greatest by bytes, or none when one of them is long', () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
      const bounds = new StringBounds()
      for (const one of texts) {
        const bytes = Buffer.from(`x${one}x`)
        bounds.add(bytes, 1, bytes.length - 1)
      }
      const sorted = texts.map((one) => Buffer.from(one)).sort(Buffer.compare)
      const [min, max] = [sorted[0], sorted.at(-1)]
      const kept = min && max && min.length <= BOUND_BYTES_MAX && max.length <= BOUND_BYTES_MAX
      expect(bounds.take()).toEqual(kept ? { min, max } : undefined)
      expect(bounds.take()).toBeUndefined()
    }),
    { numRuns: 1000 }
  )
})
