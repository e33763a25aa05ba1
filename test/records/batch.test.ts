import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  at,
  batchesOf,
  bit,
  firstTimestamp,
  judge,
  readHeader,
  stamp,
  verifyCrc
} from '../../src/records/batch.ts'
import { crc32c } from '../../src/records/crc32c.ts'
import { decodeRecords, encodeBatch } from '../../src/records/record.ts'
import { bytes, codec, record } from './support.ts'

const someBatch = fc
  .tuple(fc.array(record, { minLength: 1, maxLength: 8 }), codec)
  .map(([records, chosen]) => encodeBatch(records, { codec: chosen }))

const someStamp = fc.record({
  producerId: fc.nat({ max: 2 ** 50 }),
  producerEpoch: fc.nat({ max: 32_767 }),
  baseSequence: fc.nat({ max: 2 ** 31 - 1 }),
  transactional: fc.boolean()
})

const one = (
  offset: number,
  o: { magic?: number; attributes?: number; count?: number; lastOffsetDelta?: number } = {}
) => {
  const batch = encodeBatch([{ key: null, value: Buffer.from('x'), headers: [], timestamp: 7 }], { codec: 0 })
  batch.writeBigInt64BE(BigInt(offset), at.baseOffset)
  if (o.magic !== undefined) batch.writeInt8(o.magic, at.magic)
  if (o.attributes !== undefined) batch.writeInt16BE(o.attributes, at.attributes)
  if (o.count !== undefined) batch.writeInt32BE(o.count, at.count)
  if (o.lastOffsetDelta !== undefined) batch.writeInt32BE(o.lastOffsetDelta, at.lastOffsetDelta)
  return batch
}

test('a stamped batch has the CRC that a full pass would give, and its records as they were', () => {
  const attributes = fc.nat({ max: 0xffff }).map((noise) => noise & ~bit.codec)
  fc.assert(
    fc.property(someBatch, someStamp, fc.nat({ max: 2 ** 40 }), attributes, (batch, ours, offset, noise) => {
      const records = decodeRecords(batch).map(({ offset: _, ...rest }) => rest)
      batch.writeBigInt64BE(BigInt(offset), at.baseOffset)
      const codecBits = batch.readInt16BE(at.attributes) & bit.codec
      batch.writeUInt16BE(noise | codecBits, at.attributes)
      batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)

      stamp(batch, ours)

      expect(batch.readUInt32BE(at.crc)).toBe(crc32c(batch, at.attributes))
      expect(readHeader(batch, 0)).toMatchObject({
        ...ours,
        baseOffset: 0,
        leaderEpoch: -1,
        attributes: codecBits | (ours.transactional ? bit.transactional : 0)
      })
      expect(decodeRecords(batch).map(({ offset: _, ...rest }) => rest)).toEqual(records)
    }),
    { numRuns: 500 }
  )
})

test('stamping does not hide a corruption of the records', () => {
  fc.assert(
    fc.property(
      someBatch,
      someStamp,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (batch, ours, where, flip) => {
        const position = at.records + (where % (batch.length - at.records))
        batch[position] = (batch[position] ?? 0) ^ flip
        stamp(batch, ours)
        expect(verifyCrc(batch)).toBe(false)
      }
    )
  )
})

test('a record set is cut into its whole batches; the rest of a cut one is left out', () => {
  fc.assert(
    fc.property(fc.array(someBatch, { maxLength: 5 }), fc.nat(), (batches, cut) => {
      const whole = Buffer.concat(batches)
      expect([...batchesOf(whole)]).toEqual(batches)
      const length = whole.length === 0 ? 0 : cut % whole.length
      let end = 0
      const fitting = batches.filter((batch) => {
        end += batch.length
        return end <= length
      })
      expect([...batchesOf(whole.subarray(0, length))]).toEqual(fitting)
    })
  )
})

test('a batch length that cannot be is a fault, after the batches before it', () => {
  const bad = one(1)
  for (const length of [-1, 0, 48, -(2 ** 31)]) {
    bad.writeInt32BE(length, at.length)
    const batches = batchesOf(Buffer.concat([one(0), bad, one(2)]))
    expect(batches.next().value).toEqual(one(0))
    expect(() => batches.next()).toThrow(expect.objectContaining({ code: 'batch-corrupt' }))
  }
})

test('garbage gives batches or a fault', () => {
  fc.assert(
    fc.property(bytes(300), (garbage) => {
      try {
        for (const batch of batchesOf(garbage)) readHeader(batch, 0)
      } catch (fault) {
        expect(fault).toMatchObject({ code: 'batch-corrupt' })
      }
    })
  )
})

test('every reason not to pass a batch on, and their order', () => {
  const of = (batch: Buffer, position = 10, aborted = false, maxBytes = 1000) =>
    judge(readHeader(batch, 0), position, aborted, maxBytes)
  expect(of(one(10))).toBe('pass')
  expect(of(one(9))).toBe('below-position')
  expect(of(one(9, { magic: 1 }))).toBe('below-position')
  expect(of(one(10, { magic: 1 }))).toBe('decode:magic')
  expect(of(one(10, { attributes: bit.control | bit.transactional }), 10, true)).toBe('control')
  expect(of(one(10, { attributes: bit.transactional }), 10, true)).toBe('aborted')
  expect(of(one(10, { count: 0 }))).toBe('decode:empty')
  expect(of(one(9, { count: 2, lastOffsetDelta: 1 }))).toBe('decode:begins-before-position')
  expect(of(one(10, { lastOffsetDelta: 1 }))).toBe('decode:offset-gaps')
  expect(of(one(10, { attributes: bit.logAppendTime }))).toBe('decode:log-append-time')
  expect(of(one(10), 10, false, one(10).length)).toBe('pass')
  expect(of(one(10), 10, false, one(10).length - 1)).toBe('decode:too-large')
  // A batch whose end lies at the position goes on; its count says nothing about gaps at the end.
  expect(of(one(5, { count: 6, lastOffsetDelta: 5 }))).toBe('decode:begins-before-position')
})

test('a codec that does not exist is a fault', () => {
  expect(() => readHeader(one(0, { attributes: 5 }), 0)).toThrow('codec 5')
})

test('the time of the first record is told by the header, the newest one’s where the base is something else', () => {
  const timed = (attributes: number) => {
    const records = [5, 9].map((timestamp) => ({ key: null, value: null, headers: [], timestamp }))
    const batch = encodeBatch(records, { codec: 0 })
    batch.writeInt16BE(attributes, at.attributes)
    return batch
  }
  expect(firstTimestamp(timed(0))).toBe(5)
  expect(firstTimestamp(timed(bit.logAppendTime))).toBe(9)
  expect(firstTimestamp(timed(bit.deleteHorizon))).toBe(9)
  const old = (magic: number) => {
    const message = Buffer.alloc(34)
    message.writeInt8(magic, at.magic)
    message.writeBigInt64BE(7n, 18)
    return message
  }
  expect([0, 1].map((magic) => firstTimestamp(old(magic)))).toEqual([-1, 7])
  expect(firstTimestamp(Buffer.alloc(0))).toBe(-1)
  expect(firstTimestamp(timed(0).subarray(0, 40))).toBe(-1)
})
