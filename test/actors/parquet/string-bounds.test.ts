import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BOUND_BYTES_MAX, StringBounds } from '../../../src/actors/parquet/string-bounds.ts'

const long = fc.tuple(
  fc.constantFrom('a', 'b', 'é', '\u{7f}', '\u{7ff}', '\ud7ff', '\uffff', '😀', '\u{10ffff}'),
  fc.integer({ min: 14, max: 70 }),
  fc.string({ maxLength: 2 })
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 5 }),
  long.map(([unit, times, tail]) => unit.repeat(times) + tail)
)
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 5 }).map((some) => Buffer.from(some)),
  fc
    .tuple(fc.constantFrom(0, 0x7f, 0xff), fc.integer({ min: 60, max: 70 }), fc.nat(255))
    .map(([unit, times, last]) => Buffer.concat([Buffer.alloc(times, unit), Buffer.from([last])]))
)

function boundsOf(values: readonly Buffer[], isText: boolean) {
  const bounds = new StringBounds(isText)
  for (const one of values)
    bounds.add(Buffer.concat([Buffer.from('x'), one, Buffer.from('x')]), 1, one.length + 1)
  const taken = bounds.take()
  expect(bounds.take()).toBeUndefined()
  return taken
}

test.each([
  ['text', true, text.map((one) => Buffer.from(one))],
  ['bytes', false, bytes]
] as const)(
  'short bounds of %s are values, long ones are cut to less and rounded to more',
  (_, isText, value) => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 12 }), (values) => {
        const sorted = values.toSorted(Buffer.compare)
        const [least, greatest] = [sorted[0], sorted.at(-1)] as [Buffer, Buffer]
        const bounds = boundsOf(values, isText)
        // Nothing of no more bytes is above the last character, or byte, repeated.
        const last = isText
          ? Buffer.from('\u{10ffff}'.repeat(BOUND_BYTES_MAX / 4))
          : Buffer.alloc(BOUND_BYTES_MAX, 0xff)
        if (greatest.length > last.length && greatest.subarray(0, last.length).equals(last)) {
          expect(bounds).toBeUndefined()
          return
        }
        if (bounds === undefined) throw new Error('no bounds')
        for (const bound of [bounds.min, bounds.max]) {
          expect(bound.length).toBeLessThanOrEqual(BOUND_BYTES_MAX)
          if (isText) expect(isUtf8(bound)).toBe(true)
        }
        expect(bounds.isMinExact).toBe(least.length <= BOUND_BYTES_MAX)
        expect(bounds.isMaxExact).toBe(greatest.length <= BOUND_BYTES_MAX)
        if (bounds.isMinExact) expect(bounds.min).toEqual(least)
        else {
          expect(Buffer.compare(bounds.min, least)).toBeLessThan(0)
          expect(bounds.min.length).toBeGreaterThan(BOUND_BYTES_MAX - 4)
        }
        if (bounds.isMaxExact) expect(bounds.max).toEqual(greatest)
        else {
          expect(Buffer.compare(bounds.max, greatest)).toBeGreaterThan(0)
          // No further away than its last character.
          expect(bounds.max.subarray(0, bounds.max.length - 4)).toEqual(
            greatest.subarray(0, bounds.max.length - 4)
          )
        }
      }),
      { numRuns: 1000 }
    )
  }
)

test('nothing has no bounds', () => {
  expect(boundsOf([], true)).toBeUndefined()
})
