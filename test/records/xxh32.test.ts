import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { xxh32 } from '../../src/records/xxh32.ts'
import { bytes } from './support.ts'

test('the empty text has the published hash', () => {
  expect(xxh32(Buffer.alloc(0))).toBe(0x02cc5d05)
  expect(xxh32(Buffer.from('Nobody inspects the spammish repetition'))).toBe(0xe2293b2f)
})

test('agrees with another implementation', () => {
  const other: unknown = createRequire(import.meta.url)('lz4js/xxh32.js')
  const { hash } = other as { hash(seed: number, source: Uint8Array, at: number, length: number): number }
  fc.assert(
    fc.property(bytes(100), (text) => {
      expect(xxh32(text)).toBe(hash(0, text, 0, text.length) >>> 0)
    })
  )
})
