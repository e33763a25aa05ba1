import type { Logger } from 'pino'
import { targetNamer } from '../../config/naming.ts'
import { topicMatcher } from '../../config/topics.ts'
import type { MirrorConfig, Mm2Config } from '../../config.ts'
import { Fault } from '../../errors.ts'
import type { PositionRecord } from '../../machines/shard-protocol.ts'
import { shardOf } from '../kafka/assignor.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { tp } from '../kafka/topic-partition.ts'
import { readFirst } from './current-topic.ts'
import type { Mm2Position } from './offsets/mm2-formats.ts'
import {
  type Claim,
  checkClaim,
  checkLikeness,
  encodeClaim,
  encodePosition,
  tombstone
} from './position-records.ts'
import type { ShardRecords } from './shard-records.ts'
import { atStandstill, type PlacedRecord, type StandstillOptions } from './standstill.ts'
import { Mm2 } from './takeover-mm2.ts'

export interface TakeOverOptions
  extends StandstillOptions,
    Pick<MirrorConfig, 'topics' | 'exclude' | 'naming'> {
  readonly mm2: Mm2Config
  readonly claim: Claim
  /** Takes a mirror over, too, that was handed back to MirrorMaker 2: what it has copied since is not copied again. */
  readonly again: boolean
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Goes on where MirrorMaker 2 stopped: its positions become those of a mirror that has none of its own. It must not run,
 * and the transactional ids of its tasks are taken away before its positions are read, so that nothing that it copied is
 * missing from them. All positions and the claims of all shards are written in one transaction: it happens once.
 *
 * Rejects with `mm2-running` or `group-in-use`, which pass, with `mm2-not-found`, and with `mm2-naming` when it called its
 * copies otherwise.
 *
 * @returns how many partitions were taken over, `undefined` when the mirror already has positions of its own
 */
export async function takeOver(options: TakeOverOptions, signal: AbortSignal): Promise<number | undefined> {
  const { target, positionsTopic, again, claim, log } = options
  const { claim: found } = await readFirst(target, positionsTopic, signal)
  if (found !== undefined && !(again && found.handedBack !== undefined)) {
    checkClaim(found, claim, positionsTopic)
    return undefined
  }
  const mm2 = new Mm2(options)
  await mm2.refuseMembers(signal)
  return atStandstill(options, signal, async ({ shards, write }, held) => {
    const isOpen = shards.map((shard) => isToBeTaken(shard, options))
    const isExactlyOnce = await mm2.fence(held)
    const positions = (await mm2.positions(held)).map(fromMm2)
    await checkNames(options, positions, held)
    // Whoever was started meanwhile may have copied what was just read.
    await mm2.refuseMembers(held)
    const byShard = Map.groupBy(positions, ({ topic, partition }) => shardOf(topic, partition, shards.length))
    await write(
      shards.flatMap((shard, index) =>
        isOpen[index] === true ? recordsOf(index, shard, byShard.get(index) ?? [], options) : []
      )
    )
    log.info({ partitions: positions.length, topic: mm2.topic }, 'taken over from MirrorMaker 2')
    if (isExactlyOnce === false) {
      log.warn(
        { topic: mm2.topic },
        'MirrorMaker 2 copied without exactly-once: what it copied after it last kept its positions is repeated'
      )
    }
    return positions.length
  })
}

/** Throws as `checkClaim` when somebody else has a say about the shard. */
function isToBeTaken({ claim: found }: ShardRecords, options: TakeOverOptions): boolean {
  const { claim, positionsTopic, again } = options
  if (found === undefined) return true
  if (again && found.handedBack !== undefined) {
    checkLikeness(found, claim, positionsTopic)
    return true
  }
  checkClaim(found, claim, positionsTopic)
  return false
}

function fromMm2({ topic, partition, last }: Mm2Position): PositionRecord {
  const unknown = { leaderEpoch: -1, sourceId: undefined, targetId: undefined }
  return { topic, partition, position: { next: last + 1, ...unknown } }
}

/** What the shard had before is worth nothing: MirrorMaker 2 has the last word. */
function recordsOf(
  partition: number,
  before: ShardRecords,
  positions: readonly PositionRecord[],
  { positionsTopic: topic, claim, now }: TakeOverOptions
): PlacedRecord[] {
  const taken = new Set(positions.map((one) => tp(one.topic, one.partition)))
  const gone = Object.keys(before.positions).filter((key) => !taken.has(key))
  const records = [
    ...gone.map((key) => tombstone(key, now())),
    ...positions.map((position) => encodePosition(position, now())),
    encodeClaim(claim, now())
  ]
  return records.map((record) => ({ topic, partition, record }))
}

/** Of what it has copied, the copies must be there under the names that we give them: we would go on into others. */
async function checkNames(
  { source, target, topics, exclude, naming, mm2 }: TakeOverOptions,
  positions: readonly PositionRecord[],
  signal: AbortSignal
): Promise<void> {
  const isCopied = topicMatcher(topics, exclude)
  const nameOf = targetNamer(naming)
  const copied = [...new Set(positions.map(({ topic }) => topic))].filter(isCopied)
  const there = await existing(source, copied, signal)
  const copies = await existing(target, there.map(nameOf), signal)
  const without = there.find((topic) => !copies.includes(nameOf(topic)))
  if (without === undefined) return
  const [name, replica] = [nameOf(without), `${mm2.source}.${without}`]
  const hint = `DefaultReplicationPolicy calls it ${replica}, IdentityReplicationPolicy ${without}; a topic whose copy was deleted has to be excluded`
  throw new Fault(
    'mm2-naming',
    `MirrorMaker 2 has copied ${without}, but ${target.name} has no topic ${name}: ${hint}`
  )
}

async function existing(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal
): Promise<readonly string[]> {
  if (names.length === 0) return []
  const { topics } = await cluster.metadata(signal, names)
  return names.filter((name) => topics.get(name)?.error === 0)
}
