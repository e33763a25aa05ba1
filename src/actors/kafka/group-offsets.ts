import type { Api } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

/** A member's place in its group's current generation. */
export interface GroupSeat {
  readonly group: string
  readonly memberId: string
  /** `null` of whoever is no static member. */
  readonly instanceId: string | null
  readonly generation: number
}

export interface GroupOffset extends TopicPartition {
  /** The next offset to read. */
  readonly offset: number
}

export interface CommittedOffset extends TopicPartition {
  /** Kafka error code, 0 for none. */
  readonly error: number
}

/** OffsetCommit v7 (KIP-345): refused unless the seat is the current one. */
export function offsetCommitApi(seat: GroupSeat, offsets: readonly GroupOffset[]): Api<CommittedOffset[]> {
  return {
    key: 8,
    version: 7,
    name: 'OffsetCommit',
    encode: () => [encode(seat, offsets)],
    decode: (body) => decode(new Reader(body))
  }
}

const NO_LEADER_EPOCH = -1

function encode(seat: GroupSeat, offsets: readonly GroupOffset[]): Buffer {
  const topics = Map.groupBy(offsets, ({ topic }) => topic)
  const writer = new Writer(128 + 48 * offsets.length).string(seat.group).int32(seat.generation)
  writer.string(seat.memberId).string(seat.instanceId).int32(topics.size)
  for (const [topic, partitions] of topics) {
    writer.string(topic).int32(partitions.length)
    for (const { partition, offset } of partitions) {
      writer.int32(partition).int64(offset).int32(NO_LEADER_EPOCH).string(null)
    }
  }
  return writer.take()
}

function decode(reader: Reader): CommittedOffset[] {
  reader.int32()
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => ({ topic, partition: reader.int32(), error: reader.int16() }))
  })
  return topics.flat()
}
