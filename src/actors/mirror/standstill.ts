import type { Fault } from '../../errors.ts'
import type { Delivery } from '../../machines/shard-setup.ts'
import { encodeBatch, type Record } from '../../records/record.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { type GroupLock, lockGroup } from '../kafka/group-lock.ts'
import { IdempotentSession } from '../kafka/idempotent.ts'
import { type ProducerSession, TransactionSession } from '../kafka/producer.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'
import { fenceIds } from '../kafka/transactional-ids.ts'
import { retrying } from '../kafka/waiting.ts'
import { emptyRecords, readShard, type ShardRecords } from './shard-records.ts'

export interface StandstillOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** The group on the source, and the transactional ids without their numbers. */
  readonly prefix: string
  readonly positionsTopic: string
  /** Its partitions. */
  readonly shards: number
  /** Transactional ids to fence beyond those of the shards: an earlier or a later life may have more of them. */
  readonly ids?: number
  readonly delivery: Delivery
  readonly sessionTimeoutMs: number
  readonly transactionTimeoutMs: number
}

/** A record and where it goes. */
export interface PlacedRecord extends TopicPartition {
  readonly record: Record
}

/** A mirror that nobody runs, nor can start while this lasts. */
export interface Standstill {
  /** By shard. */
  readonly shards: readonly ShardRecords[]
  /**
   * Writes all records or none, and resolves when everybody sees them. Where the mirror has no transactions, some may be
   * there after a rejection: those of the position topic come after all others, and those of its first partition last.
   */
  write(records: readonly PlacedRecord[]): Promise<void>
}

/** Records per batch: with the longest topic names still well below any limit on a batch. */
const RECORDS_PER_BATCH = 1_000
/** Partitions that are read side by side, each over a connection of its own. */
const AT_ONCE = 8

/**
 * Stops the world of one mirror for as long as `use` runs. Its group is locked, so that no worker gets a shard; the ids of
 * its shards are fenced, so that nothing of an earlier worker is still under way; then the positions are read.
 *
 * What `use` writes is one transaction, and before it is committed a heartbeat proves the lock: a worker that is let in
 * after that reads the positions behind the open transaction and waits for it. Rejects with `group-in-use` while the
 * mirror has workers.
 */
export async function atStandstill<T>(
  options: StandstillOptions,
  signal: AbortSignal,
  use: (standstill: Standstill, signal: AbortSignal) => Promise<T>
): Promise<T> {
  const { source, prefix, sessionTimeoutMs } = options
  const lock = await lockGroup({ cluster: source, group: prefix, sessionTimeoutMs }, signal)
  const session = newSession(options)
  try {
    const held = AbortSignal.any([signal, lock.lost])
    await fenceAll(options, session, held)
    const shards = await readAll(options, held)
    const write = (records: readonly PlacedRecord[]) => writeAll(options, session, lock, records, held)
    return await use({ shards, write }, held)
  } finally {
    session.destroy()
    await lock.release()
  }
}

const idOf = (prefix: string, shard: number) => `${prefix}-${shard}`

function newSession({ target, prefix, delivery, transactionTimeoutMs }: StandstillOptions): ProducerSession {
  if (delivery === 'at-least-once') return new IdempotentSession(target)
  const transactionalId = idOf(prefix, 0)
  return new TransactionSession({ cluster: target, transactionalId, timeoutMs: transactionTimeoutMs })
}

async function fenceAll(
  { target, prefix, shards, ids = 0, delivery, transactionTimeoutMs }: StandstillOptions,
  session: ProducerSession,
  signal: AbortSignal
): Promise<void> {
  await session.fence(signal)
  if (delivery === 'at-least-once') return
  const others = Array.from({ length: Math.max(shards, ids) - 1 }, (_, index) => idOf(prefix, index + 1))
  await fenceIds(target, others, transactionTimeoutMs, signal)
}

async function readAll(options: StandstillOptions, signal: AbortSignal): Promise<ShardRecords[]> {
  const { target: cluster, positionsTopic: topic, transactionTimeoutMs } = options
  const all = Array.from({ length: options.shards }, emptyRecords)
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const some = all.slice(at, at + AT_ONCE).map((records, index) => {
      return readShard({ cluster, topic, partition: at + index, signal, transactionTimeoutMs }, records)
    })
    await Promise.all(some)
  }
  return all
}

/** Tries again, in a new transaction, what passes by itself: the leaders of a topic that is new may not know it yet. */
async function writeAll(
  options: StandstillOptions,
  session: ProducerSession,
  lock: GroupLock,
  records: readonly PlacedRecord[],
  signal: AbortSignal
): Promise<void> {
  const attempt = async () => {
    await session.fence(signal)
    await writeOnce(options, session, lock, records, signal)
    // Answered when the markers are written: from then on whoever looks sees what was committed.
    await session.fence(signal)
  }
  await retrying(attempt, signal, options.target.requestTimeoutMs)
}

async function writeOnce(
  { positionsTopic }: StandstillOptions,
  session: ProducerSession,
  lock: GroupLock,
  records: readonly PlacedRecord[],
  signal: AbortSignal
): Promise<void> {
  const places = new Map(
    records.map(({ topic, partition }) => [tp(topic, partition), { topic, partition }])
  ).values()
  throwFirst(await session.add([...places], signal))
  for (const some of inOrder(records, positionsTopic)) {
    throwFirst(await session.produce(inBatches(some), signal))
  }
  await lock.confirm(signal)
  await session.commit(signal)
}

/**
 * Where there are no transactions, claims must not be there before what they tell of; the first partition's tells that
 * everything is.
 */
function inOrder(records: readonly PlacedRecord[], positionsTopic: string): PlacedRecord[][] {
  const rankOf = ({ topic, partition }: TopicPartition) =>
    topic !== positionsTopic ? 0 : partition === 0 ? 2 : 1
  const byRank = Map.groupBy(records, rankOf)
  return ([0, 1, 2] as const).map((rank) => byRank.get(rank) ?? [])
}

/** What was not sent, because something before it had failed, is to blame for nothing. */
function throwFirst(results: readonly { readonly fault: Fault | undefined }[]): void {
  const faults = results.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))
  const fault = faults.find(({ code }) => code !== 'not-sent') ?? faults[0]
  if (fault !== undefined) throw fault
}

function inBatches(records: readonly PlacedRecord[]) {
  const byPlace = Map.groupBy(records, ({ topic, partition }) => tp(topic, partition))
  return [...byPlace.values()].flatMap((some) => {
    const batches = []
    for (let at = 0; at < some.length; at += RECORDS_PER_BATCH) {
      const [first, ...rest] = some.slice(at, at + RECORDS_PER_BATCH)
      if (first === undefined) continue
      const { topic, partition } = first
      const batch = encodeBatch(
        [first, ...rest].map(({ record }) => record),
        { codec: 0 }
      )
      batches.push({ topic, partition, batch })
    }
    return batches
  })
}
