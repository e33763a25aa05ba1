import type { Api } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

/** Produce v7 with acks = all: the batches are written as they are, none of their bytes is copied. */

export interface ProduceRequest {
  /** `null` outside of transactions. */
  readonly transactionalId: string | null
  /** How long the leader may wait for its followers, in milliseconds. */
  readonly timeoutMs: number
  /** At most one batch per partition. */
  readonly batches: readonly PartitionBatch[]
}

export interface PartitionBatch extends TopicPartition {
  readonly batch: Buffer
}

export interface PartitionAppended extends TopicPartition {
  readonly error: number
  /** Offset of the batch's first record; -1 when it was refused. */
  readonly baseOffset: number
}

const ACKS_ALL = -1

export function produceApi(request: ProduceRequest): Api<PartitionAppended[]> {
  return {
    key: 0,
    version: 7,
    name: 'Produce',
    encode: () => encode(request),
    decode: (body) => decode(new Reader(body))
  }
}

function encode({ transactionalId, timeoutMs, batches }: ProduceRequest): Buffer[] {
  const writer = new Writer(64 + (transactionalId?.length ?? 0) + 32 * batches.length)
  const parts: Buffer[] = []
  const topics = Map.groupBy(batches, ({ topic }) => topic)
  writer.string(transactionalId).int16(ACKS_ALL).int32(timeoutMs).int32(topics.size)
  for (const [topic, partitions] of topics) {
    writer.string(topic).int32(partitions.length)
    for (const { partition, batch } of partitions) {
      writer.int32(partition).int32(batch.length)
      parts.push(writer.take(), batch)
    }
  }
  return parts
}

function decode(reader: Reader): PartitionAppended[] {
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      const error = reader.int16()
      const baseOffset = reader.int64()
      reader.int64() // log append time
      reader.int64() // log start offset
      return { topic, partition, error, baseOffset }
    })
  })
  return topics.flat()
}
