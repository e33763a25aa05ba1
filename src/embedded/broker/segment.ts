import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync
} from 'node:fs'
import { join } from 'node:path'
import { at, type BatchHeader, readHeader, verifyCrc } from '../../records/batch.ts'
import { readInt64 } from '../../records/bytes.ts'
import type { Disk } from './disk.ts'

/** Batches closer together than this share an index entry, so a look-up scans at most about this much. */
const INDEX_INTERVAL_BYTES = 4096
const SCAN_BYTES = 1 << 20

/** One batch as recovery meets it. The header's offsets are final. */
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
  readonly #directory: string
  #name: string
  readonly #file: number
  readonly #disk: Disk
  #size = 0
  #firstTimestamp = -1
  /** Parallel arrays: the base offset and position of an indexed batch, and the greatest timestamp up to the next. */
  readonly #offsets: number[] = []
  readonly #positions: number[] = []
  readonly #timestamps: number[] = []

  /** Opens or creates the file; `recover` must have run to its end before anything is appended or read. */
  constructor(directory: string, baseOffset: number, disk: Disk, name = fileName(baseOffset)) {
    this.baseOffset = baseOffset
    this.#directory = directory
    this.#name = name
    // Not 'a': with O_APPEND Linux ignores the position of a write.
    this.#file = openSync(join(directory, name), constants.O_RDWR | constants.O_CREAT)
    this.#disk = disk
  }

  get size(): number {
    return this.#size
  }

  /** The greatest timestamp in the segment, -1 when it is empty. */
  get maxTimestamp(): number {
    return this.#timestamps.at(-1) ?? -1
  }

  /** The greatest timestamp, or when the file was last written if its records have none. */
  get largestTimestamp(): number {
    return this.maxTimestamp >= 0 ? this.maxTimestamp : fstatSync(this.#file).mtimeMs
  }

  /** The greatest timestamp of the first batch, from which the segment's age is counted; -1 when there is none. */
  get firstTimestamp(): number {
    return this.#firstTimestamp
  }

  /**
   * Rebuilds the index from the file, yielding every batch, and cuts what follows the last whole one.
   *
   * @param verify also check each batch's CRC: needed where the last write may have been torn
   * @returns how many bytes were cut
   */
  *recover(verify: boolean): Generator<ScannedBatch, number, undefined> {
    const end = fstatSync(this.#file).size
    for (const batch of this.#batches(0, end)) {
      if (batch.readInt8(at.magic) !== 2 || (verify && !verifyCrc(batch))) break
      const header = readHeader(batch, 0)
      this.#index(header.baseOffset, header.maxTimestamp, batch.length)
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
   * The bytes from the batch that holds `offset` on, or from the next one if none does; undefined if there is none.
   * At most `maxBytes` (a last batch may be cut, as Kafka does), and only batches below `limit`. A first batch over
   * `maxBytes` comes whole if `atLeastOne`, else nothing comes.
   */
  read(offset: number, maxBytes: number, limit: number, atLeastOne: boolean): Buffer | undefined {
    for (let entry = this.#floor(this.#offsets, offset); entry < this.#positions.length; entry++) {
      const position = this.#positions[entry] ?? 0
      const window = this.#pread(position, INDEX_INTERVAL_BYTES + at.records + maxBytes)
      const first = seek(window, offset)
      const length = batchLength(window, first)
      // The compacted batches up to the next entry all end below the offset.
      if (length === undefined) continue
      if (readInt64(window, first) >= limit) return Buffer.alloc(0)
      if (length > maxBytes) return atLeastOne ? this.#pread(position + first, length) : Buffer.alloc(0)
      const end = Math.min(first + maxBytes, window.length)
      return window.subarray(first, limitEnd(window, first, end, limit))
    }
    return undefined
  }

  /** Every batch from the one that holds `offset` on, one by one. */
  batchesFrom(offset: number): Generator<Buffer, void, undefined> {
    return this.#batches(this.#positions[this.#floor(this.#offsets, offset)] ?? 0, this.#size)
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

  rename(name: string): void {
    renameSync(join(this.#directory, this.#name), join(this.#directory, name))
    this.#name = name
  }

  close(): void {
    closeSync(this.#file)
  }

  remove(): void {
    closeSync(this.#file)
    rmSync(join(this.#directory, this.#name), { force: true })
  }

  /** The whole batches in `[position, end)`, up to a length that no batch can have. */
  *#batches(position: number, end: number): Generator<Buffer, void, undefined> {
    let window: Buffer = Buffer.alloc(0)
    let windowStart = position
    for (;;) {
      const start = position - windowStart
      const wanted = batchLength(window, start)
      if (wanted !== undefined && start + wanted <= window.length) {
        yield window.subarray(start, start + wanted)
        position += wanted
        continue
      }
      const length = Math.min(Math.max(SCAN_BYTES, wanted ?? 0), end - position)
      if (length < at.records || (wanted ?? 0) > length) return
      window = this.#pread(position, length, end)
      windowStart = position
      if (batchLength(window, 0) === undefined) return
    }
  }

  #index(baseOffset: number, maxTimestamp: number, length: number): void {
    if (this.#size === 0) this.#firstTimestamp = maxTimestamp
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

/** What a cleaner is writing. */
export function cleanedName(baseOffset: number): string {
  return `${fileName(baseOffset)}.cleaned`
}

/** What a cleaner has written to replace the segments in `[baseOffset, endOffset)`. */
export function swapName(baseOffset: number, endOffset: number): string {
  return `${fileName(baseOffset)}.${endOffset}.swap`
}

/** The base offsets of the segments in a directory, after what cleaners left there was completed or removed. */
export function segmentsIn(directory: string): readonly number[] {
  const names = readdirSync(directory)
  let offsets = names.filter((name) => name.endsWith('.log')).map((name) => Number.parseInt(name, 10))
  for (const name of names) {
    if (name.endsWith('.cleaned')) rmSync(join(directory, name))
    const [base = '', , end] = name.split('.')
    if (!name.endsWith('.swap')) continue
    const isReplaced = (offset: number) => offset >= Number(base) && offset < Number(end)
    for (const offset of offsets.filter(isReplaced)) rmSync(join(directory, fileName(offset)))
    renameSync(join(directory, name), join(directory, fileName(Number(base))))
    offsets = [...offsets.filter((offset) => !isReplaced(offset)), Number(base)]
  }
  return offsets.sort((a, b) => a - b)
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
