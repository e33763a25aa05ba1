import { crc32 } from 'node:zlib'
import { Fault } from '../errors.ts'
import type { Codec } from './batch.ts'
import { readInt64 } from './bytes.ts'
import { decompress } from './codecs.ts'
import type { RecordCursor } from './record.ts'
import { writeVarint } from './varint.ts'

/**
 * The messages of the formats before Kafka 0.11 (magic 0 and 1; Kafka documentation, "Old Message Format"), as they still
 * lie in old logs: one by one, or compressed together as the value of a wrapper. They are given as the records they would
 * be today, so whoever reads records reads them, too.
 */

const at = { offset: 0, size: 8, crc: 12, magic: 16, attributes: 17, timestamp: 18 } as const
/** Offset and size, which the size itself does not count. */
const SIZE_PREFIX = 12
const bit = { codec: 0x07, logAppendTime: 0x08 } as const
/** Where the key's length is, by magic; key and value need four bytes each at least. */
const KEY_AT = [18, 26] as const

interface Message {
  readonly magic: 0 | 1
  readonly attributes: number
  readonly offset: number
  /** Milliseconds since 1970; -1 in magic 0, which has none. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/**
 * Visits the records of one whole message in order: itself, or those inside when it is a wrapper. Checks every CRC. The
 * cursor is used again for the next record. Throws `batch-corrupt`, and `batch-too-large` when it expands beyond bounds.
 */
export function forEachMessage(whole: Buffer, visit: (record: RecordCursor) => void): void {
  const outer = readMessage(whole)
  const codec = codecOf(outer)
  if (codec === 0) {
    visitAll([outer], whole.length, visit)
    return
  }
  if (outer.value === null) throw corrupt(outer.offset, 'a wrapper without messages')
  const set = decompress(codec, outer.value)
  const inner = [...messagesOf(set, outer)]
  const last = inner.at(-1)
  if (last === undefined) throw corrupt(outer.offset, 'a wrapper without messages')
  const base = outer.magic === 1 ? outer.offset - last.offset : 0
  const stamp = (outer.attributes & bit.logAppendTime) === 0 ? undefined : outer.timestamp
  const records = inner.map((message) => ({
    ...message,
    offset: base + message.offset,
    timestamp: stamp ?? message.timestamp
  }))
  visitAll(records, set.length, visit)
}

/** @param bytesMax no less than their bodies take */
function visitAll(
  messages: readonly Message[],
  bytesMax: number,
  visit: (record: RecordCursor) => void
): void {
  // What a message has around key and value is longer than what a record's body has.
  const buffer = Buffer.allocUnsafe(bytesMax)
  let end = 0
  for (const { offset, timestamp, key, value } of messages) {
    const bodyStart = end
    const keyEnd = writeBytes(buffer, key, bodyStart)
    const valueEnd = writeBytes(buffer, value, keyEnd)
    end = writeVarint(buffer, 0, valueEnd)
    visit({
      ...{ buffer, offset, timestamp, bodyStart, bodyEnd: end },
      ...{ keyStart: key === null ? -1 : keyEnd - key.length, keyEnd: key === null ? -1 : keyEnd },
      ...{
        valueStart: value === null ? -1 : valueEnd - value.length,
        valueEnd: value === null ? -1 : valueEnd
      },
      ...{ headersStart: end, headersCount: 0 }
    })
  }
}

function* messagesOf(set: Buffer, wrapper: Message): Generator<Message, void, undefined> {
  let start = 0
  while (start < set.length) {
    const size = set.length - start < SIZE_PREFIX ? -1 : set.readInt32BE(start + at.size)
    const end = start + SIZE_PREFIX + size
    if (size < 0 || end > set.length) throw corrupt(wrapper.offset, 'a message inside is cut')
    const message = readMessage(set.subarray(start, end))
    if (message.magic !== wrapper.magic || codecOf(message) !== 0) {
      throw corrupt(wrapper.offset, 'a message inside is of another kind')
    }
    yield message
    start = end
  }
}

function readMessage(whole: Buffer): Message {
  const offset = whole.length < SIZE_PREFIX ? -1 : readInt64(whole, at.offset)
  const magic = whole.length > at.attributes ? whole.readInt8(at.magic) : -1
  if (magic !== 0 && magic !== 1) throw corrupt(offset, `its format is ${magic}`)
  if (whole.length < KEY_AT[magic] + 8 || whole.length !== SIZE_PREFIX + whole.readInt32BE(at.size)) {
    throw corrupt(offset, 'its size is not its own')
  }
  if (crc32(whole.subarray(at.magic)) !== whole.readUInt32BE(at.crc)) {
    throw corrupt(offset, 'its CRC-32 does not match')
  }
  const [key, keyEnd] = readBytes(whole, KEY_AT[magic], offset)
  const [value, valueEnd] = readBytes(whole, keyEnd, offset)
  if (valueEnd !== whole.length) throw corrupt(offset, 'it is longer than its fields')
  const timestamp = magic === 0 ? -1 : readInt64(whole, at.timestamp)
  return { magic, attributes: whole.readInt8(at.attributes), offset, timestamp, key, value }
}

function codecOf({ attributes, offset }: Message): Codec {
  const codec = attributes & bit.codec
  if (codec === 0 || codec === 1 || codec === 2 || codec === 3) return codec
  throw corrupt(offset, `its format has no codec ${codec}`)
}

/** Bytes behind their int32 length, -1 for null, and where they end. */
function readBytes(from: Buffer, start: number, offset: number): [bytes: Buffer | null, end: number] {
  const length = start + 4 > from.length ? Number.NaN : from.readInt32BE(start)
  if (length === -1) return [null, start + 4]
  const end = start + 4 + length
  if (!(length >= 0 && end <= from.length)) throw corrupt(offset, 'a field does not fit')
  return [from.subarray(start + 4, end), end]
}

function writeBytes(to: Buffer, bytes: Buffer | null, start: number): number {
  if (bytes === null) return writeVarint(to, -1, start)
  const from = writeVarint(to, bytes.length, start)
  bytes.copy(to, from)
  return from + bytes.length
}

function corrupt(offset: number, why: string): Fault {
  return new Fault('batch-corrupt', `the message at offset ${offset} is corrupt: ${why}`)
}
