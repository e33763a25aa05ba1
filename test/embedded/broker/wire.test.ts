import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader } from '../../../src/embedded/broker/frames.ts'
import { Reader, Writer } from '../../../src/embedded/broker/wire.ts'

const uuid = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'))
const zeroes = 'A'.repeat(22)

const structure = fc.record({
  small: fc.integer({ min: -128, max: 127 }),
  short: fc.integer({ min: -32768, max: 32767 }),
  int: fc.integer(),
  long: fc.maxSafeInteger(),
  yes: fc.boolean(),
  id: uuid.filter((id) => id !== zeroes),
  text: fc.option(fc.string({ unit: 'binary', maxLength: 300 })),
  bytes: fc.uint8Array({ maxLength: 2_000 }),
  list: fc.option(fc.array(fc.integer())),
  nested: fc.array(fc.string({ maxLength: 5 }), { maxLength: 200 })
})

describe.each([true, false])('flexible: %s', (flexible) => {
  test('what was written is read', () => {
    fc.assert(
      fc.property(fc.array(structure, { maxLength: 5 }), (all) => {
        const writer = new Writer(flexible)
        writer.structs(all, (_, one) => {
          writer.int8(one.small).int16(one.short).int32(one.int).int64(one.long).boolean(one.yes).uuid(one.id)
          writer
            .string(one.text)
            .bytes(Buffer.from(one.bytes))
            .array(one.list, (_, item) => writer.int32(item))
          writer.structs(one.nested, (_, item) => writer.string(item))
        })
        const reader = new Reader(Buffer.concat(writer.tags().finish()), flexible)
        const read = reader.structs(() => ({
          small: reader.int8(),
          short: reader.int16(),
          int: reader.int32(),
          long: reader.int64(),
          yes: reader.boolean(),
          id: reader.uuid(),
          text: reader.nullableString(),
          bytes: Uint8Array.from(reader.bytes()),
          list: reader.nullableArray(() => reader.int32()),
          nested: reader.structs(() => reader.string())
        }))
        expect(read).toEqual(all)
      })
    )
  })

  test('a request that is cut anywhere is a RangeError, never a value', () => {
    const writer = new Writer(flexible)
    writer.structs(['abc', 'def'], (_, text) => writer.string(text).bytes(Buffer.alloc(9)).int64(1))
    const bytes = Buffer.concat(writer.finish())
    for (let cut = 0; cut < bytes.length; cut++) {
      const reader = new Reader(bytes.subarray(0, cut), flexible)
      expect(() => reader.structs(() => [reader.string(), reader.bytes(), reader.int64()])).toThrow(
        RangeError
      )
    }
  })
})

test('the bytes of the protocol guide: classic and compact strings, tagged fields', () => {
  expect(Buffer.concat(new Writer(false).string('t1').string(null).finish()).toString('hex')).toBe(
    '00027431ffff'
  )
  const flexible = new Writer(true).string('t1').string(null).tags()
  expect(Buffer.concat(flexible.finish()).toString('hex')).toBe('0374310000')
  // One unknown tagged field (tag 5, two bytes), then the next value.
  const reader = new Reader(Buffer.from('010502aabb07', 'hex'), true)
  reader.tags()
  expect(reader.int8()).toBe(7)
})

test('frames come out as they went in, however the stream is cut', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(
        sent.flatMap((frame) => {
          const length = Buffer.alloc(4)
          length.writeInt32BE(frame.length)
          return [length, Buffer.from(frame)]
        })
      )
      const received: Uint8Array[] = []
      const reader = new FrameReader((frame) => received.push(Uint8Array.from(frame)))
      for (let at = 0, index = 0; at < stream.length; index++) {
        const length = cuts[index % cuts.length] ?? 1
        reader.push(stream.subarray(at, at + length))
        at += length
      }
      expect(received).toEqual(sent)
    })
  )
})

test('a frame of an impossible length is refused', () => {
  const reader = new FrameReader(() => {})
  expect(() => reader.push(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow(RangeError)
  expect(() => new FrameReader(() => {}).push(Buffer.from('ffffffff', 'hex'))).toThrow(RangeError)
})
