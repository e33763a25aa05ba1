import { Fault } from '../errors.ts'
import { readInt64, writeInt64 } from './bytes.ts'
import { crc32c, rawCrc32c, shiftCrc } from './crc32c.ts'

/**
 * RecordBatch v2 by its header alone (Kafka documentation, "Record Batch"): what a batch says of itself, whether it may
 * be passed on as it is, and how it is made ours without touching its records.
 */

/** The positions of the header's fields. The CRC covers everything from the attributes to the end of the batch. */
export const at = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61
} as const

/** The bits of the attributes. A compression codec is the lowest three. */
export const bit = {
  codec: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40
} as const

/** Base offset and length, which the length field itself does not count. */
const LENGTH_PREFIX = 12
/** The shortest message of the formats before v2 (offset, size, CRC, magic, attributes, null key, null value). */
const OLD_MESSAGE_BYTES_MIN = 26
const OLD_ATTRIBUTES_AT = 17
const OLD_TIMESTAMP_AT = 18

export type Codec = 0 | 1 | 2 | 3 | 4

export interface BatchHeader {
  readonly baseOffset: number
  /** Bytes of the whole batch, base offset and length field included. */
  readonly length: number
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly attributes: number
  readonly codec: Codec
  readonly logAppendTime: boolean
  readonly transactional: boolean
  readonly control: boolean
  readonly lastOffsetDelta: number
  readonly lastOffset: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly count: number
}

/**
 * Reads the header of the batch at `start`. A message of the formats before v2 gives its offset (the last one of those
 * that are compressed in it), length, magic, codec and kind of time, the rest as if it held one record. Throws `batch-corrupt` when the header is cut or names a codec that does not exist.
 */
export function readHeader(buffer: Buffer, start: number): BatchHeader {
  const room = buffer.length - start
  const magic = room > at.magic ? buffer.readInt8(start + at.magic) : -1
  if (magic < 0 || room < (magic < 2 ? OLD_MESSAGE_BYTES_MIN : at.records)) {
    throw new Fault('batch-corrupt', `a batch header is cut after ${room} bytes`)
  }
  const baseOffset = readInt64(buffer, start)
  const length = LENGTH_PREFIX + buffer.readInt32BE(start + at.length)
  if (magic < 2) return oldHeader(baseOffset, length, magic, buffer.readInt8(start + OLD_ATTRIBUTES_AT))

  const attributes = buffer.readInt16BE(start + at.attributes)
  const lastOffsetDelta = buffer.readInt32BE(start + at.lastOffsetDelta)
  return {
    baseOffset,
    length,
    leaderEpoch: buffer.readInt32BE(start + at.leaderEpoch),
    magic,
    crc: buffer.readUInt32BE(start + at.crc),
    attributes,
    codec: codecOf(attributes, baseOffset),
    logAppendTime: (attributes & bit.logAppendTime) !== 0,
    transactional: (attributes & bit.transactional) !== 0,
    control: (attributes & bit.control) !== 0,
    lastOffsetDelta,
    lastOffset: baseOffset + lastOffsetDelta,
    baseTimestamp: readInt64(buffer, start + at.baseTimestamp),
    maxTimestamp: readInt64(buffer, start + at.maxTimestamp),
    producerId: readInt64(buffer, start + at.producerId),
    producerEpoch: buffer.readInt16BE(start + at.producerEpoch),
    baseSequence: buffer.readInt32BE(start + at.baseSequence),
    count: buffer.readInt32BE(start + at.count)
  }
}

/**
 * When the first record of the first batch of a record set was made, by the header alone: milliseconds since 1970, -1
 * when it does not say. Where the base timestamp is something else (LogAppendTime; the delete horizon of a compacted log,
 * KIP-534) it is the newest record's, and so it is of a compressed message of magic 1.
 */
export function firstTimestamp(recordSet: Buffer): number {
  const magic = recordSet.length > at.magic ? recordSet.readInt8(at.magic) : 0
  if (magic < 2) {
    const isTold = magic === 1 && recordSet.length >= OLD_TIMESTAMP_AT + 8
    return isTold ? readInt64(recordSet, OLD_TIMESTAMP_AT) : -1
  }
  if (recordSet.length < at.records) return -1
  const isOther = (recordSet.readInt16BE(at.attributes) & (bit.logAppendTime | bit.deleteHorizon)) !== 0
  return readInt64(recordSet, isOther ? at.maxTimestamp : at.baseTimestamp)
}

/**
 * The whole batches of a fetched record set, in order, as views. A last batch cut by the fetch's size limit is left
 * out. Throws `batch-corrupt` on a length that no batch can have: nothing after it can be found any more.
 */
export function* batchesOf(recordSet: Buffer): Generator<Buffer, void, undefined> {
  let start = 0
  while (recordSet.length - start > at.magic) {
    const length = LENGTH_PREFIX + recordSet.readInt32BE(start + at.length)
    const magic = recordSet.readInt8(start + at.magic)
    if (magic < 0 || length < (magic < 2 ? OLD_MESSAGE_BYTES_MIN : at.records)) {
      throw new Fault('batch-corrupt', `a batch of magic ${magic} at byte ${start} claims ${length} bytes`)
    }
    if (start + length > recordSet.length) return
    yield recordSet.subarray(start, start + length)
    start += length
  }
}

/** Whether the batch still has the bytes its producer sent. Reads every byte. */
export function verifyCrc(batch: Buffer): boolean {
  return batch.length >= at.records && crc32c(batch, at.attributes) === batch.readUInt32BE(at.crc)
}

export interface Stamp {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}

/** A copy of the 36 header bytes under the CRC, before they change. */
const before = Buffer.alloc(at.count - at.attributes)

/**
 * Makes a batch ours, in place: producer, sequence and transactional bit, base offset 0, no leader epoch, and of the
 * attributes only the codec. The CRC follows by linearity from the 36 bytes that changed, so a corruption of the
 * records that the old CRC would have shown, the new one shows too.
 */
export function stamp(batch: Buffer, ours: Stamp): void {
  batch.copy(before, 0, at.attributes, at.count)
  const codec = batch.readInt16BE(at.attributes) & bit.codec
  writeInt64(batch, 0, at.baseOffset)
  batch.writeInt32BE(-1, at.leaderEpoch)
  batch.writeInt16BE(codec | (ours.transactional ? bit.transactional : 0), at.attributes)
  writeInt64(batch, ours.producerId, at.producerId)
  batch.writeInt16BE(ours.producerEpoch, at.producerEpoch)
  batch.writeInt32BE(ours.baseSequence, at.baseSequence)

  for (let index = 0; index < before.length; index++) {
    before[index] = (before[index] ?? 0) ^ (batch[at.attributes + index] ?? 0)
  }
  const difference = shiftCrc(rawCrc32c(0, before, 0, before.length), batch.length - at.count)
  batch.writeUInt32BE((batch.readUInt32BE(at.crc) ^ difference) >>> 0, at.crc)
}

/** What becomes of a fetched batch; `decode:` says why its records have to be looked at one by one. */
export type Passing =
  | 'pass'
  | 'below-position'
  | 'control'
  | 'aborted'
  | 'decode:magic'
  | 'decode:empty'
  | 'decode:begins-before-position'
  | 'decode:offset-gaps'
  | 'decode:log-append-time'
  | 'decode:too-large'

/**
 * Whether a batch goes out untouched but for its header.
 *
 * @param position the next offset to copy
 * @param aborted what the read_committed filter says of it
 * @param maxBytes the target's limit on a batch
 */
export function judge(header: BatchHeader, position: number, aborted: boolean, maxBytes: number): Passing {
  if (header.lastOffset < position) return 'below-position'
  if (header.magic !== 2) return 'decode:magic'
  if (header.control) return 'control'
  if (aborted) return 'aborted'
  // A compacted log keeps empty batches, for their sequence numbers.
  if (header.count <= 0) return 'decode:empty'
  if (header.baseOffset < position) return 'decode:begins-before-position'
  if (header.lastOffsetDelta + 1 !== header.count) return 'decode:offset-gaps'
  if (header.logAppendTime) return 'decode:log-append-time'
  if (header.length > maxBytes) return 'decode:too-large'
  return 'pass'
}

function codecOf(attributes: number, baseOffset: number): Codec {
  const codec = attributes & bit.codec
  if (codec === 0 || codec === 1 || codec === 2 || codec === 3 || codec === 4) return codec
  throw new Fault(
    'batch-corrupt',
    `the batch at offset ${baseOffset} names codec ${codec}, which does not exist`
  )
}

function oldHeader(baseOffset: number, length: number, magic: number, attributes: number): BatchHeader {
  return {
    baseOffset,
    length,
    leaderEpoch: -1,
    magic,
    crc: 0,
    attributes,
    codec: codecOf(attributes, baseOffset),
    logAppendTime: (attributes & bit.logAppendTime) !== 0,
    transactional: false,
    control: false,
    lastOffsetDelta: 0,
    lastOffset: baseOffset,
    baseTimestamp: -1,
    maxTimestamp: -1,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    count: 1
  }
}
