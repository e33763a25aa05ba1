import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignShards, protocolName, shardOf } from '../../../src/actors/kafka/assignor.ts'

const group = fc
  .record({ shards: fc.integer({ min: 1, max: 40 }), members: fc.integer({ min: 1, max: 12 }) })
  .chain(({ shards, members }) =>
    fc.record({
      shards: fc.constant(shards),
      members: fc.array(fc.array(fc.integer({ min: -1, max: shards + 1 }), { maxLength: shards }), {
        minLength: members,
        maxLength: members
      })
    })
  )
  .map(({ shards, members }) => ({
    shards,
    members: members.map((owned, index) => ({ memberId: `m${index}`, owned }))
  }))

test('every shard goes to exactly one member, and counts differ by at most one', () => {
  fc.assert(
    fc.property(group, ({ shards, members }) => {
      const assigned = assignShards(members, shards)
      expect([...assigned.keys()].sort()).toEqual(members.map(({ memberId }) => memberId).sort())
      const all = [...assigned.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: shards }, (_, shard) => shard))
      const counts = [...assigned.values()].map(({ length }) => length)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    })
  )
})

test('nothing moves while balance holds', () => {
  fc.assert(
    fc.property(group, ({ shards, members }) => {
      const before = assignShards(members, shards)
      const owners = [...before].map(([memberId, owned]) => ({ memberId, owned }))
      expect(assignShards(owners.reverse(), shards)).toEqual(before)
    })
  )
})

test('a member more takes its share and leaves the rest where it was', () => {
  fc.assert(
    fc.property(group, ({ shards, members }) => {
      const before = [...assignShards(members, shards)].map(([memberId, owned]) => ({ memberId, owned }))
      const after = assignShards([...before, { memberId: 'new', owned: [] }], shards)
      const stayed = before.map(({ memberId, owned }) =>
        owned.filter((one) => after.get(memberId)?.includes(one))
      )
      expect(stayed.flat().length + (after.get('new')?.length ?? 0)).toBe(shards)
    })
  )
})

test('a partition keeps its shard whatever else exists, and shards are used evenly', () => {
  // Golden: changing these values would hand partitions to other transactional ids and lose their positions.
  expect([0, 1, 2, 3].map((partition) => shardOf('hybrid', partition, 32))).toEqual([3, 25, 17, 14])
  const counts = new Array<number>(32).fill(0)
  for (let partition = 0; partition < 3_200; partition++) {
    const shard = shardOf('events', partition, 32)
    counts[shard] = (counts[shard] ?? 0) + 1
  }
  expect(Math.min(...counts)).toBeGreaterThan(50)
  expect(protocolName(32)).toBe('causeway-1-32')
})
