import { topicMatcher } from '../../config.ts'
import { toFault } from '../../errors.ts'
import type { PlacedPartition } from '../../machines/sink-chains.ts'
import type { TopologyReport } from '../../machines/sink-events.ts'
import { shardOf } from '../kafka/assignor.ts'
import type { Cluster, Metadata } from '../kafka/cluster.ts'
import { pause } from '../kafka/waiting.ts'
import { fromTask } from '../task.ts'
import { recordedTopicId } from './chain.ts'
import type { Store } from './store.ts'

export interface TopologyOptions {
  readonly cluster: Cluster
  readonly store: Store
  readonly sink: string
  /** Names or regular expressions: see `topicMatcher`. */
  readonly topics: readonly string[]
  readonly shards: number
  /** Never carried: our own dead letters would become dead letters again. */
  readonly except?: string | undefined
  readonly refreshIntervalMs: number
  /** An id for a topic whose brokers give none; used only when nobody has recorded one before. */
  readonly newTopicId: () => string
  readonly onFailure: (error: unknown) => void
}

/** After a look that failed, and while a named topic does not exist yet. */
const IMPATIENT_MS = 1_000

/** Looks at the cluster again and again, and says which partitions there are to carry. */
export function createTopology(options: TopologyOptions) {
  const { cluster, refreshIntervalMs, onFailure } = options
  return fromTask<void, undefined, never, TopologyReport>(async ({ signal, report }) => {
    let partitions: readonly PlacedPartition[] = []
    while (!signal.aborted) {
      let waitMs = Math.min(IMPATIENT_MS, refreshIntervalMs)
      try {
        const seen = await look(options, await cluster.metadata(signal), partitions, signal)
        partitions = seen.partitions
        report(seen)
        if (seen.notes.length === 0) waitMs = refreshIntervalMs
      } catch (error) {
        if (signal.aborted) return
        const fault = toFault(error)
        if (!fault.retryable) throw fault
        onFailure(fault)
      }
      await pause(waitMs, signal).catch(() => undefined)
    }
  })
}

async function look(
  { store, sink, topics, shards, except, newTopicId }: TopologyOptions,
  metadata: Metadata,
  before: readonly PlacedPartition[],
  signal: AbortSignal
): Promise<TopologyReport> {
  const isChosen = topicMatcher(topics)
  const partitions: PlacedPartition[] = []
  for (const [topic, { id, internal, error, partitions: found }] of metadata.topics) {
    // A pattern means the topics of others; ours and Kafka's own are carried only by their names.
    const isOwn = internal || topic.endsWith('.internal') || topic.startsWith('__')
    if (topic === except || !isChosen(topic) || (isOwn && !topics.includes(topic))) continue
    if (error !== 0) {
      // Not known is not gone: only a list without the topic ends its chains.
      if (error !== UNKNOWN_TOPIC) partitions.push(...before.filter((known) => known.topic === topic))
      continue
    }
    const topicId = id ?? (await recordedTopicId(store, { sink, topic, candidate: newTopicId() }, signal))
    const idSource = id === undefined ? 'recorded' : 'kafka'
    for (const { partition } of found) {
      partitions.push({ topic, partition, topicId, idSource, shard: shardOf(topic, partition, shards) })
    }
  }
  const carried = new Set(partitions.map(({ topic }) => topic))
  const notes = topics
    .filter((topic) => PLAIN_NAME.test(topic) && !carried.has(topic))
    .map((topic) => `topic ${topic} does not exist yet`)
  return { type: 'topology.seen', partitions, notes }
}

const UNKNOWN_TOPIC = 3
const PLAIN_NAME = /^[A-Za-z0-9._-]+$/
