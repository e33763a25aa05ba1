import { Fault } from '../errors.ts'
import { at, type BatchHeader, bit, type Codec, readHeader, verifyCrc } from './batch.ts'
import { writeInt64 } from './bytes.ts'
import { compress, decompress } from './codecs.ts'
import { rawCrc32c, shiftCrc } from './crc32c.ts'
import { forEachMessage } from './message-set.ts'
import { sizeOfVarint, sizeOfVarlong, VarintReader, writeVarint, writeVarlong } from './varint.ts'

/** The records inside a RecordBatch v2 (Kafka documentation, "Record"), read without a copy and written. */

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

export interface Record {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In the producer's order; keys may repeat. */
  readonly headers: readonly RecordHeader[]
  /** Milliseconds since 1970, or -1. */
  readonly timestamp: number
}

export interface DecodedRecord extends Record {
  readonly offset: number
}

/**
 * One record where it lies. The object is used again for the next record, so take what you need during the visit.
 * Ranges are `[start, end)` of `buffer`; a start of -1 means null.
 */
export interface RecordCursor {
  readonly buffer: Buffer
  readonly offset: number
  readonly timestamp: number
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
  /** Where the first header's key length is. */
  readonly headersStart: number
  readonly headersCount: number
  /** From the key's length to the end of the headers: what a record is, wherever it stands in a batch. */
  readonly bodyStart: number
  readonly bodyEnd: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Visits the records of one whole batch in order; of the formats before Kafka 0.11 it may be a message, compressed or not.
 * Checks the CRC first and the batch's framing as it goes: count, lengths, rising offsets within the header's range. Throws
 * `batch-corrupt`, and `batch-too-large` when the records expand beyond bounds.
 */
export function forEachRecord(batch: Buffer, visit: (record: RecordCursor) => void): void {
  const header = readHeader(batch, 0)
  if (header.magic < 2) {
    forEachMessage(batch, visit)
    return
  }
  if (header.magic > 2) throw corrupt(header.baseOffset, `format ${header.magic} does not exist`)
  if (header.length !== batch.length || !verifyCrc(batch)) {
    throw corrupt(header.baseOffset, 'its CRC-32C does not match')
  }
  forEachUnverified(batch, header, visit)
}

/**
 * As `forEachRecord`, of a batch of format 2 whose CRC was checked before, or goes on with its records
 * (`registerOfLone`).
 */
export function forEachUnverified(
  batch: Buffer,
  header: BatchHeader,
  visit: (record: RecordCursor) => void
): void {
  const packed = batch.subarray(at.records)
  const buffer = header.codec === 0 ? packed : decompress(header.codec, packed)
  const reader = new VarintReader(buffer)
  const record: Mutable<RecordCursor> = {
    buffer,
    offset: 0,
    timestamp: 0,
    keyStart: -1,
    keyEnd: -1,
    valueStart: -1,
    valueEnd: -1,
    headersStart: 0,
    headersCount: 0,
    bodyStart: 0,
    bodyEnd: 0
  }
  let lastDelta = -1
  for (let index = 0; index < header.count; index++) {
    reader.end = buffer.length
    const end = rangeEnd(reader, reader.varint())
    reader.end = end
    reader.byte() // Attributes of a record: none are defined.
    const timestampDelta = reader.varlong()
    const offsetDelta = reader.varint()
    if (offsetDelta <= lastDelta || offsetDelta > header.lastOffsetDelta) {
      throw corrupt(header.baseOffset, `record ${index} has offset delta ${offsetDelta}`)
    }
    lastDelta = offsetDelta
    record.offset = header.baseOffset + offsetDelta
    record.timestamp = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + timestampDelta
    record.bodyStart = reader.at
    record.bodyEnd = end
    const keyLength = reader.varint()
    record.keyStart = keyLength < 0 ? -1 : reader.at
    record.keyEnd = keyLength < 0 ? -1 : rangeEnd(reader, keyLength)
    if (keyLength > 0) reader.at = record.keyEnd
    const valueLength = reader.varint()
    record.valueStart = valueLength < 0 ? -1 : reader.at
    record.valueEnd = valueLength < 0 ? -1 : rangeEnd(reader, valueLength)
    if (valueLength > 0) reader.at = record.valueEnd
    record.headersCount = reader.varint()
    record.headersStart = reader.at
    if (record.headersCount < 0)
      throw corrupt(header.baseOffset, `record ${index} has a negative header count`)
    skipHeaders(reader, record.headersCount)
    if (reader.at !== end) throw corrupt(header.baseOffset, `record ${index} is longer than its fields`)
    visit(record)
    reader.at = end
  }
  if (reader.at !== buffer.length) throw corrupt(header.baseOffset, 'bytes follow its last record')
}

/** The key of the visited record, as a view. */
export function keyBytes(record: RecordCursor): Buffer | null {
  return record.keyStart < 0 ? null : record.buffer.subarray(record.keyStart, record.keyEnd)
}

/** The value of the visited record, as a view. */
export function valueBytes(record: RecordCursor): Buffer | null {
  return record.valueStart < 0 ? null : record.buffer.subarray(record.valueStart, record.valueEnd)
}

/** The headers of the visited record, in order, values as views. */
export function headersOf(record: RecordCursor): RecordHeader[] {
  const headers: RecordHeader[] = []
  const { buffer } = record
  const reader = new VarintReader(buffer, record.headersStart)
  for (let index = 0; index < record.headersCount; index++) {
    const keyLength = reader.varint()
    const key = buffer.toString('utf8', reader.at, reader.at + keyLength)
    reader.at += keyLength
    const valueLength = reader.varint()
    const value = valueLength < 0 ? null : buffer.subarray(reader.at, reader.at + valueLength)
    if (valueLength > 0) reader.at += valueLength
    headers.push({ key, value })
  }
  return headers
}

/** All records of a batch at once; keys and values are views of the batch or of its decompressed records. */
export function decodeRecords(batch: Buffer): DecodedRecord[] {
  const records: DecodedRecord[] = []
  forEachRecord(batch, (record) => {
    records.push({
      offset: record.offset,
      timestamp: record.timestamp,
      key: keyBytes(record),
      value: valueBytes(record),
      headers: headersOf(record)
    })
  })
  return records
}

export interface BatchOptions {
  readonly codec: Codec
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  /** A batch of control records (markers): their keys are int16 version and int16 type. */
  readonly control?: boolean
}

/** Encodes at least one record as a batch with base offset 0 and CreateTime timestamps. */
export function encodeBatch(records: readonly Record[], options: BatchOptions): Buffer {
  const first = records[0]
  if (first === undefined) throw new Fault('batch-empty', 'a batch needs a record')
  const prepared = records.map((record, index) => prepare(record, index, first.timestamp))
  const bytes = prepared.reduce<number>((sum, { size }) => sum + sizeOfVarint(size) + size, at.records)
  const batch = Buffer.allocUnsafe(bytes)
  let position: number = at.records
  for (const record of prepared) position = writeRecord(batch, record, position)
  const maxTimestamp = records.reduce((max, { timestamp }) => Math.max(max, timestamp), -1)
  const content = { count: records.length, baseTimestamp: first.timestamp, maxTimestamp }
  if (options.codec === 0) return seal(batch, content, options)
  const packed = compress(options.codec, batch.subarray(at.records))
  return seal(Buffer.concat([batch.subarray(0, at.records), packed]), content, options)
}

/** An upper bound of the bytes a record takes in an uncompressed batch, without the batch's header. */
export function sizeOf(record: Record): number {
  let size = 5 + 1 + 10 + 5 + 5 + 5 + 5 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const header of record.headers) size += 10 + header.key.length * 3 + (header.value?.length ?? 0)
  return size
}

interface PreparedRecord {
  readonly record: Record
  readonly index: number
  readonly timestampDelta: number
  readonly headerKeys: readonly Buffer[]
  /** Bytes after the length field. */
  readonly size: number
}

function prepare(record: Record, index: number, baseTimestamp: number): PreparedRecord {
  const timestampDelta = record.timestamp - baseTimestamp
  const headerKeys = record.headers.map(({ key }) => Buffer.from(key))
  let size = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(index) + sizeOfVarint(record.headers.length)
  size += sizeOfBytes(record.key) + sizeOfBytes(record.value)
  record.headers.forEach(({ value }, which) => {
    size += sizeOfBytes(headerKeys[which] ?? null) + sizeOfBytes(value)
  })
  return { record, index, timestampDelta, headerKeys, size }
}

function writeRecord(target: Buffer, prepared: PreparedRecord, start: number): number {
  const { record, headerKeys } = prepared
  let position = writeVarint(target, prepared.size, start)
  target[position++] = 0
  position = writeVarlong(target, prepared.timestampDelta, position)
  position = writeVarint(target, prepared.index, position)
  position = writeBytes(target, record.key, position)
  position = writeBytes(target, record.value, position)
  position = writeVarint(target, record.headers.length, position)
  record.headers.forEach(({ value }, index) => {
    position = writeBytes(target, headerKeys[index] ?? null, position)
    position = writeBytes(target, value, position)
  })
  return position
}

/** What the header of a batch says of its records. */
export interface BatchContent {
  readonly count: number
  /** Of the first record. */
  readonly baseTimestamp: number
  readonly maxTimestamp: number
}

/**
 * Writes the header of a batch whose records are in place: base offset 0, CreateTime.
 *
 * @param register raw CRC of the records, where it is known
 */
export function seal(
  batch: Buffer,
  content: BatchContent,
  options: BatchOptions,
  register = rawCrc32c(0, batch, at.records, batch.length)
): Buffer {
  writeInt64(batch, 0, at.baseOffset)
  batch.writeInt32BE(batch.length - at.leaderEpoch, at.length)
  batch.writeInt32BE(-1, at.leaderEpoch)
  batch.writeInt8(2, at.magic)
  const transactional = options.transactional === true ? bit.transactional : 0
  const control = options.control === true ? bit.control : 0
  batch.writeInt16BE(options.codec | transactional | control, at.attributes)
  batch.writeInt32BE(content.count - 1, at.lastOffsetDelta)
  writeInt64(batch, content.baseTimestamp, at.baseTimestamp)
  writeInt64(batch, content.maxTimestamp, at.maxTimestamp)
  writeInt64(batch, options.producerId ?? -1, at.producerId)
  batch.writeInt16BE(options.producerEpoch ?? -1, at.producerEpoch)
  batch.writeInt32BE(options.baseSequence ?? -1, at.baseSequence)
  batch.writeInt32BE(content.count, at.count)
  const header = shiftCrc(rawCrc32c(-1, batch, at.attributes, at.records), batch.length - at.records)
  batch.writeInt32BE(~(header ^ register), at.crc)
  return batch
}

/**
 * The raw CRC of the only record's body in an uncompressed batch of format 2, from the batch's CRC and the few bytes
 * before the body, whose own bytes are not read. If they are damaged the register is that of what they were: the batch
 * that they go into fails its CRC as the one that they came from would.
 */
export function registerOfLone(batch: Buffer, { bodyStart, bodyEnd }: RecordCursor): number {
  const before = rawCrc32c(-1, batch, at.attributes, at.records + bodyStart)
  return ~batch.readInt32BE(at.crc) ^ shiftCrc(before, bodyEnd - bodyStart)
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length
}

function writeBytes(target: Buffer, bytes: Buffer | null, position: number): number {
  if (bytes === null) return writeVarint(target, -1, position)
  const start = writeVarint(target, bytes.length, position)
  target.set(bytes, start)
  return start + bytes.length
}

function skipHeaders(reader: VarintReader, count: number): void {
  for (let index = 0; index < count; index++) {
    const keyLength = reader.varint()
    if (keyLength < 0) throw new Fault('batch-corrupt', 'a header has no key')
    reader.at = rangeEnd(reader, keyLength)
    const valueLength = reader.varint()
    if (valueLength > 0) reader.at = rangeEnd(reader, valueLength)
  }
}

/** The position `length` bytes on, which must lie within the reader's range. */
function rangeEnd(reader: VarintReader, length: number): number {
  const end = reader.at + length
  if (length < 0 || end > reader.end)
    throw new Fault('batch-corrupt', `a field of ${length} bytes does not fit`)
  return end
}

function corrupt(baseOffset: number, why: string): Fault {
  return new Fault('batch-corrupt', `the batch at offset ${baseOffset} is corrupt: ${why}`)
}
