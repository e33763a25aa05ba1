import { Fault } from '../../errors.ts'
import type { Codec } from '../../records/batch.ts'
import { encodeBatch, type Record, sizeOf } from '../../records/record.ts'
import type { Cursor, FeedLine } from '../feed/feed.ts'
import type { Slot } from '../feed/recent-ids.ts'

/**
 * The records that ingest writes.
 *
 * `<name>.ingest.<instance>.positions.internal`, one partition, compacted; keys and values are UTF-8:
 *
 *     key              value
 *     cursor <source>  {"offset":1234,"line":5} of a file, {"receivedAt":1700000000000} of a stream
 *     ids-<number>     {"at":123456,"ids":["…","…"]}, one slot of the window of recent ids; null once it is dropped
 *
 * `<name>.ingest.<instance>.dead.internal`: the line as it came, with the headers `reason` (a code), `detail`, `source`,
 * `line`, `offset` (of the line's first byte) and `length` (in bytes; the value is cut when it is shorter).
 */
export function cursorRecord(source: string, cursor: Cursor, timestamp: number): Record {
  return { ...textRecord(`${CURSOR}${source}`, JSON.stringify(cursor)), timestamp }
}

export function slotRecord({ number, at, ids }: Slot, timestamp: number): Record {
  return { ...textRecord(`${IDS}${number}`, JSON.stringify({ at, ids })), timestamp }
}

export function slotTombstone(number: number, timestamp: number): Record {
  return { ...textRecord(`${IDS}${number}`, null), timestamp }
}

const CURSOR = 'cursor '
const IDS = 'ids-'

/** What the positions topic says, record after record. */
export class Restored {
  readonly slots = new Map<number, Slot>()
  cursor: Cursor | undefined
  readonly #source: string

  /** Only the cursor of this source counts: another one's offsets mean nothing here. */
  constructor(source: string) {
    this.#source = source
  }

  /** Throws `positions-unreadable`: going on without the record would repeat or lose events. */
  read(key: Buffer | null, value: Buffer | null): void {
    const name = key?.toString() ?? ''
    if (name === `${CURSOR}${this.#source}`) {
      this.cursor = value === null ? undefined : (parse(name, value) as Cursor)
    } else if (name.startsWith(IDS)) {
      const number = Number(name.slice(IDS.length))
      if (value === null) this.slots.delete(number)
      else this.slots.set(number, slotOf(name, number, value))
    }
  }
}

export interface DeadLetter {
  readonly line: FeedLine
  readonly reason: Fault
}

/** @param valueBytesMax what of a line fits into the dead-letter topic */
export function deadRecord(
  { line, reason }: DeadLetter,
  source: string,
  timestamp: number,
  valueBytesMax: number
): Record {
  const headers = {
    reason: reason.code,
    detail: reason.message,
    source,
    line: String(line.line),
    offset: String(line.offset),
    length: String(line.length)
  }
  return {
    key: null,
    value: line.bytes.subarray(0, valueBytesMax),
    headers: Object.entries(headers).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    timestamp
  }
}

/** What a batch costs besides its records, generously. */
const BATCH_OVERHEAD_BYTES = 128

/** Encodes records in order as batches that the topic accepts. Each record must fit alone: see `fitsAlone`. */
export function* intoBatches(records: readonly Record[], codec: Codec, bytesMax: number): Generator<Buffer> {
  let begin = 0
  let bytes = BATCH_OVERHEAD_BYTES
  for (const [index, record] of records.entries()) {
    const size = sizeOf(record)
    if (index > begin && bytes + size > bytesMax) {
      yield encodeBatch(records.slice(begin, index), { codec })
      begin = index
      bytes = BATCH_OVERHEAD_BYTES
    }
    bytes += size
  }
  if (begin < records.length) yield encodeBatch(records.slice(begin), { codec })
}

/** Whether the record is within the topic's limit, if need be after compression. */
export function fitsAlone(record: Record, codec: Codec, bytesMax: number): boolean {
  return (
    sizeOf(record) + BATCH_OVERHEAD_BYTES <= bytesMax || encodeBatch([record], { codec }).length <= bytesMax
  )
}

function textRecord(key: string, value: string | null): Omit<Record, 'timestamp'> {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), headers: [] }
}

function slotOf(name: string, number: number, value: Buffer): Slot {
  const { at, ids } = parse(name, value)
  if (typeof at !== 'number' || !Array.isArray(ids)) throw unreadable(name)
  return { number, at, ids: ids.map(String) }
}

function parse(name: string, value: Buffer): { readonly [field: string]: unknown } {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    if (typeof parsed === 'object' && parsed !== null) return parsed as { readonly [field: string]: unknown }
  } catch {
    // Said below.
  }
  throw unreadable(name)
}

function unreadable(name: string): Fault {
  return new Fault('positions-unreadable', `the record "${name}" of the positions topic cannot be read`)
}
