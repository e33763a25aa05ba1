import type { Stuck } from '../../../machines/mirror.ts'
import type { Cluster, Metadata } from '../../kafka/cluster.ts'

const EARLIEST = -2
const LATEST = -1
/** How long a last stable offset may stand still below the end of the log before people should know, in milliseconds. */
const STUCK_MS = 60_000

interface StandStill {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly since: number
}

/** Where the source's partitions begin and end, as last learned; what has no leader now keeps what was known. */
export class SourceOffsets {
  readonly #source: Cluster
  readonly #now: () => number
  #starts = new Map<string, number>()
  #ends = new Map<string, number>()
  #tops = new Map<string, number>()
  /** Where a transaction holds the last stable offset back, and since when, by `tp`. */
  #stalls = new Map<string, StandStill>()

  constructor(source: Cluster, now: () => number) {
    this.#source = source
    this.#now = now
  }

  async learn(metadata: Metadata, names: readonly string[], signal: AbortSignal): Promise<void> {
    const led = names.flatMap((topic) =>
      (metadata.topics.get(topic)?.partitions ?? [])
        .filter(({ leader }) => leader >= 0)
        .map(({ partition }) => ({ topic, partition }))
    )
    if (led.length === 0) return
    const ask = (timestamp: -1 | -2, isolation: 0 | 1) =>
      this.#source.listOffsets(
        led.map((one) => ({ ...one, timestamp })),
        isolation,
        signal
      )
    const [starts, ends, tops] = await Promise.all([ask(EARLIEST, 0), ask(LATEST, 1), ask(LATEST, 0)])
    this.#starts = new Map([...this.#starts, ...starts])
    this.#ends = new Map([...this.#ends, ...ends])
    this.#tops = new Map([...this.#tops, ...tops])
    this.#noteStalls(ends, tops)
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
    const ageMs = stall === undefined ? 0 : this.#now() - stall.since
    if (stall === undefined || ageMs < STUCK_MS) return undefined
    const seconds = Math.round(ageMs / 1_000)
    const reason = `the transaction at offset ${stall.offset} has been open for ${seconds} s: nothing after it can be copied`
    return { offset: stall.offset, reason, since: stall.since }
  }

  /** Remembers since when the last stable offsets that lie below the end of their logs have not moved. */
  #noteStalls(ends: ReadonlyMap<string, number>, tops: ReadonlyMap<string, number>): void {
    const before = this.#stalls
    this.#stalls = new Map()
    for (const [key, offset] of ends) {
      if (offset >= (tops.get(key) ?? 0)) continue
      const known = before.get(key)
      this.#stalls.set(key, known?.offset === offset ? known : { offset, since: this.#now() })
    }
  }
}
