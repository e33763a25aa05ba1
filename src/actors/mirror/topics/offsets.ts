import type { Stuck } from '../../../machines/mirror-protocol.ts'
import type { Cluster, Metadata } from '../../kafka/cluster.ts'
import { type HeldOffset, tellHolder } from '../../kafka/open-transactions.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'

const EARLIEST = -2
const LATEST = -1
/** Stuck partitions whose holders are asked for at one look: there may be one for each partition of a cluster. */
const HOLDERS_ASKED = 16

export interface SourceOffsetsOptions {
  readonly source: Cluster
  /** How long a last stable offset may stand still below the end of the log before people should know, in milliseconds. */
  readonly stuckAfterMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A last stable offset below the end of its log. */
interface StandStill extends HeldOffset {
  /** When it was first seen, in milliseconds since 1970. */
  readonly since: number
  /** Who holds it there, as last told. */
  holder: string
  /** The look that asked for it, 0 before the first. */
  askedAt: number
}

/** Where the source's partitions begin and end, as last learned; what has no leader now keeps what was known. */
export class SourceOffsets {
  readonly #options: SourceOffsetsOptions
  #starts = new Map<string, number>()
  #ends = new Map<string, number>()
  #tops = new Map<string, number>()
  /** By `tp`. */
  #stalls = new Map<string, StandStill>()
  #look = 0

  constructor(options: SourceOffsetsOptions) {
    this.#options = options
  }

  async learn(metadata: Metadata, names: readonly string[], signal: AbortSignal): Promise<void> {
    const led = names.flatMap((topic) =>
      (metadata.topics.get(topic)?.partitions ?? [])
        .filter(({ leader }) => leader >= 0)
        .map(({ partition }) => ({ topic, partition }))
    )
    if (led.length === 0) return
    const ask = (timestamp: -1 | -2, isolation: 0 | 1) =>
      this.#options.source.listOffsets(
        led.map((one) => ({ ...one, timestamp })),
        isolation,
        signal
      )
    const [starts, ends, tops] = await Promise.all([ask(EARLIEST, 0), ask(LATEST, 1), ask(LATEST, 0)])
    this.#starts = new Map([...this.#starts, ...starts])
    this.#ends = new Map([...this.#ends, ...ends])
    this.#tops = new Map([...this.#tops, ...tops])
    this.#noteStalls(led, ends, tops)
    await this.#nameHolders(signal)
  }

  /** The first offset, undefined before it was ever told. */
  startOf(key: string): number | undefined {
    return this.#starts.get(key)
  }

  /** The last stable offset, -1 before it was ever told. */
  endOf(key: string): number {
    return this.#ends.get(key) ?? -1
  }

  /** The high watermark, -1 before it was ever told. */
  topOf(key: string): number {
    return this.#tops.get(key) ?? -1
  }

  /** What has kept the last stable offset from moving for long. */
  stuckAt(key: string): Stuck | undefined {
    const stall = this.#stalls.get(key)
    if (stall === undefined || !this.#isStuck(stall)) return undefined
    const { offset, since, holder } = stall
    const seconds = Math.round((this.#options.now() - since) / 1_000)
    return {
      offset,
      since,
      reason: `nothing from offset ${offset} on can be copied since ${seconds} s: ${holder}`
    }
  }

  #isStuck({ since }: StandStill): boolean {
    return this.#options.now() - since >= this.#options.stuckAfterMs
  }

  /** Remembers since when the last stable offsets that lie below the end of their logs have not moved. */
  #noteStalls(
    led: readonly TopicPartition[],
    ends: ReadonlyMap<string, number>,
    tops: ReadonlyMap<string, number>
  ): void {
    const before = this.#stalls
    this.#stalls = new Map()
    for (const place of led) {
      const key = tp(place.topic, place.partition)
      const offset = ends.get(key) ?? 0
      if (offset >= (tops.get(key) ?? 0)) continue
      const known = before.get(key)
      const anew = {
        ...place,
        offset,
        since: this.#options.now(),
        holder: 'a transaction is open there',
        askedAt: 0
      }
      this.#stalls.set(key, known?.offset === offset ? known : anew)
    }
  }

  /** Asks whose transactions hold partitions up, those first that were asked for longest ago. */
  async #nameHolders(signal: AbortSignal): Promise<void> {
    this.#look++
    const stuck = [...this.#stalls.values()].filter((stall) => this.#isStuck(stall))
    const due = stuck.sort((a, b) => a.askedAt - b.askedAt).slice(0, HOLDERS_ASKED)
    const asking = due.map(async (stall) => {
      stall.askedAt = this.#look
      stall.holder = await tellHolder(this.#options.source, stall, signal)
    })
    await Promise.all(asking)
  }
}
