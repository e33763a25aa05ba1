import { Fault } from '../../errors.ts'
import { shardOf } from '../kafka/assignor.ts'
import { type CurrentTopic, positionsTopicOf } from './current-topic.ts'
import {
  type Claim,
  checkClaim,
  checkLikeness,
  encodeClaim,
  encodePosition,
  partitionOfKey,
  SCOPE_KEY,
  tombstone
} from './position-records.ts'
import { ensurePositionsTopic } from './prepare.ts'
import type { ShardRecords } from './shard-records.ts'
import { atStandstill, type PlacedRecord, type StandstillOptions } from './standstill.ts'

export interface ReshardOptions extends Omit<StandstillOptions, 'positionsTopic' | 'shards' | 'ids'> {
  readonly current: CurrentTopic
  /** How many shards there shall be; the claim's are the same. */
  readonly to: number
  readonly claim: Claim
  readonly replication: number
  /** The mirror has yet to take over from another one: what it does not know it cannot move. */
  readonly isTakingOver: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Gives a mirror another number of shards: all positions go to a new topic with as many partitions, under the shards that
 * their topic-partitions belong to there, and each partition of the old one gets a claim that names it. That is one
 * transaction: whenever this ends, the positions of one of the topics count, and they are whole.
 *
 * Rejects with `group-in-use` while the mirror has workers, and with `mirror-not-started`.
 *
 * @returns the new topic, `undefined` when the mirror already has that many shards
 */
export async function reshard(options: ReshardOptions, signal: AbortSignal): Promise<string | undefined> {
  const { target, current, to, replication } = options
  const { topic: positionsTopic, partitions: shards } = current
  if (shards === 0) throw notStarted(options, 'does not exist')
  return atStandstill({ ...options, positionsTopic, shards, ids: to }, signal, async (all, held) => {
    for (const { claim } of all.shards) check(claim, options)
    if (options.isTakingOver && all.shards[0]?.claim === undefined)
      throw notStarted(options, 'has no positions')
    // Only without transactions it may have been begun and not ended.
    const isBegun = all.shards.some(({ claim }) => claim?.moved !== undefined)
    if (shards === to && !isBegun) return undefined
    const topic = await nextTopic(options, held)
    await ensurePositionsTopic(target, topic, { shards: to, replication }, held)
    await all.write([...moved(all.shards, topic, options), ...left(all.shards, topic, options)])
    return topic
  })
}

function notStarted({ current }: ReshardOptions, why: string): Fault {
  return new Fault('mirror-not-started', `${current.topic} ${why}: start the mirror first`)
}

function check(found: Claim | undefined, { claim, current }: ReshardOptions): void {
  if (found === undefined) return
  const ours = { ...claim, shards: current.partitions }
  if (found.moved === undefined) checkClaim(found, ours, current.topic)
  else checkLikeness(found, ours, current.topic)
}

/** One that a reshard to another number has left behind is passed over: nothing leads to it. */
async function nextTopic(
  { target, prefix, current, to }: ReshardOptions,
  signal: AbortSignal
): Promise<string> {
  for (let generation = current.generation + 1; ; generation++) {
    const topic = positionsTopicOf(prefix, generation)
    const found = (await target.metadata(signal, [topic])).topics.get(topic)
    if (found?.error !== 0 || found.partitions.length === to) return topic
  }
}

/** What the new topic begins with. */
function moved(
  shards: readonly ShardRecords[],
  topic: string,
  { to, claim, now }: ReshardOptions
): PlacedRecord[] {
  const positions = shards.flatMap((shard) =>
    Object.entries(shard.positions).map(([key, position]) => {
      const at = partitionOfKey(key)
      const partition = shardOf(at.topic, at.partition, to)
      return { topic, partition, record: encodePosition({ ...at, position }, now()) }
    })
  )
  const claims = Array.from({ length: to }, (_, partition) => {
    return { topic, partition, record: encodeClaim(claim, now()) }
  })
  const scope = shards[0]?.scope ?? null
  if (scope === null) return [...positions, ...claims]
  const record = { key: Buffer.from(SCOPE_KEY), value: scope, headers: [], timestamp: now() }
  return [...positions, ...claims, { topic, partition: 0, record }]
}

/** What the old topic ends with. */
function left(
  shards: readonly ShardRecords[],
  movedTo: string,
  { current, claim, now }: ReshardOptions
): PlacedRecord[] {
  const { topic, partitions } = current
  const last = { ...claim, shards: partitions, moved: movedTo }
  const claims = shards.map((_, partition) => ({ topic, partition, record: encodeClaim(last, now()) }))
  return [...claims, { topic, partition: 0, record: tombstone(SCOPE_KEY, now()) }]
}
