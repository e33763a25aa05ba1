import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Reader, Writer } from '../../../src/actors/kafka/wire.ts'

const offset = fc.integer({ min: -1, max: 2 ** 53 - 1 })

test('what the writer writes the reader reads', () => {
  fc.assert(
    fc.property(
      fc.record({
        int8: fc.integer({ min: -128, max: 127 }),
        int16: fc.integer({ min: -32768, max: 32767 }),
        int32: fc.integer(),
        int64: offset,
        uvarint: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        text: fc.string({ unit: 'grapheme', maxLength: 400 })
      }),
      ({ int8, int16, int32, int64, uvarint, text }) => {
        const writer = new Writer(4).int8(int8).int16(int16).int32(int32).int64(int64).uvarint(uvarint)
        const reader = new Reader(writer.string(text).compactString(text).string(null).noTags().take())
        expect([reader.int8(), reader.int16(), reader.int32()]).toEqual([int8, int16, int32])
        expect([reader.int64(), reader.uvarint()]).toEqual([int64, uvarint])
        expect([reader.string(), reader.compactString(), reader.nullableString()]).toEqual([
          text,
          text,
          undefined
        ])
        reader.skipTags()
        expect(() => reader.int8()).toThrow(RangeError)
      }
    )
  )
})

test('what was taken from a writer does not change when it goes on', () => {
  const writer = new Writer(8)
  const first = writer.int32(1).take()
  const second = writer.int32(2).int32(3).take()
  expect([first.toString('hex'), second.toString('hex')]).toEqual(['00000001', '0000000200000003'])
})

test('tagged fields are skipped by their sizes', () => {
  const reader = new Reader(Buffer.from([2, 0, 1, 0xff, 5, 2, 0xff, 0xff, 7]))
  reader.skipTags()
  expect(reader.int8()).toBe(7)
})

test('a topic id is read as a UUID, the zero id as none', () => {
  const id = '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9'
  expect(new Reader(Buffer.from(id.replaceAll('-', ''), 'hex')).uuid()).toBe(id)
  expect(new Reader(new Writer().zeroUuid().take()).uuid()).toBeUndefined()
})

test('a length that reaches beyond the answer is refused, not read', () => {
  expect(() => new Reader(Buffer.from([0x7f, 0xff, 1])).string()).toThrow(RangeError)
  expect(() => new Reader(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 1])).uvarint()).toThrow(RangeError)
})
