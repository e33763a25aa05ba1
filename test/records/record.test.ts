import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { at, bit } from '../../src/records/batch.ts'
import { crc32c } from '../../src/records/crc32c.ts'
import {
  decodeRecords,
  encodeBatch,
  forEachRecord,
  headersOf,
  type Record,
  sizeOf
} from '../../src/records/record.ts'
import { bytes, codec, record } from './support.ts'

const records = fc.array(record, { minLength: 1, maxLength: 10 })
const withoutOffset = ({ offset: _, ...rest }: Record & { offset: number }) => rest

test('records come back: null and empty keys and values, headers in order, repeated header keys, null header values', () => {
  fc.assert(
    fc.property(records, codec, fc.nat({ max: 2 ** 45 }), (written, chosen, offset) => {
      const batch = encodeBatch(written, { codec: chosen })
      batch.writeBigInt64BE(BigInt(offset), at.baseOffset)
      const read = decodeRecords(batch)
      expect(read.map(withoutOffset)).toEqual(written)
      expect(read.map((one) => one.offset)).toEqual(written.map((_, index) => offset + index))
    }),
    { numRuns: 300 }
  )
})

test('the size announced for a record is never too small', () => {
  fc.assert(
    fc.property(records, (written) => {
      const bound = written.reduce((sum, one) => sum + sizeOf(one), 0)
      expect(encodeBatch(written, { codec: 0 }).length - at.records).toBeLessThanOrEqual(bound)
    })
  )
})

test('a LogAppendTime batch gives all its records the time of the append', () => {
  const batch = encodeBatch([{ key: null, value: null, headers: [], timestamp: 5 }], { codec: 0 })
  batch.writeInt16BE(bit.logAppendTime, at.attributes)
  batch.writeBigInt64BE(1_234n, at.maxTimestamp)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  expect(decodeRecords(batch)[0]?.timestamp).toBe(1_234)
})

test('a compacted batch keeps the offsets of the records that are left', () => {
  const batch = encodeBatch([{ key: Buffer.from('k'), value: null, headers: [], timestamp: 5 }], { codec: 0 })
  batch.writeInt32BE(9, at.lastOffsetDelta)
  batch[at.records + 3] = 14 // The offset delta 7, zig-zag.
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  expect(decodeRecords(batch)[0]?.offset).toBe(7)
})

test('a changed byte is a fault', () => {
  fc.assert(
    fc.property(
      records,
      codec,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (written, chosen, where, flip) => {
        const batch = encodeBatch(written, { codec: chosen })
        const position = at.attributes + (where % (batch.length - at.attributes))
        batch[position] = (batch[position] ?? 0) ^ flip
        expect(() => decodeRecords(batch)).toThrow(expect.objectContaining({ code: 'batch-corrupt' }))
      }
    )
  )
})

test('a batch whose framing lies under a right CRC is a fault or reads within its bounds', () => {
  fc.assert(
    fc.property(
      records,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (written, flips) => {
        const batch = encodeBatch(written, { codec: 0 })
        for (const [where, flip] of flips) {
          const position = at.count + (where % (batch.length - at.count))
          batch[position] = (batch[position] ?? 0) ^ flip
        }
        batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
        try {
          forEachRecord(batch, (cursor) => {
            expect(cursor.headersStart).toBeLessThanOrEqual(cursor.buffer.length)
            headersOf(cursor)
          })
        } catch (fault) {
          expect(fault).toMatchObject({ code: 'batch-corrupt' })
        }
      }
    ),
    { numRuns: 500 }
  )
})

test('a batch is not taken for one of another format', () => {
  const batch = encodeBatch([{ key: null, value: null, headers: [], timestamp: 5 }], { codec: 0 })
  for (const magic of [0, 1, 3]) {
    batch.writeInt8(magic, at.magic)
    expect(() => decodeRecords(batch)).toThrow(expect.objectContaining({ code: 'batch-corrupt' }))
  }
})

test('a batch without records cannot be encoded', () => {
  expect(() => encodeBatch([], { codec: 0 })).toThrow(expect.objectContaining({ code: 'batch-empty' }))
})

test('an end-transaction marker has the bytes that Kafka writes', () => {
  const marker: Record = {
    key: Buffer.from([0, 0, 0, 1]), // Version 0, type 1: commit.
    value: Buffer.from([0, 0, 0, 0, 0, 7]), // Version 0, coordinator epoch 7.
    headers: [],
    timestamp: 1_700_000_000_000
  }
  const batch = encodeBatch([marker], {
    codec: 0,
    producerId: 9,
    producerEpoch: 3,
    transactional: true,
    control: true
  })
  expect(batch.readInt16BE(at.attributes)).toBe(0x30)
  expect(batch.readInt32BE(at.baseSequence)).toBe(-1)
  expect(batch.toString('hex', at.records)).toBe('20000000080000000' + '10c00000000000700')
})

/** kafkajs writes and reads batches of its own; its headers are an object, so keys here do not repeat. */
const require = createRequire(import.meta.url)
const kafkajs = {
  RecordBatch: require('kafkajs/src/protocol/recordBatch/v0/index.js').RecordBatch,
  Record: require('kafkajs/src/protocol/recordBatch/record/v0/index.js'),
  decode: require('kafkajs/src/protocol/recordBatch/v0/decoder.js'),
  Decoder: require('kafkajs/src/protocol/decoder.js')
}
const plainRecord = fc.record({
  key: fc.option(bytes(40)),
  value: fc.option(bytes(300)),
  headers: fc.uniqueArray(fc.record({ key: fc.constantFrom('alpha', 'beta', 'gamma'), value: bytes(10) }), {
    selector: (header) => header.key
  }),
  timestamp: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 })
})
const plainRecords = fc.array(plainRecord, { minLength: 1, maxLength: 8 })

test('reads what kafkajs writes', async () => {
  await fc.assert(
    fc.asyncProperty(plainRecords, fc.constantFrom(0, 1), async (written, compression) => {
      const base = written[0]?.timestamp ?? 0
      const encoded = await kafkajs.RecordBatch({
        compression,
        firstTimestamp: base,
        maxTimestamp: Math.max(...written.map((one) => one.timestamp)),
        lastOffsetDelta: written.length - 1,
        records: written.map(({ key, value, headers, timestamp }, index) =>
          kafkajs.Record({
            key,
            value,
            offsetDelta: index,
            timestampDelta: timestamp - base,
            headers: Object.fromEntries(headers.map((header) => [header.key, header.value]))
          })
        )
      })
      expect(decodeRecords(encoded.buffer).map(withoutOffset)).toEqual(written)
    }),
    { numRuns: 60 }
  )
})

test('kafkajs reads what we write', async () => {
  await fc.assert(
    fc.asyncProperty(plainRecords, fc.constantFrom(0, 1), async (written, compression) => {
      const batch = encodeBatch(written, { codec: compression === 0 ? 0 : 1 })
      const read = await kafkajs.decode(new kafkajs.Decoder(batch))
      const shown = read.records.map(
        (one: { key: unknown; value: unknown; timestamp: string; headers: object }) => ({
          key: one.key,
          value: one.value,
          timestamp: Number(one.timestamp),
          headers: Object.entries(one.headers).map(([key, value]) => ({ key, value }))
        })
      )
      expect(shown).toEqual(written)
    }),
    { numRuns: 60 }
  )
})
