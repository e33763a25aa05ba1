import { createHash } from 'node:crypto'
import { Fault } from '../../errors.ts'
import type { Codec } from '../../records/batch.ts'
import { codecs } from '../../records/codecs.ts'
import { partitionOf } from '../../records/murmur2.ts'
import type { Record } from '../../records/record.ts'
import { eventId } from '../../records/tweet.ts'
import type { Cursor, FeedChunk, FeedLine } from '../feed/feed.ts'
import type { RecentIds } from '../feed/recent-ids.ts'
import type { OutgoingBatch } from '../kafka/producer.ts'
import {
  cursorRecord,
  type DeadLetter,
  deadRecord,
  fitsAlone,
  intoBatches,
  slotRecord,
  slotTombstone
} from './records.ts'

/** Where a transaction's records go. */
export interface IngestTopics {
  readonly topic: string
  readonly partitions: number
  readonly maxBytes: number
  readonly positionsTopic: string
  readonly deadTopic: string
  readonly deadMaxBytes: number
  readonly codec: Codec
}

export interface Composed {
  readonly batches: readonly OutgoingBatch[]
  readonly cursor: Cursor
  readonly records: number
  readonly bytes: number
  readonly repeated: number
  readonly dead: number
}

/** Room for a dead letter's headers. */
const DEAD_HEADERS_BYTES = 2_048

/**
 * Makes one transaction of the lines of some chunks: the events, keyed by their ids and placed by Kafka's own
 * partitioner, then the dead letters, then the cursor and the ids, so that all of them become visible together.
 *
 * @param window drops repeats; undefined where the source never replays
 */
export function compose(
  chunks: readonly FeedChunk[],
  source: string,
  topics: IngestTopics,
  window: RecentIds | undefined,
  nowMs: number
): Composed {
  const events = new Map<number, Record[]>()
  const dead: DeadLetter[] = []
  const ids: string[] = []
  const counts = { records: 0, bytes: 0, repeated: 0 }
  for (const line of chunks.flatMap(({ lines }) => lines)) {
    const id = idOf(line)
    // A line without an id is known by its bytes: the source replays it like any other.
    const name =
      typeof id === 'string' ? id : `sha256:${createHash('sha256').update(line.bytes).digest('base64url')}`
    if (window?.admit(name) === false) {
      counts.repeated++
      continue
    }
    ids.push(name)
    const record = typeof id === 'string' ? eventRecord(id, line, topics, nowMs) : id
    if (record instanceof Fault) {
      dead.push({ line, reason: record })
      continue
    }
    const partition = partitionOf(record.key, topics.partitions)
    const placed = events.get(partition)
    if (placed === undefined) events.set(partition, [record])
    else placed.push(record)
    counts.records++
    counts.bytes += line.length
  }
  const cursor = chunks.at(-1)?.cursor ?? {}
  const batches = [
    ...[...events].flatMap(([partition, placed]) =>
      [...intoBatches(placed, topics.codec, topics.maxBytes)].map((batch) => ({
        topic: topics.topic,
        partition,
        batch
      }))
    ),
    ...deadBatches(dead, source, topics, nowMs),
    positionsBatch(source, cursor, ids, topics, window, nowMs)
  ]
  return { batches, cursor, ...counts, dead: dead.length }
}

function idOf(line: FeedLine): string | Fault {
  if (line.bytes.length === line.length) return eventId(line.bytes)
  return new Fault('line-too-long', `the line has ${line.length} bytes`)
}

function eventRecord(
  id: string,
  { bytes, length }: FeedLine,
  { topic, maxBytes, codec }: IngestTopics,
  timestamp: number
): (Record & { readonly key: Buffer }) | Fault {
  const record = { key: Buffer.from(id), value: bytes, headers: [], timestamp }
  if (fitsAlone(record, codec, maxBytes)) return record
  return new Fault('event-too-large', `the event has ${length} bytes, topic ${topic} takes ${maxBytes}`)
}

function deadBatches(
  dead: readonly DeadLetter[],
  source: string,
  { deadTopic, deadMaxBytes }: IngestTopics,
  nowMs: number
): OutgoingBatch[] {
  const valueBytesMax = Math.max(0, deadMaxBytes - DEAD_HEADERS_BYTES)
  const records = dead.map((letter) => deadRecord(letter, source, nowMs, valueBytesMax))
  return [...intoBatches(records, codecs.none, deadMaxBytes)].map((batch) => ({
    topic: deadTopic,
    partition: 0,
    batch
  }))
}

function positionsBatch(
  source: string,
  cursor: Cursor,
  ids: readonly string[],
  { positionsTopic, codec }: IngestTopics,
  window: RecentIds | undefined,
  nowMs: number
): OutgoingBatch {
  const step = window?.next(ids, nowMs)
  const records = [
    cursorRecord(source, cursor, nowMs),
    ...(step === undefined ? [] : [slotRecord(step.slot, nowMs)]),
    ...(step?.dropped ?? []).map((number) => slotTombstone(number, nowMs))
  ]
  const [batch] = intoBatches(records, codec, Number.POSITIVE_INFINITY)
  if (batch === undefined) throw new Fault('positions-empty', 'a transaction without a cursor')
  return { topic: positionsTopic, partition: 0, batch }
}
