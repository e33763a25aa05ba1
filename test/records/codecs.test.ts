import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codecs, compress, decompress } from '../../src/records/codecs.ts'
import { noise, codec as someCodec, text } from './support.ts'

test('what a codec compressed comes back', () => {
  fc.assert(
    fc.property(someCodec, text, (codec, plain) => {
      expect(decompress(codec, compress(codec, plain)).equals(plain)).toBe(true)
    }),
    { numRuns: 150 }
  )
})

test('a codec stops at the limit on its output', () => {
  const plain = Buffer.alloc(3_000_000, 'repeats ')
  for (const codec of [codecs.gzip, codecs.snappy, codecs.lz4, codecs.zstd]) {
    const packed = compress(codec, plain)
    expect(decompress(codec, packed, plain.length)).toHaveLength(plain.length)
    expect(() => decompress(codec, packed, plain.length - 1)).toThrow(
      expect.objectContaining({ code: 'batch-too-large' })
    )
  }
})

test('bytes of no or another codec are a fault, and never anything else', () => {
  const compressed = fc.constantFrom(codecs.gzip, codecs.snappy, codecs.lz4, codecs.zstd)
  const damaged = fc.tuple(compressed, text, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255))
  fc.assert(
    fc.property(damaged, ([codec, plain, where, flip]) => {
      const packed = Buffer.from(compress(codec, plain))
      const at = Math.min(packed.length - 1, Math.floor(where * packed.length))
      packed[at] = (packed[at] ?? 0) ^ flip
      try {
        decompress(codec, packed, 10_000_000)
      } catch (fault) {
        expect(fault).toMatchObject({
          name: 'Fault',
          code: expect.stringMatching(/^batch-(corrupt|too-large)$/)
        })
      }
    }),
    { numRuns: 300 }
  )
  for (const codec of [codecs.gzip, codecs.lz4, codecs.zstd]) {
    expect(() => decompress(codec, noise(1, 100))).toThrow(expect.objectContaining({ code: 'batch-corrupt' }))
  }
})
