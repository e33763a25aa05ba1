import { expect, test } from 'vitest'
import { deadLetterLine } from '../../../src/actors/store/dead-letter.ts'
import { encodeBatch, forEachRecord } from '../../../src/records/record.ts'

function lineOf(key: Buffer | null, value: Buffer | null): unknown {
  const batch = encodeBatch([{ key, value, headers: [], timestamp: 12 }], { codec: 0 })
  let line = ''
  forEachRecord(batch, (record) => {
    line = deadLetterLine('t', 3, record, 'why').toString()
  })
  expect(line.indexOf('\n')).toBe(line.length - 1)
  return JSON.parse(line)
}
const place = { topic: 't', partition: 3, offset: 0, timestamp: 12, reason: 'why' }

test('text stands as it is, on one line', () => {
  const value = 'a "b"\n\u2028😀 \u0000'
  expect(lineOf(Buffer.from('k'), Buffer.from(value))).toEqual({ ...place, key: 'k', value })
})

test('bytes that are not UTF-8 are base64 under another name', () => {
  const bytes = Buffer.from([0xff, 0x00, 0xc3])
  expect(lineOf(bytes, bytes)).toEqual({ ...place, keyBase64: '/wDD', valueBase64: '/wDD' })
})

test('null and empty stay apart', () => {
  expect(lineOf(null, null)).toEqual({ ...place, key: null, value: null })
  expect(lineOf(Buffer.alloc(0), Buffer.alloc(0))).toEqual({ ...place, key: '', value: '' })
})
