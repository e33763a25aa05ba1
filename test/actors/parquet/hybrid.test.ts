import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeHybrid } from '../../../src/actors/parquet/hybrid.ts'
import { newPageBytes } from '../../../src/actors/parquet/plain.ts'

/** Reads as the format's document says, with no thought for speed. */
function decode(bytes: Buffer, width: number): number[] {
  const values: number[] = []
  let at = 0
  while (at < bytes.length) {
    let header = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++)
      header |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (header & 1) {
      const bits = (header >> 1) * 8 * width
      const number = [...bytes.subarray(at, at + bits / 8)]
        .map((byte) => byte.toString(2).padStart(8, '0'))
        .reverse()
      const text = number.join('')
      for (let end = text.length; end > 0; end -= width)
        values.push(Number.parseInt(text.slice(end - width, end), 2))
      at += bits / 8
    } else {
      const size = Math.ceil(width / 8)
      values.push(...Array<number>(header >> 1).fill(bytes.readUIntLE(at, size)))
      at += size
    }
  }
  return values
}

function encode(values: Uint32Array, width: number): Buffer {
  const out = newPageBytes()
  encodeHybrid(values, values.length, width, out)
  return out.view()
}

test('values come back, runs and all, with nothing but zeros after them', () => {
  const cases = fc.integer({ min: 1, max: 20 }).chain((width) =>
    fc.tuple(
      fc.constant(width),
      fc.array(
        fc.tuple(fc.nat({ max: 2 ** width - 1 }), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 }))),
        {
          maxLength: 60
        }
      )
    )
  )
  fc.assert(
    fc.property(cases, ([width, runs]) => {
      const values = runs.flatMap(([value, times]) => Array<number>(times).fill(value))
      const decoded = decode(encode(Uint32Array.from(values), width), width)
      expect(decoded.slice(0, values.length)).toEqual(values)
      expect(decoded.length - values.length).toBeLessThan(8)
      expect(decoded.slice(values.length).every((value) => value === 0)).toBe(true)
    }),
    { numRuns: 400 }
  )
})

test('a long run takes a few bytes, whatever came before', () => {
  expect(encode(new Uint32Array(10_000).fill(1), 1)).toEqual(Buffer.from('a09c0101', 'hex'))
  // One packed group of eight: header and two bytes; then the run: a header of three bytes and the value.
  const values = Uint32Array.from([1, 0, 1, ...Array<number>(10_000).fill(3)])
  expect(encode(values, 2)).toHaveLength(1 + 2 + 3 + 1)
})
