/** Version of the hash that maps partitions to shards; part of the group protocol's name and of the claim. */
export const hashVersion = 1

/** The group protocol's name: members with another hash or shard count are refused by the coordinator (23). */
export function protocolName(shards: number): string {
  return `causeway-${hashVersion}-${shards}`
}

/** The shard of a partition; independent of how many partitions the topic has. */
export function shardOf(_topic: string, _partition: number, _shards: number): number {
  throw new Error('not yet')
}

export interface ShardMember {
  readonly memberId: string
  readonly owned: readonly number[]
}

/** Hands out every shard once: balanced to within one, moving as few as balance allows. Deterministic. */
export function assignShards(_members: readonly ShardMember[], _shards: number): Map<string, number[]> {
  throw new Error('not yet')
}
