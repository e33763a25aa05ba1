import type { Api } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

export interface EpochQuery extends TopicPartition {
  /** The leader's epoch as metadata told it. */
  readonly currentLeaderEpoch: number
  /** The epoch of the last batch we read. */
  readonly leaderEpoch: number
}

export interface EpochEnd extends TopicPartition {
  readonly error: number
  /** The largest epoch not above the one asked for that the leader has; -1 when it has none. */
  readonly leaderEpoch: number
  /** Where that epoch ends in the leader's log; -1 when it has none. */
  readonly endOffset: number
}

export const OFFSET_FOR_LEADER_EPOCH = 23
export const OFFSET_FOR_LEADER_EPOCH_VERSION = 3
const CONSUMER = -1

/** OffsetForLeaderEpoch v3 (KIP-320): how far a new leader's log agrees with what the old one gave us. */
export function leaderEpochApi(queries: readonly EpochQuery[]): Api<EpochEnd[]> {
  return {
    key: OFFSET_FOR_LEADER_EPOCH,
    version: OFFSET_FOR_LEADER_EPOCH_VERSION,
    name: 'OffsetForLeaderEpoch',
    encode: () => [encode(queries)],
    decode: (body) => decode(new Reader(body))
  }
}

function encode(queries: readonly EpochQuery[]): Buffer {
  const topics = Map.groupBy(queries, ({ topic }) => topic)
  const writer = new Writer(32 + 32 * queries.length).int32(CONSUMER).int32(topics.size)
  for (const [topic, partitions] of topics) {
    writer.string(topic).int32(partitions.length)
    for (const { partition, currentLeaderEpoch, leaderEpoch } of partitions) {
      writer.int32(partition).int32(currentLeaderEpoch).int32(leaderEpoch)
    }
  }
  return writer.take()
}

function decode(reader: Reader): EpochEnd[] {
  reader.int32()
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const error = reader.int16()
      const partition = reader.int32()
      return { topic, partition, error, leaderEpoch: reader.int32(), endOffset: reader.int64() }
    })
  })
  return topics.flat()
}
