import { heartbeatsTopic } from '../../../config/naming.ts'
import { Fault } from '../../../errors.ts'
import type { Record } from '../../../records/record.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'
import { Reader, Writer } from '../../kafka/wire.ts'

/**
 * The records that MirrorMaker 2 writes beside the copied topics, byte for byte as Kafka 4.1's classes of the same names
 * (`org.apache.kafka.connect.mirror`): its own client library reads ours, and we read those of a MirrorMaker 2 that we
 * take over from. Big-endian; STRING is its length as INT16, then UTF-8.
 */

export const mm2Topics = {
  /** On the source, named for the target; a MirrorMaker 2 may also have it on the target, named for the source. */
  offsetSyncs: (alias: string) => `mm2-offset-syncs.${alias}.internal`,
  /** On the target, one partition. */
  checkpoints: (source: string) => `${source}.checkpoints.internal`,
  heartbeats: heartbeatsTopic,
  /** What MirrorMaker 2 calls the copy of the source's heartbeats on the target. */
  copiedHeartbeats: (source: string) => `${source}.heartbeats`,
  /** On the target: how far its tasks have come. */
  positions: (source: string) => `mm2-offsets.${source}.internal`
} as const

/** The record at `upstream` of the source is the one at `downstream` of the target. */
export interface OffsetSync extends TopicPartition {
  readonly upstream: number
  readonly downstream: number
}

/** Who has read all before `upstream` on the source may go on at `downstream` on the target. */
export interface Checkpoint extends TopicPartition {
  readonly group: string
  readonly upstream: number
  readonly downstream: number
  readonly metadata: string
}

export interface Heartbeat {
  readonly source: string
  readonly target: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** How far a task of the source connector has come. */
export interface Mm2Position extends TopicPartition {
  /** Alias of the source cluster. */
  readonly cluster: string
  /** The last offset that was copied, -1 for none. */
  readonly last: number
}

interface KeyValue {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

const VERSION = 0
const CONNECTOR = 'MirrorSourceConnector'

export function encodeOffsetSync(
  { topic, partition, upstream, downstream }: OffsetSync,
  now: number
): Record {
  const key = new Writer().string(topic).int32(partition).take()
  const value = new Writer().int64(upstream).int64(downstream).take()
  return { key, value, headers: [], timestamp: now }
}

export function decodeOffsetSync(record: KeyValue): OffsetSync {
  return reading('offset sync', record, (key, value) => ({
    topic: key.string(),
    partition: key.int32(),
    upstream: value.int64(),
    downstream: value.int64()
  }))
}

/** @param checkpoint its topic is the target's */
export function encodeCheckpoint(checkpoint: Checkpoint, now: number): Record {
  const { group, topic, partition, upstream, downstream, metadata } = checkpoint
  const key = new Writer().string(group).string(topic).int32(partition).take()
  const value = new Writer().int16(VERSION).int64(upstream).int64(downstream).string(metadata).take()
  return { key, value, headers: [], timestamp: now }
}

export function decodeCheckpoint(record: KeyValue): Checkpoint {
  return reading('checkpoint', record, (key, value) => {
    const at = { group: key.string(), topic: key.string(), partition: key.int32() }
    value.int16()
    return { ...at, upstream: value.int64(), downstream: value.int64(), metadata: value.string() }
  })
}

export function encodeHeartbeat({ source, target, timestamp }: Heartbeat): Record {
  const key = new Writer().string(source).string(target).take()
  const value = new Writer().int16(VERSION).int64(timestamp).take()
  return { key, value, headers: [], timestamp }
}

export function decodeHeartbeat(record: KeyValue): Heartbeat {
  return reading('heartbeat', record, (key, value) => {
    const between = { source: key.string(), target: key.string() }
    value.int16()
    return { ...between, timestamp: value.int64() }
  })
}

/** Kafka Connect's JSON converter writes the fields in the order of the alphabet; -1 as last offset is a tombstone. */
export function encodePosition({ cluster, topic, partition, last }: Mm2Position, now: number): Record {
  const key = Buffer.from(JSON.stringify([CONNECTOR, { cluster, partition, topic }]))
  const value = last < 0 ? null : Buffer.from(JSON.stringify({ offset: last }))
  return { key, value, headers: [], timestamp: now }
}

/** `undefined` for what another connector wrote. Throws `mm2-record-unreadable` on a position that cannot be read. */
export function decodePosition(record: KeyValue): Mm2Position | undefined {
  const [connector, from] = asArray(parsed(record.key))
  if (connector !== CONNECTOR) return undefined
  const { cluster, topic, partition } = fieldsOf(from)
  if (typeof cluster !== 'string' || typeof topic !== 'string' || !isOffset(partition)) {
    throw unreadable('position', record)
  }
  const { offset } = record.value === null ? {} : fieldsOf(parsed(record.value))
  if (offset !== undefined && offset !== null && !isOffset(offset)) throw unreadable('position', record)
  return { cluster, topic, partition, last: offset ?? -1 }
}

/** The newest position of each partition of one source cluster, of records in the order of their partitions. */
export class Mm2Positions {
  readonly #cluster: string
  /** By the keys of the records. */
  readonly #found = new Map<string, { readonly position: Mm2Position; readonly timestamp: number }>()

  constructor(cluster: string) {
    this.#cluster = cluster
  }

  /** Records of one key lie in one partition: the last one counts, whatever the clocks of their writers said. */
  add(record: KeyValue & { readonly timestamp: number }): void {
    const position = decodePosition(record)
    if (position === undefined || position.cluster !== this.#cluster) return
    this.#found.set(String(record.key), { position, timestamp: record.timestamp })
  }

  /** Those that have copied something. Of keys that name one partition in other orders of fields, the younger counts. */
  all(): Mm2Position[] {
    const byAge = [...this.#found.values()].sort((a, b) => a.timestamp - b.timestamp)
    const newest = new Map(byAge.map(({ position }) => [tp(position.topic, position.partition), position]))
    return [...newest.values()].filter(({ last }) => last >= 0)
  }
}

function reading<T>(what: string, record: KeyValue, read: (key: Reader, value: Reader) => T): T {
  const { key, value } = record
  if (key === null || value === null) throw unreadable(what, record)
  try {
    return read(new Reader(key), new Reader(value))
  } catch (cause) {
    throw unreadable(what, record, cause)
  }
}

function parsed(bytes: Buffer | null): unknown {
  try {
    return JSON.parse(bytes?.toString() ?? 'null')
  } catch {
    return undefined
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function fieldsOf(value: unknown): { readonly [field: string]: unknown } {
  return typeof value === 'object' && value !== null ? { ...value } : { offset: Number.NaN }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function unreadable(what: string, { key }: KeyValue, cause?: unknown): Fault {
  const name = key === null ? 'no key' : JSON.stringify(key.toString('latin1'))
  return new Fault('mm2-record-unreadable', `a ${what} of MirrorMaker 2 cannot be read: ${name}`, { cause })
}
