import { topicMatcher } from '../../config/topics.ts'
import type { MirrorConfig, Mm2Config } from '../../config.ts'
import { Fault } from '../../errors.ts'
import { partitionOf } from '../../records/murmur2.ts'
import { ensureTopic } from '../kafka/ensure-topic.ts'
import { tp } from '../kafka/topic-partition.ts'
import { encodePosition, type Mm2Position } from './offsets/mm2-formats.ts'
import { type Claim, checkClaim, encodeClaim, partitionOfKey } from './position-records.ts'
import type { ShardRecords } from './shard-records.ts'
import { atStandstill, type PlacedRecord, type StandstillOptions } from './standstill.ts'
import { Mm2 } from './takeover-mm2.ts'

export interface HandBackOptions
  extends StandstillOptions,
    Pick<MirrorConfig, 'topics' | 'exclude' | 'replication'> {
  readonly mm2: Mm2Config
  readonly claim: Claim
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface HandedBack {
  /** MirrorMaker 2's position topic. */
  readonly topic: string
  readonly partitions: number
}

/** What Kafka Connect gives its position topic (`offset.storage.partitions`). */
const PARTITIONS = 25

/**
 * Writes our positions into MirrorMaker 2's position topic, so that it goes on where we stopped, and claims by which our
 * workers refuse to start; both in one transaction. Neither side may run.
 *
 * Rejects with `mm2-running` or `group-in-use`, which pass, and with `mirror-not-started` when there are no positions.
 *
 * @returns `undefined` when everything was handed back before: MirrorMaker 2 may have gone on since, and has the last word
 */
export async function handBack(
  options: HandBackOptions,
  signal: AbortSignal
): Promise<HandedBack | undefined> {
  const { target, replication, positionsTopic } = options
  const mm2 = new Mm2(options)
  await mm2.refuseMembers(signal)
  return atStandstill(options, signal, async ({ shards, write }, held) => {
    const mine = shards.flatMap((shard, index) => (isOurs(shard, options) ? [{ shard, index }] : []))
    if (mine.length === 0) return undefined
    if (mine.every(({ shard }) => shard.claim === undefined)) {
      throw new Fault(
        'mirror-not-started',
        `${positionsTopic} has no positions: there is nothing to hand back`
      )
    }
    const configs = { 'cleanup.policy': 'compact' }
    await ensureTopic(target, mm2.topic, { partitions: PARTITIONS, replication, configs }, held)
    const count = await mm2.partitions(held)
    // Nothing of a worker that was killed may still be under way.
    await mm2.fence(held)
    const isOver = isOutdated(options, await mm2.positions(held))
    const positions = mine
      .flatMap(({ shard }) =>
        Object.entries(shard.positions).map(([key, { next }]) => toMm2(key, next, options))
      )
      .filter((position) => !isOver(position))
      .map((position) => placed(position, mm2.topic, count, options))
    const claims = mine.map(({ index }) => claimOf(index, options))
    // Whoever was started meanwhile has read positions that are about to be old.
    await mm2.refuseMembers(held)
    await write([...positions, ...claims])
    return { topic: mm2.topic, partitions: positions.length }
  })
}

/** Throws as `checkClaim`, but for what was handed back already. */
function isOurs({ claim: found }: ShardRecords, { claim, positionsTopic }: HandBackOptions): boolean {
  if (found === undefined) return true
  if (found.handedBack !== undefined) return false
  checkClaim(found, claim, positionsTopic)
  return true
}

function toMm2(key: string, next: number, { mm2 }: HandBackOptions): Mm2Position {
  return { cluster: mm2.source, ...partitionOfKey(key), last: next - 1 }
}

/**
 * What we know of topics that we do not copy came from MirrorMaker 2, which may have gone on with them; where it has not,
 * we copied them once.
 */
function isOutdated({ topics, exclude }: HandBackOptions, theirs: readonly Mm2Position[]) {
  const isCopied = topicMatcher(topics, exclude)
  const last = new Map(theirs.map((one) => [tp(one.topic, one.partition), one.last]))
  return (ours: Mm2Position) =>
    !isCopied(ours.topic) && ours.last <= (last.get(tp(ours.topic, ours.partition)) ?? -1)
}

function placed(position: Mm2Position, topic: string, count: number, { now }: HandBackOptions): PlacedRecord {
  const record = encodePosition(position, now())
  return { topic, partition: partitionOf(record.key ?? Buffer.alloc(0), count), record }
}

function claimOf(
  partition: number,
  { positionsTopic: topic, claim, mm2, now }: HandBackOptions
): PlacedRecord {
  return { topic, partition, record: encodeClaim({ ...claim, handedBack: mm2.source }, now()) }
}
