import type { Expectation, PositionRecord } from '../../../machines/shard-protocol.ts'
import type { Delivery } from '../../../machines/shard-setup.ts'
import type { ProduceResult } from '../../kafka/producer.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'
import { idsOf, type OffsetBook } from './book.ts'
import { OffsetRanges } from './ranges.ts'

export interface LandingsOptions {
  readonly book: OffsetBook
  readonly shard: number
  readonly delivery: Delivery
}

/** A batch that was sent, to wherever it was sent. */
export interface Sent extends TopicPartition {
  /** Under the source's name. */
  readonly source: TopicPartition
  /** Where its records come from, in their order: runs of offsets of the source. */
  readonly origins: readonly { readonly offset: number; readonly count: number }[]
}

/** More ranges of one partition than the book keeps need not be remembered until the commit. */
const RANGES_MAX = 4_096

/**
 * What one writer puts on the target, until it is there for good: transactions are told with their commit, and what they
 * would take back never is. Where nothing is taken back, the acknowledgement tells.
 */
export class Landings {
  readonly #options: LandingsOptions
  readonly #partitions = new Map<string, Open>()

  constructor(options: LandingsOptions) {
    this.#options = options
  }

  expect(partitions: readonly Expectation[]): void {
    const { book, shard } = this.#options
    for (const { topic, partition, targetTopic, offset, hashedOver } of partitions) {
      // Its records go to several partitions: there is no offset beside an offset.
      if (hashedOver !== undefined) {
        this.#partitions.delete(tp(topic, partition))
        continue
      }
      book.begin(shard, { topic, partition, targetTopic }, offset)
      const open = { topic, partition, targetTopic, ranges: new OffsetRanges(offset) }
      this.#partitions.set(tp(topic, partition), open)
    }
  }

  /** What the target answered to batches; of partitions that failed in part nothing counts. */
  acknowledged(sent: readonly Sent[], results: readonly ProduceResult[]): void {
    const isLasting = this.#options.delivery === 'at-least-once'
    const failed = new Set(sent.filter((_, index) => results[index]?.fault !== undefined).map(sourceOf))
    const touched = new Set<Open>()
    for (const [index, one] of sent.entries()) {
      const open = this.#partitions.get(sourceOf(one))
      const { baseOffset = -1 } = results[index] ?? {}
      if (open === undefined || failed.has(sourceOf(one)) || !isCopy(one, open)) continue
      // A batch of which the broker does not tell where it lies: what is known begins behind it.
      if (baseOffset < 0) open.ranges = new OffsetRanges(endOf(one))
      else put(open.ranges, one, baseOffset)
      open.ranges.trim(RANGES_MAX)
      touched.add(open)
    }
    if (isLasting) for (const open of touched) this.#tell(open)
  }

  committed(positions: readonly PositionRecord[]): void {
    for (const record of positions) {
      const open = this.#partitions.get(keyOf(record))
      if (open === undefined) continue
      open.ranges.advance(record.position.next)
      this.#tell(open, record)
    }
  }

  #tell(open: Open, record?: PositionRecord): void {
    const { topic, partition, ranges } = open
    this.#options.book.landed({ topic, partition, ranges, ...(record && { ids: idsOf(record) }) })
    open.ranges = new OffsetRanges(ranges.next)
  }
}

interface Open extends TopicPartition {
  readonly targetTopic: string
  /** Since what was told last. */
  ranges: OffsetRanges
}

/** A dead letter, for one, is where no reader of the copy finds it. */
function isCopy({ topic, partition }: Sent, open: Open): boolean {
  return topic === open.targetTopic && partition === open.partition
}

function put(ranges: OffsetRanges, { origins }: Sent, baseOffset: number): void {
  let target = baseOffset
  for (const { offset, count } of origins) {
    ranges.append(offset, target, count)
    target += count
  }
}

/** The source offset behind the last record. */
function endOf({ origins }: Sent): number {
  const { offset, count } = origins.at(-1) ?? { offset: 0, count: 0 }
  return offset + count
}

function sourceOf({ source }: Sent): string {
  return keyOf(source)
}

function keyOf({ topic, partition }: TopicPartition): string {
  return tp(topic, partition)
}
