import type { AbortedTransaction } from '../../records/aborted.ts'
import type { Api } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

/** Fetch v11 (KIP-227 sessions, KIP-320 leader epochs), as bytes: kafkajs would decode every record. */

export interface FetchRequest {
  /** How long the broker may wait for `minBytes`, in milliseconds. */
  readonly maxWaitMs: number
  readonly minBytes: number
  /** Bytes of the whole answer; one batch of the first partition with data may go beyond. */
  readonly maxBytes: number
  /** 1: only up to the last stable offset, with the list of aborted transactions. */
  readonly isolation: 0 | 1
  /** 0 when there is no session yet. */
  readonly sessionId: number
  /** 0 asks for a new session, -1 for none, anything else goes on with session `sessionId`. */
  readonly sessionEpoch: number
  readonly partitions: readonly PartitionRequest[]
  /** Partitions that leave the session. */
  readonly forgotten: readonly TopicPartition[]
}

export interface PartitionRequest extends TopicPartition {
  readonly fetchOffset: number
  /** The leader's epoch as metadata told it: the broker refuses to answer in another one (74, 75). -1 skips the check. */
  readonly leaderEpoch: number
  readonly maxBytes: number
}

export interface FetchAnswer {
  readonly error: number
  /** 0 where the broker grants no session. */
  readonly sessionId: number
  readonly partitions: readonly PartitionAnswer[]
}

export interface PartitionAnswer extends TopicPartition {
  readonly error: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A view into the answer. The last batch may be cut. */
  readonly recordSet: Buffer
}

const CONSUMER = -1
const NO_RACK = ''

export function fetchApi(request: FetchRequest): Api<FetchAnswer> {
  return {
    key: 1,
    version: 11,
    name: 'Fetch',
    encode: () => [encode(request)],
    decode: (body) => decode(new Reader(body))
  }
}

function encode(request: FetchRequest): Buffer {
  const writer = new Writer(64 + 40 * request.partitions.length)
    .int32(CONSUMER)
    .int32(request.maxWaitMs)
    .int32(request.minBytes)
    .int32(request.maxBytes)
    .int8(request.isolation)
    .int32(request.sessionId)
    .int32(request.sessionEpoch)
  const topics = runs(request.partitions)
  writer.int32(topics.length)
  for (const partitions of topics) {
    writer.string(partitions[0]?.topic ?? '').int32(partitions.length)
    for (const { partition, leaderEpoch, fetchOffset, maxBytes } of partitions) {
      writer.int32(partition).int32(leaderEpoch).int64(fetchOffset).int64(-1).int32(maxBytes)
    }
  }
  const forgotten = runs(request.forgotten)
  writer.int32(forgotten.length)
  for (const partitions of forgotten) {
    writer.string(partitions[0]?.topic ?? '').int32(partitions.length)
    for (const { partition } of partitions) writer.int32(partition)
  }
  return writer.string(NO_RACK).take()
}

/** Neighbours of one topic together. The order of partitions is the order in which the broker fills the answer. */
function runs<T extends TopicPartition>(partitions: readonly T[]): T[][] {
  const all: T[][] = []
  for (const one of partitions) {
    const last = all.at(-1)
    if (last?.[0]?.topic === one.topic) last.push(one)
    else all.push([one])
  }
  return all
}

function decode(reader: Reader): FetchAnswer {
  reader.int32()
  const error = reader.int16()
  const sessionId = reader.int32()
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => partitionAnswer(topic, reader))
  })
  return { error, sessionId, partitions: topics.flat() }
}

function partitionAnswer(topic: string, reader: Reader): PartitionAnswer {
  const partition = reader.int32()
  const error = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }))
  reader.int32()
  const recordSet = reader.raw(Math.max(0, reader.int32()))
  return { topic, partition, error, highWatermark, lastStableOffset, logStartOffset, aborted, recordSet }
}
