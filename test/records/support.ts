import fc from 'fast-check'
import type { Codec } from '../../src/records/batch.ts'
import type { Record } from '../../src/records/record.ts'

/** Arbitraries shared by the tests of the byte formats. */

export const bytes = (maxLength = 200) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

export const nullableBytes = (maxLength = 200) => fc.option(bytes(maxLength))

/** Keys may repeat, be empty or need several UTF-8 bytes a character; values may be null. */
const header = fc.record({
  key: fc.oneof(fc.constantFrom('a', 'b', ''), fc.string({ unit: 'grapheme', maxLength: 6 })),
  value: nullableBytes(12)
})

export const record: fc.Arbitrary<Record> = fc.record({
  key: nullableBytes(40),
  value: nullableBytes(300),
  headers: fc.array(header, { maxLength: 4 }),
  timestamp: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.integer({ min: -1, max: 2 ** 48 })
  )
})

export const codec = fc.constantFrom<Codec>(0, 1, 2, 3, 4)

/** Texts of every compressibility, some over several lz4 blocks. */
export const text = fc.oneof(
  bytes(300),
  fc
    .tuple(bytes(40), fc.integer({ min: 0, max: 9000 }), bytes(100))
    .map(([unit, times, tail]) => Buffer.concat([...Array<Buffer>(times).fill(unit), tail])),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 200_000 })).map(([seed, length]) => noise(seed, length))
)

/** Bytes that barely compress, by a linear congruential generator. */
export function noise(seed: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    buffer[index] = state >>> 16
  }
  return buffer
}
