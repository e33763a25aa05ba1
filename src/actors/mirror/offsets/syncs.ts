import { appendRecords } from '../../kafka/append.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { ensureTopic } from '../../kafka/ensure-topic.ts'
import type { OffsetBook } from './book.ts'
import { compacted } from './keeper.ts'
import { encodeHeartbeat, encodeOffsetSync, mm2Topics } from './mm2-formats.ts'
import type { OffsetRanges } from './ranges.ts'

export interface SyncOptions {
  readonly source: Cluster
  readonly target: Cluster
  readonly book: OffsetBook
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Replication factor of topics on the source: its own default. */
const SOURCES_OWN = -1

/** Tells MirrorMaker 2, on the source, where the newest records of each partition went. */
export class OffsetSyncs {
  readonly #options: SyncOptions
  /** What was told last, by the partition's ranges. */
  readonly #told = new WeakMap<OffsetRanges, number>()

  constructor(options: SyncOptions) {
    this.#options = options
  }

  async tell(signal: AbortSignal): Promise<void> {
    const { source, target, book, now } = this.#options
    const at = now()
    const changed = book.pages().flatMap(({ topic, partition, ranges, isTracked }) => {
      const { last } = ranges
      const upstream = last === undefined ? -1 : last.source + last.count - 1
      if (last === undefined || !isTracked || this.#told.get(ranges) === upstream) return []
      const downstream = last.target + last.count - 1
      return [{ ranges, upstream, record: encodeOffsetSync({ topic, partition, upstream, downstream }, at) }]
    })
    if (changed.length === 0) return
    const topic = mm2Topics.offsetSyncs(target.name)
    const made = { partitions: 1, replication: SOURCES_OWN, configs: compacted }
    await ensureTopic(source, topic, made, signal)
    const records = changed.map(({ record }) => record)
    await appendRecords(source, { topic, partition: 0 }, records, signal)
    for (const { ranges, upstream } of changed) this.#told.set(ranges, upstream)
  }
}

/**
 * One heartbeat on the source, as a MirrorMaker 2 that copies the other way writes them there. Its copy on the target is how
 * MirrorMaker 2's client finds out which clusters are upstream.
 */
export async function beat(
  { source, target, now }: Omit<SyncOptions, 'book'>,
  signal: AbortSignal
): Promise<void> {
  const topic = mm2Topics.heartbeats
  const made = { partitions: 1, replication: SOURCES_OWN, configs: compacted }
  await ensureTopic(source, topic, made, signal)
  const record = encodeHeartbeat({ source: target.name, target: source.name, timestamp: now() })
  await appendRecords(source, { topic, partition: 0 }, [record], signal)
}
