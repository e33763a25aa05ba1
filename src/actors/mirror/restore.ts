import { toFault } from '../../errors.ts'
import type { Positions } from '../../machines/ledger.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { type Claim, checkClaim } from './position-records.ts'
import { emptyRecords, readShard, type ShardRecords } from './shard-records.ts'

export interface RestoreOptions {
  readonly target: Cluster
  readonly positionsTopic: string
  readonly transactionTimeoutMs: number
  readonly claim: () => Claim
}

export interface RestoredShard {
  readonly positions: Positions
  /** Some owner's claim stands in the partition, and it fits ours. */
  readonly isClaimed: boolean
}

/** What was read of one partition, and how far. Nothing below is ever written again. */
interface Tail {
  readonly records: ShardRecords
  nextOffset: number
  /** Topic, its id and leader epoch: under another leader the log may have lost its end, and is read anew. */
  readonly log: string
}

/**
 * Reads shards' positions to the high watermark. What was read once is kept, so that a recovery reads only what has been
 * written since, by whomever.
 */
export class Restorer {
  readonly #options: RestoreOptions
  readonly #tails = new Map<number, Tail>()

  constructor(options: RestoreOptions) {
    this.#options = options
  }

  /** Call it after the fence: then no earlier writer can add anything behind what is read. */
  async restore(
    shard: number,
    signal: AbortSignal,
    onWaiting: (reason: string) => void
  ): Promise<RestoredShard> {
    const log = await this.#logOf(shard, signal)
    const known = this.#tails.get(shard)
    this.#tails.delete(shard)
    const isKept = known !== undefined && known.log === log
    const tail: Tail = isKept ? known : { records: emptyRecords(), nextOffset: -1, log }
    try {
      tail.nextOffset = await this.#read(shard, tail, signal, onWaiting)
    } catch (error) {
      // The log ends before what was read: it is another log. Reading it from its start decides.
      if (tail.nextOffset < 0 || toFault(error).code !== 'kafka-offset-out-of-range') throw error
      return this.restore(shard, signal, onWaiting)
    }
    const { positions, claim: found } = tail.records
    if (found !== undefined) checkClaim(found, this.#options.claim(), this.#options.positionsTopic)
    this.#tails.set(shard, tail)
    return { positions: { ...positions }, isClaimed: found !== undefined }
  }

  #read(
    shard: number,
    tail: Tail,
    signal: AbortSignal,
    onWaiting: (reason: string) => void
  ): Promise<number> {
    const { target: cluster, positionsTopic: topic, transactionTimeoutMs } = this.#options
    const from = tail.nextOffset < 0 ? {} : { from: tail.nextOffset }
    const place = { cluster, topic, partition: shard }
    return readShard({ ...place, signal, transactionTimeoutMs, onWaiting, ...from }, tail.records)
  }

  async #logOf(shard: number, signal: AbortSignal): Promise<string> {
    const { target, positionsTopic } = this.#options
    const topic = (await target.metadata(signal, [positionsTopic])).topics.get(positionsTopic)
    const leaderEpoch = topic?.partitions.find(({ partition }) => partition === shard)?.leaderEpoch
    return `${positionsTopic} ${topic?.id} ${leaderEpoch}`
  }
}
