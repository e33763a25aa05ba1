import type { Position } from '../../../machines/ledger.ts'
import type { Delivery } from '../../../machines/shard-setup.ts'
import { shardOf } from '../../kafka/assignor.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { describeGroup } from '../../kafka/groups.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'
import { emptyRecords, readShard, type ShardRecords } from '../shard-records.ts'
import type { TopicIds } from './anchors.ts'

export interface TailsOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** The mirror's group, on the source. */
  readonly prefix: string
  readonly positionsTopic: string
  /** Partitions of the positions topic. */
  readonly partitions: number
  readonly delivery: Delivery
  readonly transactionTimeoutMs: number
}

export interface TailQuery extends TopicPartition {
  readonly targetTopic: string
}

/** How far a partition was copied, and where its copy ended at that moment, as far as that can be told. */
export interface Tail {
  readonly position: number
  /** The topics that the position is of. */
  readonly ids: TopicIds
  readonly end: number | undefined
}

/** While the mirror copies, positions move on between two looks. */
const LOOKS_MAX = 5
const SHARDS_AT_ONCE = 8
const READ_COMMITTED = 1
const UNKNOWN: Position = { next: 0, leaderEpoch: -1, sourceId: undefined, targetId: undefined }

/** What was read of a shard, and where to go on. */
interface ShardLog {
  readonly records: ShardRecords
  next: number | undefined
}

/** How far a mirror has come, by what its positions say, whether it runs or not. */
export class Tails {
  readonly #options: TailsOptions

  constructor(options: TailsOptions) {
    this.#options = options
  }

  /**
   * By `tp`; partitions without a position are left out. Where a copy ended counts only when the position was the same
   * before and after the question: then nothing was committed in between. Without transactions data comes before its
   * position, so that the end is that of the position only while no worker runs.
   */
  async look(queries: readonly TailQuery[], signal: AbortSignal): Promise<Map<string, Tail>> {
    const { partitions } = this.#options
    const shards = [...Map.groupBy(queries, (one) => shardOf(one.topic, one.partition, partitions))]
    const found: Map<string, Tail>[] = []
    for (let at = 0; at < shards.length; at += SHARDS_AT_ONCE) {
      const looking = shards
        .slice(at, at + SHARDS_AT_ONCE)
        .map(([shard, mine]) => this.#lookAt(shard, mine, signal))
      found.push(...(await Promise.all(looking)))
    }
    return new Map(found.flatMap((tails) => [...tails]))
  }

  /** One shard at a time, so that as little as can be is committed between the looks. */
  async #lookAt(
    shard: number,
    queries: readonly TailQuery[],
    signal: AbortSignal
  ): Promise<Map<string, Tail>> {
    const log: ShardLog = { records: emptyRecords(), next: undefined }
    const tails = new Map<string, Tail>()
    let before = await this.#positions(shard, log, signal)
    let open = queries.filter((one) => before[keyOf(one)] !== undefined)
    for (let looks = 0; looks < LOOKS_MAX && open.length > 0; looks++) {
      const wasIdle = await this.#isIdle(signal)
      const ends = await this.#ends(open, signal)
      const after = await this.#positions(shard, log, signal)
      const isIdle = wasIdle && (await this.#isIdle(signal))
      for (const one of open) {
        const { next: position, ...ids } = after[keyOf(one)] ?? UNKNOWN
        const isSame = isIdle && before[keyOf(one)]?.next === position
        const end = isSame ? ends.get(tp(one.targetTopic, one.partition)) : undefined
        tails.set(keyOf(one), { position, ids, end })
      }
      if (!isIdle) break
      before = after
      open = open.filter((one) => tails.get(keyOf(one))?.end === undefined)
    }
    return tails
  }

  /** What the log says at its end: it waits for markers that are still to be written. */
  async #positions(
    partition: number,
    log: ShardLog,
    signal: AbortSignal
  ): Promise<ShardRecords['positions']> {
    const { target: cluster, positionsTopic: topic, transactionTimeoutMs } = this.#options
    const from = log.next === undefined ? {} : { from: log.next }
    log.next = await readShard(
      { cluster, topic, partition, signal, transactionTimeoutMs, ...from },
      log.records
    )
    return { ...log.records.positions }
  }

  #ends(of: readonly TailQuery[], signal: AbortSignal): Promise<Map<string, number>> {
    const queries = of.map(
      ({ targetTopic: topic, partition }) => ({ topic, partition, timestamp: -1 }) as const
    )
    return this.#options.target.listOffsets(queries, READ_COMMITTED, signal)
  }

  async #isIdle(signal: AbortSignal): Promise<boolean> {
    const { source, prefix, delivery } = this.#options
    if (delivery === 'exactly-once') return true
    const { state } = await describeGroup(source, prefix, signal)
    return state === 'Empty' || state === 'Dead'
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return tp(topic, partition)
}
