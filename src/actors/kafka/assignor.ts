import { partitionOf } from '../../records/murmur2.ts'

/** Version of the hash that maps partitions to shards; part of the group protocol's name and of the claim. */
export const hashVersion = 1

/** The group protocol's name: members with another hash or shard count are refused by the coordinator (23). */
export function protocolName(shards: number): string {
  return `causeway-${hashVersion}-${shards}`
}

/** The shard of a partition: murmur2 of `topic\0partition`, so that it does not depend on how many partitions there are. */
export function shardOf(topic: string, partition: number, shards: number): number {
  return partitionOf(Buffer.from(`${topic}\0${partition}`), shards)
}

export interface ShardMember {
  readonly memberId: string
  /** What the member holds now. When two claim a shard, the first by member id keeps it. */
  readonly owned: readonly number[]
}

/**
 * Hands out every shard exactly once, counts within one of each other, and moves only what balance demands.
 * Deterministic: the order of `members` does not matter.
 */
export function assignShards(members: readonly ShardMember[], shards: number): Map<string, number[]> {
  if (members.length === 0) return new Map()
  const free = new Set(Array.from({ length: shards }, (_, shard) => shard))
  const held = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map(({ memberId, owned }) => ({ memberId, shards: owned.filter((shard) => free.delete(shard)) }))
  // Whoever holds most keeps most: the remainder of the division goes to the first in this order.
  held.sort((a, b) => b.shards.length - a.shards.length)
  const least = Math.floor(shards / members.length)
  const remainder = shards % members.length
  const quotas = held.map((_, index) => (index < remainder ? least + 1 : least))
  for (const [index, member] of held.entries()) {
    for (const shard of member.shards.splice(quotas[index] ?? 0)) free.add(shard)
  }
  const ascending = [...free].sort((a, b) => a - b)
  for (const [index, member] of held.entries()) {
    member.shards.push(...ascending.splice(0, (quotas[index] ?? 0) - member.shards.length))
  }
  return new Map(held.map((member) => [member.memberId, member.shards.sort((a, b) => a - b)]))
}
