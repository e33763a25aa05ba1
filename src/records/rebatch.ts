import { at, type Codec } from './batch.ts'
import { compress } from './codecs.ts'
import { rawCrc32c, shiftCrc } from './crc32c.ts'
import { type RecordCursor, seal } from './record.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

/** Bytes of its records, uncompressed, at which a new batch is full. */
const FULL_BYTES = 512 * 1024
/** Length, attributes, timestamp delta and offset delta of a record, at most. */
const PREFIX_BYTES_MAX = 5 + 1 + 10 + 5

export interface Rebatched {
  readonly batch: Buffer
  readonly records: number
  /** Where its records come from, in their order. */
  readonly origins: readonly Origin[]
}

/** What a batch needs of a record. */
export type Rebatchable = Pick<RecordCursor, 'buffer' | 'offset' | 'timestamp' | 'bodyStart' | 'bodyEnd'>

/** Records whose offsets on the source follow each other. */
export interface Origin {
  readonly offset: number
  readonly count: number
}

/** The source offset of the record at `index` of a batch. */
export function offsetOf(origins: readonly Origin[], index: number): number | undefined {
  let before = 0
  for (const { offset, count } of origins) {
    if (index < before + count) return offset + index - before
    before += count
  }
  return undefined
}

/**
 * Makes new batches of the records of others. What a record is (key, value and headers, whatever their bytes) is copied
 * as it stands, once; only its deltas are new. Timestamps become CreateTime, offsets follow each other without gaps.
 *
 * A record alone may make a batch above `maxBytes`: whoever takes the batches looks at their length.
 */
export class Rebatcher {
  readonly #codec: Codec
  readonly #limit: number
  readonly #recordsMax: number
  readonly #done: Rebatched[] = []
  #origins: { readonly offset: number; count: number }[] = []
  #buffer: Buffer
  #end: number = at.records
  #count = 0
  /** Raw CRC of its records up to `#summedTo`; what is beyond is read when the batch is full, at once. */
  #register = 0
  #summedTo: number = at.records
  #baseTimestamp = -1
  #maxTimestamp = -1

  /**
   * @param maxBytes the target's limit on a batch
   * @param expectedBytes of the records that will come, uncompressed, as far as is known
   * @param recordsMax of one batch
   */
  constructor(codec: Codec, maxBytes: number, expectedBytes: number, recordsMax = Number.POSITIVE_INFINITY) {
    this.#codec = codec
    this.#recordsMax = recordsMax
    this.#limit = Math.min(FULL_BYTES, maxBytes)
    this.#buffer = Buffer.allocUnsafe(at.records + Math.min(this.#limit, expectedBytes + PREFIX_BYTES_MAX))
  }

  /** @param register raw CRC of the record's body, where it is known */
  add({ buffer, offset, timestamp, bodyStart, bodyEnd }: Rebatchable, register?: number): void {
    const bytes = bodyEnd - bodyStart
    const isFull = this.#end + bytes + PREFIX_BYTES_MAX > this.#limit || this.#count >= this.#recordsMax
    if (this.#count > 0 && isFull) this.#finish()
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    }
    this.#room(bytes + PREFIX_BYTES_MAX)
    const timestampDelta = timestamp - this.#baseTimestamp
    const size = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(this.#count) + bytes
    let position = writeVarint(this.#buffer, size, this.#end)
    this.#buffer[position++] = 0
    position = writeVarlong(this.#buffer, timestampDelta, position)
    position = writeVarint(this.#buffer, this.#count, position)
    buffer.copy(this.#buffer, position, bodyStart, bodyEnd)
    this.#end = position + bytes
    if (register !== undefined) this.#sum(position, register)
    this.#count++
    const last = this.#origins.at(-1)
    if (last !== undefined && last.offset + last.count === offset) last.count++
    else this.#origins.push({ offset, count: 1 })
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /** All batches; it is empty afterwards. */
  take(): Rebatched[] {
    this.#finish()
    return this.#done.splice(0)
  }

  #finish(): void {
    if (this.#count === 0) return
    const content = {
      count: this.#count,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: this.#maxTimestamp
    }
    const register =
      this.#codec === 0 ? rawCrc32c(this.#register, this.#buffer, this.#summedTo, this.#end) : undefined
    const { batch, codec } = packed(this.#finished(), this.#codec)
    this.#done.push({
      batch: seal(batch, content, { codec }, register),
      records: content.count,
      origins: this.#origins
    })
    this.#origins = []
    this.#register = 0
    this.#summedTo = at.records
    this.#end = at.records
    this.#count = 0
  }

  /** Takes everything up to `#end` into the batch's CRC, of which the last record's body, that begins at `body`, unread. */
  #sum(body: number, register: number): void {
    const before = rawCrc32c(this.#register, this.#buffer, this.#summedTo, body)
    this.#register = shiftCrc(before, this.#end - body) ^ register
    this.#summedTo = this.#end
  }

  /** A batch that few records filled would keep the memory of many: it gets its own. */
  #finished(): Buffer {
    const plain = this.#buffer.subarray(0, this.#end)
    if (this.#count >= this.#recordsMax) return Buffer.from(plain)
    this.#buffer = Buffer.allocUnsafe(this.#buffer.length)
    return plain
  }

  #room(more: number): void {
    const needed = this.#end + more
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(this.#limit, 2 * this.#buffer.length)))
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }
}

/** The batch with its records compressed, unless that makes them longer. */
function packed(plain: Buffer, codec: Codec): { readonly batch: Buffer; readonly codec: Codec } {
  if (codec === 0) return { batch: plain, codec }
  const records = compress(codec, plain.subarray(at.records))
  if (at.records + records.length >= plain.length) return { batch: plain, codec: 0 }
  return { batch: Buffer.concat([plain.subarray(0, at.records), records]), codec }
}
