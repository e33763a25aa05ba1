import type { Record } from '../../../records/record.ts'
import { appendRecords } from '../../kafka/append.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { ensureTopic } from '../../kafka/ensure-topic.ts'
import { readInternal } from '../../kafka/positions.ts'
import { tp } from '../../kafka/topic-partition.ts'
import { type AnchorChanges, encodeAnchor, isOfTopics, StoredAnchors, type TopicIds } from './anchors.ts'
import type { OffsetBook, Page } from './book.ts'

export interface KeeperOptions {
  readonly source: Cluster
  readonly target: Cluster
  readonly book: OffsetBook
  /** `<prefix>.offsets.internal` */
  readonly offsetsTopic: string
  /** Replication factor of topics on the target. */
  readonly replication: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Of topics with one partition of which only the last record by its key counts. */
export const compacted = { 'cleanup.policy': 'compact' } as const

/** How long an open transaction in a topic of our own may hold up whoever reads it: nobody writes any there. */
const READ_PATIENCE_MS = 0

/** Keeps the book's anchors on the target, where the next worker and other programs find them. */
export class AnchorKeeper {
  readonly #options: KeeperOptions

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Reads what the topic has of partitions that are new to us, and writes what has changed. */
  async keep(signal: AbortSignal): Promise<void> {
    await this.#restore(signal)
    await this.#write(signal)
  }

  /** Forgets anchors below where the source's logs begin. */
  async drop(signal: AbortSignal): Promise<void> {
    const { book, source } = this.#options
    const isLed = ({ topic, partition }: Page) => source.leader(topic, partition) !== undefined
    const pages = book.pages().filter((page) => page.anchors.size > 1 && isLed(page))
    if (pages.length === 0) return
    const queries = pages.map(({ topic, partition }) => ({ topic, partition, timestamp: -2 }) as const)
    const starts = await source.listOffsets(queries, 0, signal)
    for (const { topic, partition, anchors } of pages) {
      const start = starts.get(tp(topic, partition))
      if (start !== undefined) anchors.dropBefore(start)
    }
  }

  async #restore(signal: AbortSignal): Promise<void> {
    const { book, target, offsetsTopic } = this.#options
    const pages = book.pages().filter(({ isRestored, isTracked }) => isTracked && !isRestored)
    if (pages.length === 0) return
    const stored = await storedAnchors(target, offsetsTopic, signal)
    for (const page of pages) {
      const ids = this.#idsOf(page)
      book.identify(page, ids)
      // Behind the place where copying began nothing was copied, or it was another log.
      const isValid = (anchor: TopicIds & { readonly source: number }) =>
        isOfTopics(anchor, ids) && anchor.source <= page.begunAt
      const anchors = stored.get(tp(page.topic, page.partition)) ?? []
      page.anchors.restore(anchors.filter(isValid))
      page.anchors.discard(anchors.filter((anchor) => !isValid(anchor)))
      book.restored(page)
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { book, target, offsetsTopic, replication, now } = this.#options
    const taken: { readonly page: Page; readonly changes: AnchorChanges }[] = []
    for (const page of book.pages()) {
      if (page.isRestored) taken.push({ page, changes: page.anchors.takeChanges() })
    }
    const at = now()
    const records = taken.flatMap(({ page, changes }): Record[] =>
      [...changes].map(([source, copy]) => encodeAnchor(page, source, copy, page.ids, at))
    )
    if (records.length === 0) return
    try {
      await ensureTopic(target, offsetsTopic, { partitions: 1, replication, configs: compacted }, signal)
      await appendRecords(target, { topic: offsetsTopic, partition: 0 }, records, signal)
    } catch (error) {
      for (const { page, changes } of taken) page.anchors.giveBack(changes)
      throw error
    }
  }

  #idsOf({ topic, targetTopic }: Page): TopicIds {
    const { source, target } = this.#options
    return {
      sourceId: source.cached()?.topics.get(topic)?.id,
      targetId: target.cached()?.topics.get(targetTopic)?.id
    }
  }
}

/** All anchors by `tp`; none where there is no such topic. */
export async function storedAnchors(
  cluster: Cluster,
  topic: string,
  signal: AbortSignal
): Promise<ReturnType<StoredAnchors['byPartition']>> {
  const stored = new StoredAnchors()
  const found = (await cluster.metadata(signal, [topic])).topics.get(topic)
  if (found?.error === UNKNOWN_TOPIC) return new Map()
  await readInternal({
    cluster,
    topic,
    partition: 0,
    signal,
    uncommitted: true,
    transactionTimeoutMs: READ_PATIENCE_MS,
    onRecord: (record) => stored.add(record)
  })
  return stored.byPartition()
}

const UNKNOWN_TOPIC = 3
