import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { at, type BatchHeader, readHeader, verifyCrc } from '../../records/batch.ts'
import { readInt64 } from '../../records/bytes.ts'
import type { Disk } from './disk.ts'

/** Batches closer together than this share an index entry, so a look-up scans at most about this much. */
const INDEX_INTERVAL_BYTES = 4096
const SCAN_BYTES = 1 << 20

/** One batch as recovery meets it. The header's offsets are final; `batch` is a view that the next step overwrites. */
export interface ScannedBatch {
  readonly header: BatchHeader
  readonly batch: Buffer
}

/**
 * One file of a partition's log: whole batches one after another, as consumers receive them. In memory there is only a
 * sparse index; batches are read back from the file.
 */
export class Segment {
  readonly baseOffset: number
  readonly #path: string
  readonly #file: number
  readonly #disk: Disk
  #size = 0
  /** Parallel arrays: the base offset and position of an indexed batch, and the greatest timestamp up to the next. */
  readonly #offsets: number[] = []
  readonly #positions: number[] = []
  readonly #timestamps: number[] = []

  /** Opens or creates the file; `recover` must have run to its end before anything is appended or read. */
  constructor(directory: string, baseOffset: number, disk: Disk) {
    this.baseOffset = baseOffset
    this.#path = join(directory, fileName(baseOffset))
    // Not 'a': with O_APPEND Linux ignores the position of a write.
    this.#file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT)
    this.#disk = disk
  }

  get size(): number {
    return this.#size
  }

  /** The greatest timestamp in the segment, -1 when it is empty. */
  get maxTimestamp(): number {
    return this.#timestamps.at(-1) ?? -1
  }

  /**
   * Rebuilds the index from the file, yielding every batch, and cuts what follows the last whole one.
   *
   * @param verify also check each batch's CRC: needed where the last write may have been torn
   * @returns how many bytes were cut
   */
  *recover(verify: boolean): Generator<ScannedBatch, number, undefined> {
    const end = fstatSync(this.#file).size
    let window: Buffer = Buffer.alloc(0)
    let windowStart = 0
    for (;;) {
      const start = this.#size - windowStart
      const wanted = batchLength(window, start)
      if (wanted === undefined || start + wanted > window.length) {
        const length = Math.min(Math.max(SCAN_BYTES, wanted ?? 0), end - this.#size)
        if (length < at.records || (wanted ?? 0) > length) break
        window = this.#pread(this.#size, length, end)
        windowStart = this.#size
        if (batchLength(window, 0) === undefined) break
        continue
      }
      const batch = window.subarray(start, start + wanted)
      if (batch.readInt8(at.magic) !== 2 || (verify && !verifyCrc(batch))) break
      const header = readHeader(batch, 0)
      this.#index(header.baseOffset, header.maxTimestamp, wanted)
      yield { header, batch }
    }
    if (end > this.#size) ftruncateSync(this.#file, this.#size)
    return end - this.#size
  }

  /** Appends a batch whose header already carries its base offset. */
  append(batch: Buffer, baseOffset: number, maxTimestamp: number): void {
    this.#disk.write(this.#file, batch, this.#size)
    this.#index(baseOffset, maxTimestamp, batch.length)
  }

  /**
   * The bytes from the batch that holds `offset` on, at most `maxBytes` (a last batch may be cut, as Kafka does), but
   * only batches below `limit`. A first batch over `maxBytes` comes whole if `atLeastOne`, else nothing comes.
   */
  read(offset: number, maxBytes: number, limit: number, atLeastOne: boolean): Buffer {
    const entry = this.#floor(this.#offsets, offset)
    const position = this.#positions[entry]
    if (position === undefined) return Buffer.alloc(0)
    const window = this.#pread(position, INDEX_INTERVAL_BYTES + at.records + maxBytes)
    const first = seek(window, offset)
    const length = batchLength(window, first)
    if (length === undefined || readInt64(window, first) >= limit) return Buffer.alloc(0)
    if (length > maxBytes) return atLeastOne ? this.#pread(position + first, length) : Buffer.alloc(0)
    const end = Math.min(first + maxBytes, window.length)
    return window.subarray(first, limitEnd(window, first, end, limit))
  }

  /** Every batch from the one that holds `offset` on, one by one. */
  *batchesFrom(offset: number): Generator<Buffer, void, undefined> {
    let position = this.#positions[this.#floor(this.#offsets, offset)]
    if (position === undefined) return
    while (position < this.#size) {
      const length: number = batchLength(this.#pread(position, at.records), 0) ?? 0
      if (length === 0) return
      yield this.#pread(position, length)
      position += length
    }
  }

  /** An offset at or before the first batch with this timestamp or a later one; undefined when there is none. */
  offsetBeforeTimestamp(timestamp: number): number | undefined {
    if (this.maxTimestamp < timestamp) return undefined
    let low = 0
    let high = this.#timestamps.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#timestamps[middle] ?? -1) >= timestamp) high = middle
      else low = middle + 1
    }
    return this.#offsets[low]
  }

  close(): void {
    closeSync(this.#file)
  }

  remove(): void {
    closeSync(this.#file)
    rmSync(this.#path, { force: true })
  }

  #index(baseOffset: number, maxTimestamp: number, length: number): void {
    const greatest = Math.max(this.maxTimestamp, maxTimestamp)
    const last = this.#positions.at(-1)
    if (last === undefined || this.#size - last >= INDEX_INTERVAL_BYTES) {
      this.#offsets.push(baseOffset)
      this.#positions.push(this.#size)
      this.#timestamps.push(greatest)
    } else {
      this.#timestamps[this.#timestamps.length - 1] = greatest
    }
    this.#size += length
  }

  /** The index of the greatest value that is not above `wanted`; 0 if all are. */
  #floor(values: readonly number[], wanted: number): number {
    let low = 0
    let high = values.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((values[middle] ?? 0) <= wanted) low = middle
      else high = middle - 1
    }
    return low
  }

  #pread(position: number, length: number, end = this.#size): Buffer {
    const buffer = Buffer.allocUnsafe(Math.min(length, end - position))
    let done = 0
    while (done < buffer.length) {
      const read = readSync(this.#file, buffer, done, buffer.length - done, position + done)
      if (read === 0) break
      done += read
    }
    return buffer.subarray(0, done)
  }
}

/** Kafka's name for the segment that starts at an offset. */
export function fileName(baseOffset: number): string {
  return `${String(baseOffset).padStart(20, '0')}.log`
}

/** The length of the batch at `start` by its header; undefined when the header is cut or impossible. */
function batchLength(buffer: Buffer, start: number): number | undefined {
  if (start + at.records > buffer.length) return undefined
  const length = buffer.readInt32BE(start + at.length) + at.leaderEpoch
  return length < at.records ? undefined : length
}

/** The position of the first batch that ends at or after `offset`. */
function seek(window: Buffer, offset: number): number {
  let start = 0
  for (;;) {
    const length = batchLength(window, start)
    if (length === undefined) return start
    const last = readInt64(window, start) + window.readInt32BE(start + at.lastOffsetDelta)
    if (last >= offset) return start
    start += length
  }
}

/** The end of the last batch in `[start, end)` whose base offset is below `limit`; `end` if all are. */
function limitEnd(window: Buffer, start: number, end: number, limit: number): number {
  if (limit === Infinity) return end
  let position = start
  while (position + 8 <= end) {
    if (readInt64(window, position) >= limit) return position
    const length = batchLength(window, position)
    if (length === undefined) return end
    position += length
  }
  return end
}
