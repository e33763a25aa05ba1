import { compact } from './cleaner.ts'
import type { PartitionLog } from './log.ts'
import { retire } from './retention.ts'
import type { Timers } from './timers.ts'
import type { TopicConfig } from './topic-config.ts'
import type { Topics } from './topics.ts'

/** `producer.id.expiration.ms`. */
const PRODUCER_EXPIRATION_MS = 86_400_000

export interface HousekeepingOptions {
  /** `log.retention.check.interval.ms`: how often topics with `cleanup.policy=delete` are looked at. */
  readonly retentionCheckMs: number
  /** `log.cleaner.backoff.ms`: how often compacted topics are looked at. */
  readonly cleanerBackoffMs: number
}

interface HousekeepingServices {
  readonly topics: Topics
  readonly timers: Timers
  readonly now: () => number
  readonly onError: (error: unknown, partition: string) => void
}

/** What goes from the logs by itself: what is too old or too much, and what a later record replaces. */
export class Housekeeping {
  readonly #services: HousekeepingServices
  /** The first offset that has not been compacted. A restart begins anew, which leaves the same records. */
  readonly #cleaned = new WeakMap<PartitionLog, number>()

  constructor(services: HousekeepingServices, options: HousekeepingOptions) {
    this.#services = services
    this.#every(options.retentionCheckMs, () => this.retain())
    this.#every(options.cleanerBackoffMs, () => this.clean())
  }

  /** One round of expiration: producers, and the segments of topics that are not compacted. */
  retain(): void {
    this.#eachPartition((log, config, now) => {
      log.producers.expire(now - PRODUCER_EXPIRATION_MS)
      if (!config.compacted && config.deletes) retire(log, config, now)
    })
  }

  /** One round of compaction, of the topics that are due. */
  clean(): void {
    this.#eachPartition((log, config, now) => {
      if (!config.compacted) return
      this.#cleaned.set(log, compact(log, config, this.#cleaned.get(log) ?? 0, now))
      if (config.deletes) retire(log, config, now)
    })
  }

  #every(ms: number, round: () => void): void {
    this.#services.timers.after(ms, () => {
      round()
      this.#every(ms, round)
    })
  }

  /** What fails in one partition, as on a full disk, is tried again in the next round. */
  #eachPartition(step: (log: PartitionLog, config: TopicConfig, now: number) => void): void {
    const { topics, now, onError } = this.#services
    for (const topic of topics.all()) {
      for (const [partition, log] of topic.partitions.entries()) {
        try {
          step(log, topic.config, now())
        } catch (error) {
          onError(error, `${topic.name}-${partition}`)
        }
      }
    }
  }
}
