import { Fault } from '../../errors.ts'
import type { Codec } from '../../records/batch.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { ensureTopic } from '../kafka/ensure-topic.ts'
import type { IngestTopics } from './batch.ts'

export interface PrepareIngestOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  /** `<name>.ingest.<instance>` */
  readonly prefix: string
  readonly codec: Codec
}

const SEGMENT_BYTES = 16 * 1024 * 1024
/** A slot of many ids is one record. */
const POSITIONS_BYTES_MAX = 8 * 1024 * 1024
/** The longest line that a feed keeps whole fits, headers included. */
const DEAD_BYTES_MAX = 33 * 1024 * 1024
const MESSAGE_BYTES_MAX = 1_048_588

/** Creates the three topics of an ingest where they are missing, and learns their limits. Existing ones stay as they are. */
export async function prepareIngest(
  options: PrepareIngestOptions,
  signal: AbortSignal
): Promise<IngestTopics> {
  const { cluster, topic, partitions, replication, prefix, codec } = options
  const [positionsTopic, deadTopic] = [`${prefix}.positions.internal`, `${prefix}.dead.internal`]
  const own = (configs: Readonly<Record<string, string>>) => ({ partitions: 1, replication, configs })
  await ensureTopic(cluster, topic, { partitions, replication, configs: {} }, signal)
  await ensureTopic(
    cluster,
    positionsTopic,
    own({
      'cleanup.policy': 'compact',
      'segment.bytes': String(SEGMENT_BYTES),
      'max.message.bytes': String(POSITIONS_BYTES_MAX)
    }),
    signal
  )
  await ensureTopic(
    cluster,
    deadTopic,
    own({ 'retention.ms': '-1', 'max.message.bytes': String(DEAD_BYTES_MAX) }),
    signal
  )
  const found = cluster.cached()?.topics.get(topic)?.partitions.length ?? 0
  if (found === 0)
    throw new Fault('topic-without-partitions', `topic ${topic} has no partitions`, { retryable: true })
  return {
    topic,
    partitions: found,
    maxBytes: await limitOf(cluster, topic, signal),
    positionsTopic,
    deadTopic,
    deadMaxBytes: await limitOf(cluster, deadTopic, signal),
    codec
  }
}

async function limitOf(cluster: Cluster, topic: string, signal: AbortSignal): Promise<number> {
  const config = await cluster.topicConfig(topic, ['max.message.bytes'], signal)
  return Number(config['max.message.bytes'] ?? MESSAGE_BYTES_MAX)
}
