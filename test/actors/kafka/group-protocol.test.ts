import { AssignerProtocol } from 'kafkajs'
import { expect, test } from 'vitest'
import {
  decodeAssignment,
  decodeOwned,
  encodeAssignment,
  encodeOwned
} from '../../../src/actors/kafka/group-protocol.ts'

test('shards travel in metadata and assignment', () => {
  for (const shards of [[], [0], [3, 1, 31]]) {
    expect(decodeOwned(encodeOwned(shards))).toEqual(shards)
    expect(decodeAssignment(encodeAssignment(shards))).toEqual(shards)
  }
})

test('absent bytes mean no shards', () => {
  for (const bytes of [null, Buffer.alloc(0)]) {
    expect(decodeOwned(bytes)).toEqual([])
    expect(decodeAssignment(bytes)).toEqual([])
  }
})

test('other tools read both as ConsumerProtocol v0 without topics', () => {
  const metadata = AssignerProtocol.MemberMetadata.decode(encodeOwned([1]))
  expect(metadata).toMatchObject({ version: 0, topics: [] })
  expect(AssignerProtocol.MemberAssignment.decode(encodeAssignment([1]))).toMatchObject({
    version: 0,
    assignment: {}
  })
  // version 0, no topics, 9 bytes of user data: version 1, one shard, number 2
  expect(encodeOwned([2]).toString('hex')).toBe('000000000000000000090100000001' + '00000002')
})

test('user data of another version is refused', () => {
  const foreign = AssignerProtocol.MemberAssignment.encode({
    version: 0,
    assignment: {},
    userData: Buffer.from([2, 0, 0, 0, 0])
  })
  expect(() => decodeAssignment(foreign)).toThrow(expect.objectContaining({ code: 'group-protocol-foreign' }))
})
