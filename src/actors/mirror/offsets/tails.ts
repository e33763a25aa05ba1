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
const READ_COMMITTED = 1
const UNKNOWN: Position = { next: 0, leaderEpoch: -1, sourceId: undefined, targetId: undefined }

/** How far a mirror has come, by what its positions say, whether it runs or not. */
export class Tails {
  readonly #options: TailsOptions
  /** What was read of shards, and where to go on. */
  readonly #shards = new Map<number, { readonly records: ShardRecords; next: number | undefined }>()

  constructor(options: TailsOptions) {
    this.#options = options
  }

  /**
   * By `tp`; partitions without a position are left out. Where a copy ended counts only when the position was the same
   * before and after the question: then nothing was committed in between. Without transactions data comes before its
   * position, so that the end is that of the position only while no worker runs.
   */
  async look(queries: readonly TailQuery[], signal: AbortSignal): Promise<Map<string, Tail>> {
    const tails = new Map<string, Tail>()
    let open = queries
    for (let looks = 0; looks < LOOKS_MAX && open.length > 0; looks++) {
      const before = await this.#positions(open, signal)
      const known = open.filter((one) => before.has(keyOf(one)))
      const [isIdle, ends] = [await this.#isIdle(signal), await this.#ends(known, signal)]
      const after = await this.#positions(known, signal)
      const isSettled = isIdle && (await this.#isIdle(signal))
      for (const one of known) {
        const key = keyOf(one)
        const { next: position, ...ids } = after.get(key) ?? UNKNOWN
        const isSame = isSettled && before.get(key)?.next === position
        const end = isSame ? ends.get(tp(one.targetTopic, one.partition)) : undefined
        tails.set(key, { position, ids, end })
      }
      open = known.filter((one) => tails.get(keyOf(one))?.end === undefined)
      if (!isSettled) break
    }
    return tails
  }

  async #positions(of: readonly TopicPartition[], signal: AbortSignal): Promise<Map<string, Position>> {
    const { target: cluster, positionsTopic: topic, partitions, transactionTimeoutMs } = this.#options
    const byShard = Map.groupBy(of, (one) => shardOf(one.topic, one.partition, partitions))
    const found = new Map<string, Position>()
    for (const [partition, mine] of byShard) {
      const shard = this.#shards.get(partition) ?? { records: emptyRecords(), next: undefined }
      const from = shard.next === undefined ? {} : { from: shard.next }
      // To the end of the log, so that it waits for markers that are still to be written.
      const read = { cluster, topic, partition, signal, transactionTimeoutMs, ...from }
      shard.next = await readShard(read, shard.records)
      this.#shards.set(partition, shard)
      for (const one of mine) {
        const position = shard.records.positions[keyOf(one)]
        if (position !== undefined) found.set(keyOf(one), position)
      }
    }
    return found
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
