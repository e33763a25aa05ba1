import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeCheckpoint,
  decodeHeartbeat,
  decodeOffsetSync,
  decodePosition,
  encodeCheckpoint,
  encodeHeartbeat,
  encodeOffsetSync,
  encodePosition,
  Mm2Positions
} from '../../../../src/actors/mirror/offsets/mm2-formats.ts'
import type { Record } from '../../../../src/records/record.ts'

const hex = ({ key, value }: Record) => [key?.toString('hex'), value?.toString('hex')]

test('offset syncs, checkpoints, heartbeats and positions have the bytes that MirrorMaker 2 writes', () => {
  const sync = { topic: 't1', partition: 0, upstream: 100, downstream: 50 }
  expect(hex(encodeOffsetSync(sync, 7))).toEqual(['0002743100000000', '00000000000000640000000000000032'])
  const checkpoint = { ...sync, topic: 'A.t1', group: 'g1', metadata: '' }
  expect(hex(encodeCheckpoint(checkpoint, 7))).toEqual([
    '000267310004412e743100000000',
    '0000000000000000006400000000000000320000'
  ])
  const heartbeat = { source: 'A', target: 'B', timestamp: 1_700_000_000_000 }
  expect(hex(encodeHeartbeat(heartbeat))).toEqual(['000141000142', '00000000018bcfe56800'])
  const position = encodePosition({ cluster: 'A', topic: 't1', partition: 0, last: 41 }, 7)
  expect(position.key?.toString()).toBe(
    '["MirrorSourceConnector",{"cluster":"A","partition":0,"topic":"t1"}]'
  )
  expect(position.value?.toString()).toBe('{"offset":41}')
  expect(encodePosition({ cluster: 'A', topic: 't1', partition: 0, last: -1 }, 7).value).toBeNull()
})

test('what is written is read back', () => {
  const text = fc.string({ maxLength: 40 })
  const offset = fc.maxSafeNat()
  const partition = fc.nat(2 ** 31 - 1)
  const sync = fc.record({ topic: text, partition, upstream: offset, downstream: offset })
  same(sync, (it) => decodeOffsetSync(encodeOffsetSync(it, 0)))
  const checkpoint = fc.tuple(sync, text, text).map(([it, group, metadata]) => ({ ...it, group, metadata }))
  same(checkpoint, (it) => decodeCheckpoint(encodeCheckpoint(it, 0)))
  const heartbeat = fc.record({ source: text, target: text, timestamp: offset })
  same(heartbeat, (it) => decodeHeartbeat(encodeHeartbeat(it)))
  const last = fc.oneof(offset, fc.constant(-1))
  const position = fc.record({ cluster: text, topic: text, partition, last })
  same(position, (it) => decodePosition(encodePosition(it, 0)))
})

function same<T>(values: fc.Arbitrary<T>, carried: (value: T) => unknown): void {
  fc.assert(
    fc.property(values, (value) => {
      expect(carried(value)).toEqual(value)
    })
  )
}

test('positions are read whatever the order of their fields; those of other connectors and clusters are not ours', () => {
  const record = (key: string, value: string | null, timestamp = 0) => {
    return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), timestamp }
  }
  const positions = new Mm2Positions('A')
  positions.add(
    record('["MirrorSourceConnector",{"topic":"t","cluster":"A","partition":3}]', '{"offset":9}', 5)
  )
  positions.add(
    record('["MirrorSourceConnector",{"cluster":"A","partition":3,"topic":"t"}]', '{"offset":7}', 4)
  )
  positions.add(
    record('["MirrorSourceConnector",{"cluster":"A","partition":4,"topic":"t"}]', '{"offset":7}', 4)
  )
  positions.add(record('["MirrorSourceConnector",{"cluster":"A","partition":4,"topic":"t"}]', null, 6))
  positions.add(record('["MirrorSourceConnector",{"cluster":"C","partition":5,"topic":"t"}]', '{"offset":1}'))
  positions.add(record('["MirrorHeartbeatConnector",{"sourceClusterAlias":"A"}]', '{"offset":0}'))
  // Of one key the last one counts, though its writer's clock was behind.
  const sixth = '["MirrorSourceConnector",{"cluster":"A","partition":6,"topic":"t"}]'
  positions.add(record(sixth, '{"offset":1}', 9))
  positions.add(record(sixth, '{"offset":2}', 8))
  expect(positions.all()).toEqual([
    { cluster: 'A', topic: 't', partition: 3, last: 9 },
    { cluster: 'A', topic: 't', partition: 6, last: 2 }
  ])
})

test('what cannot be read is an error, never a position', () => {
  const key = Buffer.from('["MirrorSourceConnector",{"cluster":"A","partition":0,"topic":"t"}]')
  for (const value of ['', '7', '"x"', '{"offset":-1}', '{"offset":"7"}', '{"offset":1.5}']) {
    expect(() => decodePosition({ key, value: Buffer.from(value) }), value).toThrow(/cannot be read/)
  }
  const partial = Buffer.from('["MirrorSourceConnector",{"cluster":"A","topic":"t"}]')
  expect(() => decodePosition({ key: partial, value: Buffer.from('{"offset":1}') })).toThrow(/cannot be read/)
  const { key: good, value } = encodeOffsetSync({ topic: 't', partition: 0, upstream: 1, downstream: 1 }, 0)
  expect(() => decodeOffsetSync({ key: good, value: value?.subarray(1) ?? null })).toThrow(/cannot be read/)
  expect(() => decodeOffsetSync({ key: good, value: null })).toThrow(/cannot be read/)
})
