import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareUtf8, SortedKeys } from '../../../src/embedded/object-store/sorted-keys.ts'

const key = fc.string({ unit: 'grapheme', maxLength: 6 })

test('keys compare as the bytes of their UTF-8', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    })
  )
})

test('after any additions and removals the keys are the sorted set', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 50 }), (changes) => {
      const keys = new SortedKeys()
      const set = new Set<string>()
      for (const [adds, one] of changes) {
        if (adds) keys.add(one)
        else keys.delete(one)
        if (adds) set.add(one)
        else set.delete(one)
      }
      const listed = Array.from({ length: keys.size }, (_, index) => keys.at(index))
      expect(listed).toEqual([...set].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    })
  )
})
