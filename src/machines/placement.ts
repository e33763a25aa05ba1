import type { PartitionSpec, Position } from './ledger.ts'

/**
 * Where the records of a partition go. With `partitioning = "hash"` they keep their partition as long as both topics have as
 * many; where the numbers differ, each goes where the target's producers would put its key. Pure functions.
 */

/** Over how many partitions of the target keys are spread; `undefined`: each record keeps its partition. */
export function hashedOver({ rules, sourcePartitions, targetPartitions }: PartitionSpec): number | undefined {
  if (rules.partitioning !== 'hash' || sourcePartitions === targetPartitions) return undefined
  return targetPartitions
}

/** What a position has to say of it: under how many partitions of the target the keys found their places. */
export function placedUnder({ rules, targetPartitions }: PartitionSpec): Pick<Position, 'targetPartitions'> {
  return rules.partitioning === 'hash' ? { targetPartitions } : {}
}

/**
 * Why a partition must not go on: the target has another number of partitions than when keys found their places, so that
 * they would go elsewhere, and a reader would see new records of a key before old ones.
 */
export function growthHold(
  spec: PartitionSpec,
  before: (Pick<PartitionSpec, 'targetId'> & { readonly targetPartitions?: number }) | undefined
): string | undefined {
  const { rules, targetId, targetTopic, targetPartitions } = spec
  if (rules.partitioning !== 'hash' || rules.hashGrowth === 'accept') return undefined
  const { targetPartitions: count = 0 } = before ?? {}
  if (count === 0 || targetPartitions === 0 || count === targetPartitions) return undefined
  // Another topic, which has no old records.
  if (before?.targetId !== undefined && targetId !== undefined && before.targetId !== targetId)
    return undefined
  const change = `had ${count} partitions on the target and has ${targetPartitions}`
  return `topic ${targetTopic} ${change}: keys would change their partitions; hash_growth = "accept" goes on`
}

/** The spec with the number of partitions that what is not committed yet was placed under, where that has to stay. */
export function counted(spec: PartitionSpec, before: PartitionSpec): PartitionSpec {
  const isKept = spec.targetPartitions === 0 || growthHold(spec, before) !== undefined
  return isKept ? { ...spec, targetPartitions: before.targetPartitions } : spec
}
