import { at, type Codec } from './batch.ts'
import { compress } from './codecs.ts'
import { type RecordCursor, seal } from './record.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

/** Bytes of its records, uncompressed, at which a new batch is full. */
const FULL_BYTES = 512 * 1024
/** Length, attributes, timestamp delta and offset delta of a record, at most. */
const PREFIX_BYTES_MAX = 5 + 1 + 10 + 5

export interface Rebatched {
  readonly batch: Buffer
  readonly records: number
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
  readonly #done: Rebatched[] = []
  #buffer: Buffer
  #end: number = at.records
  #count = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  /**
   * @param maxBytes the target's limit on a batch
   * @param expectedBytes of the records that will come, uncompressed, as far as is known
   */
  constructor(codec: Codec, maxBytes: number, expectedBytes: number) {
    this.#codec = codec
    this.#limit = Math.min(FULL_BYTES, maxBytes)
    this.#buffer = Buffer.allocUnsafe(at.records + Math.min(this.#limit, expectedBytes + PREFIX_BYTES_MAX))
  }

  add({ buffer, timestamp, bodyStart, bodyEnd }: RecordCursor): void {
    const bytes = bodyEnd - bodyStart
    if (this.#count > 0 && this.#end + bytes + PREFIX_BYTES_MAX > this.#limit) this.#finish()
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
    this.#count++
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
    const { batch, codec } = packed(this.#buffer.subarray(0, this.#end), this.#codec)
    this.#done.push({ batch: seal(batch, content, { codec }), records: content.count })
    this.#buffer = Buffer.allocUnsafe(this.#buffer.length)
    this.#end = at.records
    this.#count = 0
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
