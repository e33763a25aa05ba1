import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compressRaw, compressXerial, decompressSnappy } from '../../src/records/snappy.ts'
import { text } from './support.ts'

const LIMIT = 10_000_000
const snappyjs: unknown = createRequire(import.meta.url)('snappyjs')
const other = snappyjs as { compress(plain: Buffer): Buffer; uncompress(packed: Buffer): Buffer }

test('raw blocks agree with another implementation both ways', () => {
  fc.assert(
    fc.property(text, (plain) => {
      expect(decompressSnappy(other.compress(plain), LIMIT).equals(plain)).toBe(true)
      if (plain.length > 0) expect(other.uncompress(compressRaw(plain)).equals(plain)).toBe(true)
    }),
    { numRuns: 50 }
  )
})

test('the framing of snappy-java is read whatever its block size', () => {
  const header = Buffer.from('82534e41505059000000000100000001', 'hex')
  fc.assert(
    fc.property(text, fc.integer({ min: 1000, max: 100_000 }), (plain, blockBytes) => {
      const parts: Buffer[] = [header]
      for (let at = 0; at < plain.length; at += blockBytes) {
        const block = other.compress(plain.subarray(at, at + blockBytes))
        const length = Buffer.alloc(4)
        length.writeInt32BE(block.length)
        parts.push(length, block)
      }
      expect(decompressSnappy(Buffer.concat(parts), LIMIT).equals(plain)).toBe(true)
    }),
    { numRuns: 30 }
  )
})

test('a cut frame is an error', () => {
  const frame = compressXerial(Buffer.alloc(100_000, 'abcd'))
  expect(() => decompressSnappy(frame.subarray(0, frame.length - 1), LIMIT)).toThrow('cut')
  expect(() => decompressSnappy(frame.subarray(0, 18), LIMIT)).toThrow('cut')
})
