import { toFault } from '../../../errors.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'
import type { Anchor, Anchors } from './anchors.ts'
import type { OffsetRanges, Translation } from './ranges.ts'
import { scan } from './scan.ts'

/** What is known of where one partition's records went. */
export interface Chart extends TopicPartition {
  readonly targetTopic: string
  /** The newest, exactly. */
  readonly ranges: OffsetRanges
  readonly anchors: Pick<Anchors, 'below' | 'above'>
  /** The target's end while nothing more is copied than what lies before `ranges.from`; undefined when that is unknown. */
  readonly end: () => Promise<number | undefined>
}

export interface TranslatorOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** Whether every committed record of a topic is copied: otherwise equal numbers of records say nothing. */
  readonly isWhole: (topic: string) => boolean
  /** Stretches that are read in one round at most; any number by default. */
  readonly scansPerRound?: number
}

const EARLIEST = -2
/** Scans that are remembered: groups that are behind come through a stretch slowly. */
const SCANS_MAX = 64

interface Scanned {
  readonly lower: Anchor
  readonly upper: Anchor
  /** Several groups may wait for one. */
  readonly ranges: Promise<OffsetRanges | undefined>
}

/**
 * From offsets of the source to offsets of the target, never higher than the next record that is still to be read: whoever
 * goes on there may read records again, and skips none.
 *
 * What is in memory is exact. Between anchors, both logs are read; where that does not tell, the anchor below counts.
 */
export class Translator {
  readonly #options: TranslatorOptions
  /** By `tp` and beginning, the one used last behind the others. */
  readonly #scans = new Map<string, Scanned>()
  #scansLeft = Number.POSITIVE_INFINITY

  constructor(options: TranslatorOptions) {
    this.#options = options
    this.begin()
  }

  /** A new round begins. What cannot be read in one is approximate until a later one. */
  begin(): void {
    this.#scansLeft = this.#options.scansPerRound ?? Number.POSITIVE_INFINITY
  }

  /** `undefined` when nothing at all is known: the target's log has to be read from its start. */
  async translate(chart: Chart, offset: number, signal: AbortSignal): Promise<Translation | undefined> {
    const { ranges, anchors } = chart
    const known = ranges.translate(offset)
    if (known !== undefined) return known
    const end = ranges.targetStart ?? (await chart.end())
    // Something may have been copied while the end was asked for.
    const since = ranges.translate(offset)
    if (since !== undefined) return since
    if (end !== undefined && offset >= ranges.from) {
      return { target: end, isExact: offset <= ranges.next }
    }
    const lower = anchors.below(offset)
    const last = end === undefined ? undefined : { source: ranges.from, target: end }
    const upper = nearest(anchors.above(offset), last)
    if (lower === undefined) return upper && this.#fromStart(chart, upper, offset, signal)
    if (lower.source === offset) return { target: lower.target, isExact: true }
    const found = upper && (await this.#between(chart, lower, upper, offset, signal))
    return found ?? { target: lower.target, isExact: false }
  }

  /**
   * Before the first anchor. A target that has everything since its first offset, and as many records as the source, has
   * the same ones: whatever the source has lost since, or was there twice, would make it more.
   */
  async #fromStart(
    chart: Chart,
    upper: Anchor,
    offset: number,
    signal: AbortSignal
  ): Promise<Translation | undefined> {
    const { topic, partition, targetTopic } = chart
    const { source, target, isWhole } = this.#options
    if (!isWhole(topic)) return undefined
    const start = async (cluster: Cluster, name: string) =>
      (await cluster.listOffsets([{ topic: name, partition, timestamp: EARLIEST }], 0, signal)).get(
        tp(name, partition)
      )
    const [here, there] = await Promise.all([start(source, topic), start(target, targetTopic)])
    if (here === undefined || there !== 0 || offset < here) return undefined
    return this.#between(chart, { source: here, target: there }, upper, offset, signal)
  }

  /** Exactly, or `undefined`. */
  async #between(
    chart: Chart,
    lower: Anchor,
    upper: Anchor,
    offset: number,
    signal: AbortSignal
  ): Promise<Translation | undefined> {
    const ranges = await this.#scanned(chart, lower, upper, signal)
    // Where there is no record at all, the next one is the first behind.
    return ranges && (ranges.translate(offset) ?? { target: upper.target, isExact: true })
  }

  async #scanned(
    chart: Chart,
    lower: Anchor,
    upper: Anchor,
    signal: AbortSignal
  ): Promise<OffsetRanges | undefined> {
    const { topic, partition, targetTopic } = chart
    const { source, target, isWhole } = this.#options
    if (!isWhole(topic) || upper.target < lower.target) return undefined
    const key = `${tp(topic, partition)}@${lower.source}`
    const before = this.#scans.get(key)
    const isSame = before !== undefined && isEqual(before.lower, lower) && isEqual(before.upper, upper)
    if (!isSame && this.#scansLeft-- <= 0) return undefined
    const place = { topic, partition }
    const ranges = isSame ? before.ranges : scan({ source, target, place, targetTopic, lower, upper }, signal)
    this.#remember(key, { lower, upper, ranges })
    try {
      return await ranges
    } catch (error) {
      if (this.#scans.get(key)?.ranges === ranges) this.#scans.delete(key)
      signal.throwIfAborted()
      // What cannot be read now is no failure: there is the lower end of the stretch.
      if (toFault(error).code === 'unknown') throw error
      return undefined
    }
  }

  #remember(key: string, scanned: Scanned): void {
    this.#scans.delete(key)
    this.#scans.set(key, scanned)
    const [oldest] = this.#scans.keys()
    if (this.#scans.size > SCANS_MAX && oldest !== undefined) this.#scans.delete(oldest)
  }
}

function nearest(one: Anchor | undefined, other: Anchor | undefined): Anchor | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one.source <= other.source ? one : other
}

function isEqual(one: Anchor, other: Anchor): boolean {
  return one.source === other.source && one.target === other.target
}
