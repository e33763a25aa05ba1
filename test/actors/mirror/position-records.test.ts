import { expect, test } from 'vitest'
import {
  type Claim,
  checkClaim,
  decodeRecord,
  encodeClaim,
  encodePosition,
  partitionOfKey
} from '../../../src/actors/mirror/position-records.ts'

const position = { next: 1234, leaderEpoch: 5, sourceId: 's', targetId: undefined }
const claim: Claim = { source: 'a', target: 'b', shards: 32, hash: 1, naming: 'identity' }

test('the bytes are those of docs/formats.md', () => {
  const record = encodePosition({ topic: 'my-topic', partition: 7, position }, 9)
  expect(`${record.key} ${record.value} ${record.timestamp}`).toBe(
    'my-topic-7 {"next":1234,"leaderEpoch":5,"sourceId":"s"} 9'
  )
  expect(`${encodeClaim(claim, 9).key} ${encodeClaim(claim, 9).value}`).toBe(
    'claim {"source":"a","target":"b","shards":32,"hash":1,"naming":"identity"}'
  )
})

test('what was written is read back', () => {
  const { key, value } = encodePosition({ topic: 't', partition: 0, position }, 0)
  expect(decodeRecord(key, value)).toEqual({ type: 'position', key: 't-0', position })
  const written = encodeClaim(claim, 0)
  expect(decodeRecord(written.key, written.value)).toEqual({ type: 'claim', claim })
  expect(decodeRecord(key, null)).toEqual({ type: 'tombstone', key: 't-0' })
})

test.each(['', 'null', '{"next":-1}', '{"next":"7"}', '{"next":1e300}'])('%s is no position', (value) => {
  expect(() => decodeRecord(Buffer.from('t-0'), Buffer.from(value))).toThrow(
    expect.objectContaining({ code: 'positions-unreadable', retryable: false })
  )
})

test('a claim is held against every field that both sides know', () => {
  expect(() => checkClaim(claim, { ...claim }, 'p')).not.toThrow()
  expect(() => checkClaim({ ...claim, source: undefined }, claim, 'p')).not.toThrow()
  expect(() => checkClaim(claim, { ...claim, shards: 8 }, 'p')).toThrow(/shards 32.*shards 8/)
  expect(() => checkClaim(claim, { ...claim, source: 'c' }, 'p')).toThrow(/source a.*source c/)
})

test('a claim that was moved or handed back says so before anything else', () => {
  const other = { ...claim, shards: 8 }
  expect(() => checkClaim({ ...claim, moved: 'there' }, other, 'p')).toThrow(
    expect.objectContaining({ code: 'positions-moved', message: expect.stringContaining('are in there now') })
  )
  expect(() => checkClaim({ ...claim, handedBack: 'A' }, other, 'p')).toThrow(
    expect.objectContaining({
      code: 'mirror-handed-back',
      message: expect.stringContaining('mirror takeover')
    })
  )
})

test("a key's last dash parts topic and partition", () => {
  expect(partitionOfKey('my-topic-7')).toEqual({ topic: 'my-topic', partition: 7 })
})
