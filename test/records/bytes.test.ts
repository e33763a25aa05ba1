import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readInt64, writeInt64 } from '../../src/records/bytes.ts'

test('an int64 field holds what BigInt writes, for every safe integer', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.nat(3), (value, at) => {
      const ours = Buffer.alloc(12)
      const theirs = Buffer.alloc(12)
      writeInt64(ours, value, at)
      theirs.writeBigInt64BE(BigInt(value), at)
      expect(ours).toEqual(theirs)
      expect(readInt64(ours, at)).toBe(value)
    })
  )
})
