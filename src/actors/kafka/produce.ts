import type { Api, Link } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

/**
 * Produce with acks = all: the batches are written as they are, none of their bytes is copied. Version 8 (KIP-467, Kafka
 * 2.4) tells which records of a refused batch are to blame; version 7 is for brokers that do not know it.
 */

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
  /** The records for which it was refused, if the broker names them. */
  readonly recordErrors: readonly RecordError[]
}

export interface RecordError {
  /** Of the record in its batch, from 0. */
  readonly index: number
  /** The broker's words. */
  readonly message: string | undefined
}

const PRODUCE = 0
const ACKS_ALL = -1
/** Both have the same request. */
const NAMES_RECORDS = 8
const OLDER = 7

/** @param link the broker that is asked: its version decides */
export function produceApi(request: ProduceRequest, link: Pick<Link, 'version'>): Api<PartitionAppended[]> {
  const version = (link.version(PRODUCE) ?? OLDER) >= NAMES_RECORDS ? NAMES_RECORDS : OLDER
  return {
    key: PRODUCE,
    version,
    name: 'Produce',
    encode: () => encode(request),
    decode: (body) => decode(new Reader(body), version)
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

function decode(reader: Reader, version: number): PartitionAppended[] {
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      const error = reader.int16()
      const baseOffset = reader.int64()
      reader.int64() // log append time
      reader.int64() // log start offset
      const recordErrors = version < NAMES_RECORDS ? [] : reader.array(() => recordError(reader))
      if (version >= NAMES_RECORDS) reader.nullableString() // what the broker says of the whole batch
      return { topic, partition, error, baseOffset, recordErrors }
    })
  })
  return topics.flat()
}

function recordError(reader: Reader): RecordError {
  return { index: reader.int32(), message: reader.nullableString() }
}
