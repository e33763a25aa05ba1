import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c, shiftCrc } from '../../src/records/crc32c.ts'
import { bytes } from './support.ts'

/** RFC 3720, appendix B.4, and the usual check value. */
test.each([
  ['32 zero bytes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of 0xff', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 rising bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0]
])('the CRC-32C of %s', (_name, text, expected) => {
  expect(crc32c(text)).toBe(expected)
})

test('a range gives the CRC of its copy', () => {
  fc.assert(
    fc.property(bytes(100), fc.nat(100), fc.nat(100), (text, from, length) => {
      const start = Math.min(from, text.length)
      const end = Math.min(start + length, text.length)
      expect(crc32c(text, start, end)).toBe(crc32c(Buffer.from(text.subarray(start, end))))
    })
  )
})

test('the CRC of two texts in a row follows from the CRC of each', () => {
  fc.assert(
    fc.property(bytes(), bytes(3000), (left, right) => {
      const expected = (shiftCrc(crc32c(left), right.length) ^ crc32c(right)) >>> 0
      expect(crc32c(Buffer.concat([left, right]))).toBe(expected)
    })
  )
})
