import type { Cluster } from '../../kafka/cluster.ts'
import { tp } from '../../kafka/topic-partition.ts'
import type { OffsetBook, Page } from './book.ts'
import type { OffsetRanges } from './ranges.ts'

export interface EndOptions {
  readonly target: Cluster
  readonly book: OffsetBook
  /** One heartbeat acknowledged in the current generation: nobody else has copied our partitions. */
  readonly confirm: (signal: AbortSignal) => Promise<void>
}

/** Where the target ended when the copying of partitions began, of those that have copied nothing since. */
export class TargetEnds {
  readonly #options: EndOptions
  readonly #known = new WeakMap<OffsetRanges, number>()

  constructor(options: EndOptions) {
    this.#options = options
  }

  /**
   * `undefined` when that cannot be told any more. What comes first later lies at this end or behind it. A worker that was
   * thought dead could be told an end to which another one has added meanwhile: it must prove that it still has its place.
   */
  async of(page: Page, signal: AbortSignal): Promise<number | undefined> {
    const { target, book, confirm } = this.#options
    const { targetTopic: topic, partition, ranges } = page
    const known = this.#known.get(ranges)
    if (known !== undefined) return known
    const found = await target.listOffsets([{ topic, partition, timestamp: -1 }], READ_COMMITTED, signal)
    await confirm(signal)
    const isOurs = book.page(page)?.ranges === ranges
    const end = isOurs && ranges.targetStart === undefined ? found.get(tp(topic, partition)) : undefined
    if (end !== undefined) this.#known.set(ranges, end)
    return end ?? ranges.targetStart
  }
}

const READ_COMMITTED = 1
