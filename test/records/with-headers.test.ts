import { expect, test } from 'vitest'
import { at } from '../../src/records/batch.ts'
import { crc32c } from '../../src/records/crc32c.ts'
import { Rebatcher } from '../../src/records/rebatch.ts'
import { decodeRecords, encodeBatch, forEachRecord, type Record } from '../../src/records/record.ts'
import { type AddedHeader, withHeaders } from '../../src/records/with-headers.ts'

function added(batch: Buffer, headers: readonly AddedHeader[]): Buffer {
  const rebatcher = new Rebatcher(0, 1 << 20, 100)
  forEachRecord(batch, (record) => {
    const buffer = withHeaders(record, headers)
    rebatcher.add({ buffer, offset: 0, timestamp: 7, bodyStart: 0, bodyEnd: buffer.length })
  })
  return rebatcher.take()[0]?.batch ?? Buffer.alloc(0)
}

test('a record keeps its key, value and headers, and has some more behind them', () => {
  const many = Array.from({ length: 63 }, (_, n) => ({
    key: `h${n}`,
    value: n % 2 === 0 ? null : Buffer.from('v')
  }))
  const records: Record[] = [
    { key: Buffer.from('k'), value: Buffer.alloc(300, 'x'), headers: many, timestamp: 1 },
    { key: null, value: null, headers: [], timestamp: 1 }
  ]
  const made = decodeRecords(
    added(encodeBatch(records, { codec: 0 }), [
      ['reason', 'zu groß'],
      ['empty', '']
    ])
  )
  const more = [
    { key: 'reason', value: Buffer.from('zu groß') },
    { key: 'empty', value: Buffer.from('') }
  ]
  expect(made).toEqual([
    { ...records[0], headers: [...many, ...more], timestamp: 7, offset: 0 },
    { ...records[1], headers: more, timestamp: 7, offset: 1 }
  ])
})

test('header keys that are no UTF-8 stay as they are', () => {
  const headers = [{ key: 'abc', value: null }]
  const batch = encodeBatch([{ key: null, value: null, headers, timestamp: 1 }], { codec: 0 })
  batch.set([0xff, 0xfe, 0x00], batch.indexOf('abc'))
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  expect(added(batch, [['a', 'b']]).includes(Buffer.from([0xff, 0xfe, 0x00]))).toBe(true)
})
