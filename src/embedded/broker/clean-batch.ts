import { at, type BatchHeader, bit } from '../../records/batch.ts'
import { readInt64, writeInt64 } from '../../records/bytes.ts'
import { compress, decompress } from '../../records/codecs.ts'
import { crc32c } from '../../records/crc32c.ts'
import { sizeOfVarint, sizeOfVarlong, VarintReader, writeVarint, writeVarlong } from '../../records/varint.ts'

/** The attribute that says that the base timestamp is a delete horizon (KIP-534). */
const DELETE_HORIZON = 0x40

/** One record of a batch, as far as a cleaner looks at it. */
export interface CleanedRecord {
  readonly offset: number
  readonly key: Buffer | null
  /** A record without a value: its key was deleted. */
  readonly isTombstone: boolean
}

export interface Cleaning {
  readonly isKept: (record: CleanedRecord) => boolean
  /** The batch is the marker of a transaction of which nothing else is left. */
  readonly marksEmptyTransaction: boolean
  /** Written into a batch that has no horizon yet if it keeps tombstones or is such a marker. */
  readonly newHorizonMs: number
}

/** When the tombstones or the marker of the batch may go, in milliseconds since 1970; undefined when not yet decided. */
export function deleteHorizonOf(batch: Buffer): number | undefined {
  const isSet = (batch.readInt16BE(at.attributes) & DELETE_HORIZON) !== 0
  return isSet ? readInt64(batch, at.baseTimestamp) : undefined
}

/**
 * What is left of a batch of format v2, in the form in which Kafka's cleaner leaves it (`MemoryRecords.filterTo`): the
 * batch as it was if nothing changes; else with its first and last offset, its producer and its codec, but the records
 * that are kept. Undefined when none is.
 */
export function cleanBatch(batch: Buffer, header: BatchHeader, cleaning: Cleaning): Buffer | undefined {
  const records = recordsOf(batch, header)
  const kept = records.filter(cleaning.isKept)
  if (kept.length === 0) return undefined
  const horizon = deleteHorizonOf(batch)
  const needsHorizon = cleaning.marksEmptyTransaction || kept.some(({ isTombstone }) => isTombstone)
  const setsHorizon = needsHorizon && horizon === undefined
  if (kept.length === records.length && !setsHorizon) return batch
  return rebuild(batch, header, kept, setsHorizon ? cleaning.newHorizonMs : horizon)
}

/** The header alone, which keeps a producer's last sequence, or the last offset that was cleaned. */
export function emptyBatch(batch: Buffer): Buffer {
  const empty = Buffer.from(batch.subarray(0, at.records))
  const kept = bit.logAppendTime | bit.transactional | bit.control
  empty.writeInt16BE(empty.readInt16BE(at.attributes) & kept, at.attributes)
  writeInt64(empty, -1, at.baseTimestamp)
  empty.writeInt32BE(0, at.count)
  return seal(empty)
}

interface ParsedRecord extends CleanedRecord {
  readonly offsetDelta: number
  readonly timestamp: number
  /** From the key's length to the end of the record. */
  readonly rest: Buffer
}

function recordsOf(batch: Buffer, header: BatchHeader): ParsedRecord[] {
  const packed = batch.subarray(at.records)
  const buffer = header.codec === 0 ? packed : decompress(header.codec, packed)
  const reader = new VarintReader(buffer)
  return Array.from({ length: header.count }, () => {
    const length = reader.varint()
    const end = reader.at + length
    reader.byte() // Attributes: none are defined.
    const timestampDelta = reader.varlong()
    const offsetDelta = reader.varint()
    const rest = buffer.subarray(reader.at, end)
    const keyLength = reader.varint()
    const key = keyLength < 0 ? null : buffer.subarray(reader.at, reader.at + keyLength)
    reader.at += Math.max(0, keyLength)
    const isTombstone = reader.varint() < 0
    reader.at = end
    const timestamp = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + timestampDelta
    return { offset: header.baseOffset + offsetDelta, offsetDelta, timestamp, key, isTombstone, rest }
  })
}

function rebuild(
  batch: Buffer,
  header: BatchHeader,
  records: readonly ParsedRecord[],
  horizon: number | undefined
): Buffer {
  const baseTimestamp = horizon ?? records[0]?.timestamp ?? -1
  const body = Buffer.concat(records.map((record) => encode(record, baseTimestamp)))
  const packed = header.codec === 0 ? body : compress(header.codec, body)
  const rebuilt = Buffer.concat([batch.subarray(0, at.records), packed])
  const attributes = rebuilt.readInt16BE(at.attributes)
  rebuilt.writeInt16BE(attributes | (horizon === undefined ? 0 : DELETE_HORIZON), at.attributes)
  writeInt64(rebuilt, baseTimestamp, at.baseTimestamp)
  const latest = records.reduce((most, { timestamp }) => Math.max(most, timestamp), -1)
  writeInt64(rebuilt, header.logAppendTime ? header.maxTimestamp : latest, at.maxTimestamp)
  rebuilt.writeInt32BE(records.length, at.count)
  return seal(rebuilt)
}

function encode({ timestamp, offsetDelta, rest }: ParsedRecord, baseTimestamp: number): Buffer {
  const timestampDelta = timestamp - baseTimestamp
  const length = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta) + rest.length
  const record = Buffer.alloc(sizeOfVarint(length) + length)
  let position = writeVarint(record, length, 0) + 1
  position = writeVarlong(record, timestampDelta, position)
  position = writeVarint(record, offsetDelta, position)
  rest.copy(record, position)
  return record
}

function seal(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - at.leaderEpoch, at.length)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  return batch
}
