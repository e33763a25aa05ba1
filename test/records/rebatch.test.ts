import fc from 'fast-check'
import { expect, test } from 'vitest'
import { at, bit, type Codec, readHeader, verifyCrc } from '../../src/records/batch.ts'
import { writeInt64 } from '../../src/records/bytes.ts'
import { crc32c } from '../../src/records/crc32c.ts'
import { Rebatcher } from '../../src/records/rebatch.ts'
import {
  type DecodedRecord,
  decodeRecords,
  encodeBatch,
  forEachRecord,
  forEachUnverified,
  registerOfLone
} from '../../src/records/record.ts'
import { chooseSeed } from '../support/random.ts'

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)))
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 8 }), value: bytes }), { maxLength: 3 }),
  timestamp: fc.integer({ min: 0, max: 2 ** 45 })
})
const codec = fc.constantFrom<Codec[]>(0, 1, 2, 3, 4)
const source = fc.record({ records: fc.array(record, { minLength: 1, maxLength: 12 }), codec })

const withoutOffset = ({ offset: _, ...rest }: DecodedRecord) => rest

test('records of any batches come out as they went in, in order, in whole batches within the limit', () => {
  const seed = chooseSeed()
  const property = fc.property(
    fc.array(source, { minLength: 1, maxLength: 6 }),
    codec,
    fc.integer({ min: 1_500, max: 20_000 }),
    (sources, target, maxBytes) => {
      const rebatcher = new Rebatcher(target, maxBytes, 100)
      const batches = sources.map(({ records, codec }) => encodeBatch(records, { codec }))
      for (const batch of batches) forEachRecord(batch, (one) => rebatcher.add(one))
      const made = rebatcher.take()
      for (const { batch, records } of made) {
        const header = readHeader(batch, 0)
        expect(header).toMatchObject({ length: batch.length, baseOffset: 0, count: records, magic: 2 })
        expect(header.lastOffsetDelta).toBe(records - 1)
        expect([0, target]).toContain(header.codec)
        expect(verifyCrc(batch)).toBe(true)
        if (records > 1) expect(batch.length).toBeLessThanOrEqual(maxBytes)
        const stamps = decodeRecords(batch).map(({ timestamp }) => timestamp)
        expect(header.maxTimestamp).toBe(Math.max(...stamps))
      }
      const before = batches.flatMap(decodeRecords).map(withoutOffset)
      expect(made.flatMap(({ batch }) => decodeRecords(batch)).map(withoutOffset)).toEqual(before)
      expect(rebatcher.take()).toEqual([])
    }
  )
  fc.assert(property, { seed })
})

test('of a record alone in its batch the checksum goes on without its bytes being read', () => {
  const seed = chooseSeed()
  const property = fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), (records) => {
    const rebatcher = new Rebatcher(0, 1 << 20, 0)
    for (const [index, one] of records.entries()) {
      const batch = encodeBatch([one], { codec: 0, producerId: 7, transactional: true })
      const isRead = index % 2 === 1
      forEachRecord(batch, (alone) => rebatcher.add(alone, isRead ? undefined : registerOfLone(batch, alone)))
    }
    expect(rebatcher.take().map(({ batch }) => batch)).toEqual([encodeBatch(records, { codec: 0 })])
  })
  fc.assert(property, { seed })
})

test.each([
  ['its value', at.records + 20],
  ['its timestamp', at.records + 2],
  ['its batch’s header', at.maxTimestamp]
])('a record alone in its batch takes damage of %s along, to be seen by the checksum', (_, place) => {
  const alone = { key: null, value: Buffer.alloc(40), headers: [], timestamp: 1 }
  const damaged = encodeBatch([alone], { codec: 0 })
  damaged.writeUInt8(damaged.readUInt8(place) ^ 2, place)
  const rebatcher = new Rebatcher(0, 1 << 20, 0)
  forEachUnverified(damaged, readHeader(damaged, 0), (one) =>
    rebatcher.add(one, registerOfLone(damaged, one))
  )
  expect(rebatcher.take().map(({ batch }) => verifyCrc(batch))).toEqual([false])
})

test('header keys that are no UTF-8 survive byte for byte', () => {
  const batch = encodeBatch(
    [{ key: null, value: null, headers: [{ key: 'abc', value: null }], timestamp: 1 }],
    {
      codec: 0
    }
  )
  const place = batch.indexOf('abc')
  batch.set([0xff, 0xfe, 0x00], place)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  const rebatcher = new Rebatcher(0, 1_000, 10)
  forEachRecord(batch, (one) => rebatcher.add(one))
  const [made] = rebatcher.take()
  expect(made?.batch.equals(batch)).toBe(true)
})

test('the time of the append becomes the time of each record', () => {
  const records = [1, 2].map((timestamp) => ({ key: null, value: Buffer.from('v'), headers: [], timestamp }))
  const batch = encodeBatch(records, { codec: 0 })
  batch.writeInt16BE(bit.logAppendTime, at.attributes)
  writeInt64(batch, 7_000, at.maxTimestamp)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  const rebatcher = new Rebatcher(4, 1_000, 10)
  forEachRecord(batch, (one) => rebatcher.add(one))
  const made = rebatcher.take().map((one) => one.batch)
  expect(made.map((one) => readHeader(one, 0))).toMatchObject([{ logAppendTime: false, maxTimestamp: 7_000 }])
  expect(made.flatMap(decodeRecords).map(({ timestamp }) => timestamp)).toEqual([7_000, 7_000])
})

test('a record larger than any batch is a batch by itself', () => {
  const large = { key: null, value: Buffer.alloc(5_000), headers: [], timestamp: 1 }
  const small = { ...large, value: Buffer.from('v') }
  const rebatcher = new Rebatcher(0, 1_000, 10)
  forEachRecord(encodeBatch([small, large, small], { codec: 0 }), (one) => rebatcher.add(one))
  expect(rebatcher.take().map(({ records }) => records)).toEqual([1, 1, 1])
})
