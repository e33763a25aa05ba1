import { toFault } from '../../errors.ts'
import type { Position, Positions } from '../../machines/ledger.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { readInternal } from '../kafka/positions.ts'
import { type Claim, checkClaim, decodeRecord } from './position-records.ts'

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
  readonly positions: { [key: string]: Position }
  isClaimed: boolean
  nextOffset: number
  /** Topic id and leader epoch: under another leader the log may have lost its end, and is read anew. */
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
    const tail: Tail = isKept ? known : { positions: {}, isClaimed: false, nextOffset: -1, log }
    try {
      tail.nextOffset = await this.#read(shard, tail, signal, onWaiting)
    } catch (error) {
      // The log ends before what was read: it is another log. Reading it from its start decides.
      if (tail.nextOffset < 0 || toFault(error).code !== 'kafka-offset-out-of-range') throw error
      return this.restore(shard, signal, onWaiting)
    }
    this.#tails.set(shard, tail)
    return { positions: { ...tail.positions }, isClaimed: tail.isClaimed }
  }

  async #read(
    shard: number,
    tail: Tail,
    signal: AbortSignal,
    onWaiting: (reason: string) => void
  ): Promise<number> {
    const { target, positionsTopic, transactionTimeoutMs, claim } = this.#options
    const { nextOffset } = await readInternal({
      cluster: target,
      topic: positionsTopic,
      partition: shard,
      signal,
      transactionTimeoutMs,
      onWaiting,
      ...(tail.nextOffset < 0 ? {} : { from: tail.nextOffset }),
      onRecord: ({ key, value }) => {
        const decoded = decodeRecord(key, value)
        if (decoded.type === 'claim') {
          checkClaim(decoded.claim, claim(), positionsTopic)
          tail.isClaimed = true
        } else if (decoded.type === 'position') tail.positions[decoded.key] = decoded.position
        else if (decoded.type === 'tombstone') delete tail.positions[decoded.key]
      }
    })
    return nextOffset
  }

  async #logOf(shard: number, signal: AbortSignal): Promise<string> {
    const { target, positionsTopic } = this.#options
    const topic = (await target.metadata(signal, [positionsTopic])).topics.get(positionsTopic)
    const leaderEpoch = topic?.partitions.find(({ partition }) => partition === shard)?.leaderEpoch
    return `${topic?.id} ${leaderEpoch}`
  }
}
