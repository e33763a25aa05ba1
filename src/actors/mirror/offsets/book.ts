import type { PositionRecord } from '../../../machines/shard-protocol.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'
import { Anchors, isOfTopics, type TopicIds } from './anchors.ts'
import { OffsetRanges } from './ranges.ts'

/**
 * Where the records of a mirror's partitions went, as its writers tell: after a commit, or after an acknowledgement where
 * nothing is taken back. What the process forgets, or never knew because others copied it, is found between the anchors.
 */
export interface BookOptions {
  /** Whether offsets of a topic can be translated: partition by partition, what is first in one is first in the other. */
  readonly isTracked: (topic: string) => boolean
  /** Ranges of all partitions together; a million by default. */
  readonly rangesMax?: number
}

/** What is known of one partition. */
export interface Page extends TopicPartition {
  readonly targetTopic: string
  readonly isTracked: boolean
  readonly shard: number
  readonly ranges: OffsetRanges
  readonly anchors: Anchors
  readonly ids: TopicIds
  /** Where its copying began here. */
  readonly begunAt: number
  /** What the topic has of its anchors is among them. */
  readonly isRestored: boolean
}

/** The partition's copying has come to `next`; since `ranges.from`, what they tell was copied. */
export interface Landing extends TopicPartition {
  readonly ranges: OffsetRanges
  /** As its position says now. */
  readonly ids?: TopicIds
}

type Draft = { -readonly [Key in keyof Page]: Page[Key] }

/** Newest ranges that are kept of one partition. */
const PARTITION_RANGES_MAX = 4_096
const RANGES_MAX = 1_000_000
/** What a partition has beyond its share at most, because ranges are forgotten many at a time. */
const SLACK = 256

export class OffsetBook {
  readonly #isTracked: (topic: string) => boolean
  readonly #rangesMax: number
  #limit: number
  readonly #pages = new Map<string, Draft>()
  #owned: ReadonlySet<number> = new Set()
  #ranges = 0

  constructor({ isTracked, rangesMax = RANGES_MAX }: BookOptions) {
    this.#isTracked = isTracked
    this.#rangesMax = rangesMax
    this.#limit = rangesMax
  }

  /** How many ranges are in memory. */
  get size(): number {
    return this.#ranges
  }

  /** These shards are ours now: what is told of others may be out of date. */
  own(shards: readonly number[]): void {
    this.#owned = new Set(shards)
  }

  /** Those that are copied here. */
  pages(): Page[] {
    return [...this.#pages.values()].filter(({ shard }) => this.#owned.has(shard))
  }

  page({ topic, partition }: TopicPartition): Page | undefined {
    const page = this.#pages.get(tp(topic, partition))
    return page !== undefined && this.#owned.has(page.shard) ? page : undefined
  }

  /** A writer begins to copy a partition at a source offset. */
  begin(shard: number, place: TopicPartition & { readonly targetTopic: string }, offset: number): void {
    const { topic, partition, targetTopic } = place
    const key = tp(topic, partition)
    const known = this.#pages.get(key)
    if (known?.ranges.next === offset && known.targetTopic === targetTopic && known.shard === shard) return
    this.#ranges -= known?.ranges.size ?? 0
    const anchors = known?.targetTopic === targetTopic ? known.anchors : new Anchors()
    // What was copied from here on is copied once more, or it was another log.
    anchors.dropFrom(offset + 1)
    this.#pages.set(key, {
      topic,
      partition,
      targetTopic,
      shard,
      isTracked: this.#isTracked(topic),
      ranges: new OffsetRanges(offset),
      anchors,
      ids: known?.ids ?? { sourceId: undefined, targetId: undefined },
      begunAt: offset,
      // Whoever copied meanwhile may have added some.
      isRestored: false
    })
  }

  /** What was copied and will not be taken back. */
  landed({ topic, partition, ranges, ids }: Landing): void {
    const page = this.#pages.get(tp(topic, partition))
    if (page === undefined) return
    if (ids !== undefined) this.#identify(page, ids)
    this.#ranges -= page.ranges.size
    if (ranges.from !== page.ranges.next) {
      // Between the two nobody told us what was copied.
      page.anchors.dropFrom(ranges.from)
      page.ranges = new OffsetRanges(ranges.from)
    }
    if (page.isTracked) {
      const { from, targetStart } = ranges
      if (targetStart !== undefined) page.anchors.add({ source: from, target: targetStart })
      for (const { source, target } of ranges.all()) page.anchors.add({ source, target })
      page.ranges.join(ranges)
      page.ranges.trim(PARTITION_RANGES_MAX)
    } else page.ranges.advance(ranges.next)
    this.#ranges += page.ranges.size
    if (this.#ranges > this.#limit) this.#shrink()
  }

  /** What the topic has of a partition's anchors was read. */
  restored({ topic, partition }: TopicPartition): void {
    const page = this.#pages.get(tp(topic, partition))
    if (page !== undefined) page.isRestored = true
  }

  /** What is copied here now goes by these ids. */
  identify({ topic, partition }: TopicPartition, ids: TopicIds): void {
    const page = this.#pages.get(tp(topic, partition))
    if (page !== undefined) this.#identify(page, ids)
  }

  #identify(page: Draft, ids: TopicIds): void {
    if (!isOfTopics(page.ids, ids)) page.anchors.dropFrom(0)
    page.ids = ids
  }

  /** Leaves each partition its share. */
  #shrink(): void {
    for (const [key, { shard }] of this.#pages) if (!this.#owned.has(shard)) this.#pages.delete(key)
    const share = Math.max(0, Math.floor(this.#rangesMax / Math.max(1, this.#pages.size)) - SLACK)
    this.#ranges = 0
    for (const { ranges } of this.#pages.values()) {
      ranges.trim(share)
      this.#ranges += ranges.size
    }
    // With very many partitions what cannot be forgotten may be more than the limit.
    this.#limit = this.#ranges > this.#rangesMax ? 1.1 * this.#ranges : this.#rangesMax
  }
}

export function idsOf({ position: { sourceId, targetId } }: PositionRecord): TopicIds {
  return { sourceId, targetId }
}
