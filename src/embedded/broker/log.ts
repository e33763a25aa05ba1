import { mkdirSync } from 'node:fs'
import { Fault } from '../../errors.ts'
import { at, type BatchHeader, bit } from '../../records/batch.ts'
import { readInt64, writeInt64 } from '../../records/bytes.ts'
import { crc32c } from '../../records/crc32c.ts'
import { decodeRecords, encodeBatch } from '../../records/record.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { type AbortedTransaction, Producers, type TransactionEnd } from './producers.ts'
import { cleanedName, fileName, Segment, segmentsIn, swapName } from './segment.ts'

/** Who leads a partition, and which nodes have it. */
export interface Leadership {
  /** A node's id; -1 while no replica is up. */
  readonly leader: number
  readonly replicas: readonly number[]
  /** Stamped into batches. Rises with every change of the leader, and with every start of the broker. */
  readonly epoch: number
}

export interface LogOptions {
  readonly directory: string
  readonly disk: Disk
  readonly leadership: Leadership
  /** Read at each append, so that a change of the topic's config takes effect. */
  readonly config: () => { readonly segmentBytes: number; readonly segmentMs: number }
  readonly startOffset: number
}

export interface Appended {
  readonly baseOffset: number
  /** The broker's clock where the topic stamps LogAppendTime, else -1. */
  readonly appendTime: number
}

export interface ReadResult {
  readonly records: Buffer
  /** Only for read_committed; otherwise null. */
  readonly aborted: readonly AbortedTransaction[] | null
}

export interface OffsetAt {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** One partition: segments on disk, and in memory what has to be known of them. */
export class PartitionLog {
  readonly producers = new Producers()
  /** Called with the number of bytes after every append, and with 0 when all else changed; for fetches in wait. */
  readonly watchers = new Set<(bytes: number) => void>()
  readonly #options: LogOptions
  readonly #segments: Segment[] = []
  readonly #epochs = new LeaderEpochs()
  #leadership: Leadership
  #startOffset: number
  #endOffset: number

  /** Opens the partition's directory and recovers: a torn tail is cut, all state follows from the batches. */
  constructor(options: LogOptions) {
    this.#options = options
    this.#leadership = options.leadership
    this.#startOffset = options.startOffset
    this.#endOffset = options.startOffset
    mkdirSync(options.directory, { recursive: true })
    this.#recover()
    this.#epochs.enter(this.leaderEpoch, this.#endOffset)
  }

  get leadership(): Leadership {
    return this.#leadership
  }

  get leaderEpoch(): number {
    return this.#leadership.epoch
  }

  /** Oldest first; the last one is appended to. None before the first append. */
  get segments(): readonly Segment[] {
    return this.#segments
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** The offset of the next record: with one replica also the high watermark. */
  get endOffset(): number {
    return this.#endOffset
  }

  get lastStableOffset(): number {
    return this.producers.firstOngoing ?? this.#endOffset
  }

  /** The greatest timestamp, -1 when there are no records. */
  get maxTimestamp(): number {
    return this.#segments.reduce((greatest, segment) => Math.max(greatest, segment.maxTimestamp), -1)
  }

  /** Takes up another leadership; fetches in wait look again. */
  lead(leadership: Leadership): void {
    this.#leadership = leadership
    this.#epochs.enter(leadership.epoch, this.#endOffset)
    this.#notify(0)
  }

  /**
   * Appends a client's batch, which must have been validated, and returns where it is; a repeated batch of an
   * idempotent producer is not appended again. The batch's header is completed in place.
   *
   * @param appendTime the clock, for a topic with LogAppendTime; undefined keeps the producer's timestamps
   */
  append(batch: Buffer, header: BatchHeader, appendTime?: number): Appended {
    if (header.producerId >= 0) {
      const duplicate = this.producers.duplicateOf(header)
      if (duplicate) return { baseOffset: duplicate.baseOffset, appendTime: duplicate.timestamp }
      this.producers.check(header)
    }
    if (appendTime !== undefined) stampAppendTime(batch, appendTime)
    const baseOffset = this.#write(batch, header.lastOffsetDelta + 1, appendTime ?? header.maxTimestamp)
    if (header.producerId >= 0) {
      const stamped =
        appendTime === undefined ? header : { ...header, logAppendTime: true, maxTimestamp: appendTime }
      this.producers.remember(stamped, baseOffset)
    }
    this.#notify(batch.length)
    return { baseOffset, appendTime: appendTime ?? -1 }
  }

  /** Writes the marker that ends a producer's transaction here (KIP-98 control record). */
  appendMarker(end: TransactionEnd): void {
    const { producerId, producerEpoch, committed, coordinatorEpoch, timestamp } = end
    const key = Buffer.from([0, 0, 0, committed ? 1 : 0])
    const value = Buffer.alloc(6) // Version 0, then the coordinator's epoch.
    value.writeInt32BE(coordinatorEpoch, 2)
    const record = { key, value, headers: [], timestamp }
    const batch = encodeBatch([record], {
      codec: 0,
      producerId,
      producerEpoch,
      transactional: true,
      control: true
    })
    const offset = this.#write(batch, 1, timestamp)
    this.producers.end(end, offset)
    this.#notify(batch.length)
  }

  /**
   * Reads from `offset` on. Throws `OFFSET_OUT_OF_RANGE`.
   *
   * @param committed read_committed: nothing at or beyond the last stable offset, and the aborted list
   * @param atLeastOne the first batch comes whole even if it is larger than `maxBytes`
   */
  read(offset: number, maxBytes: number, committed: boolean, atLeastOne: boolean): ReadResult {
    if (offset < this.#startOffset || offset > this.#endOffset) {
      throw new KafkaError(codes.OFFSET_OUT_OF_RANGE, `offset ${offset} is out of range`)
    }
    const limit = committed ? this.lastStableOffset : this.#endOffset
    if (offset >= limit) return { records: Buffer.alloc(0), aborted: committed ? [] : null }
    const records = this.#read(offset, maxBytes, limit === this.#endOffset ? Infinity : limit, atLeastOne)
    if (!committed) return { records, aborted: null }
    return { records, aborted: this.producers.abortedWithin(offset, endOf(records)) }
  }

  /** The first record with this timestamp or a later one. */
  offsetAt(timestamp: number): OffsetAt | undefined {
    for (const segment of this.#segments) {
      const from = segment.offsetBeforeTimestamp(timestamp)
      if (from === undefined) continue
      for (const batch of segment.batchesFrom(Math.max(from, this.#startOffset))) {
        if (readInt64(batch, at.maxTimestamp) < timestamp) continue
        const record = decodeRecords(batch).find(
          (one) => one.timestamp >= timestamp && one.offset >= this.#startOffset
        )
        if (record) return { ...record, leaderEpoch: batch.readInt32BE(at.leaderEpoch) }
      }
    }
    return undefined
  }

  /** Where a leader epoch ended, as `LeaderEpochs.endOf` tells it. */
  endOfEpoch(epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return this.#epochs.endOf(epoch, this.#endOffset)
  }

  /** Drops records below `offset`; whole segments go from the disk. */
  truncateFront(offset: number): void {
    if (offset <= this.#startOffset) return
    this.#startOffset = offset
    while ((this.#segments[1]?.baseOffset ?? Infinity) <= offset) this.#segments.shift()?.remove()
    this.#epochs.truncateFront(offset)
    this.producers.forgetBelow(offset)
  }

  /** Drops the oldest segments; where that is all of them, the log goes on in a new one. */
  dropSegments(count: number): void {
    if (count === this.#segments.length && (this.#segments.at(-1)?.size ?? 0) > 0) this.#roll()
    const next = this.#segments[count]
    if (next) this.truncateFront(next.baseOffset)
  }

  /** Replaces neighbouring segments by one with the batches that a cleaner left of them, all or nothing. */
  replaceSegments(replaced: readonly Segment[], batches: Iterable<Buffer>): void {
    const [first] = replaced
    if (first === undefined) return
    const index = this.#segments.indexOf(first)
    const next = this.#segments[index + replaced.length]
    if (next === undefined) return
    const { baseOffset } = first
    const { directory, disk } = this.#options
    const cleaned = new Segment(directory, baseOffset, disk, cleanedName(baseOffset))
    try {
      for (const batch of batches) {
        cleaned.append(batch, readInt64(batch, at.baseOffset), readInt64(batch, at.maxTimestamp))
      }
    } catch (error) {
      cleaned.remove()
      throw error
    }
    // From here on a start of the broker completes the swap.
    cleaned.rename(swapName(baseOffset, next.baseOffset))
    for (const segment of replaced) segment.remove()
    cleaned.rename(fileName(baseOffset))
    this.#segments.splice(index, replaced.length, cleaned)
  }

  close(): void {
    for (const segment of this.#segments) segment.close()
  }

  /** Closes the partition for good; those who wait for its data look again and find it gone. */
  remove(): void {
    this.close()
    this.#notify(0)
  }

  #notify(bytes: number): void {
    for (const watcher of this.watchers) watcher(bytes)
  }

  #write(batch: Buffer, offsets: number, maxTimestamp: number): number {
    const baseOffset = this.#endOffset
    writeInt64(batch, baseOffset, at.baseOffset)
    batch.writeInt32BE(this.leaderEpoch, at.leaderEpoch)
    this.#active(batch.length, maxTimestamp).append(batch, baseOffset, maxTimestamp)
    this.#endOffset = baseOffset + offsets
    return baseOffset
  }

  /** The segment for the next batch: a new one when the last is full, or too old by the batches' own timestamps. */
  #active(bytes: number, maxTimestamp: number): Segment {
    const { segmentBytes, segmentMs } = this.#options.config()
    const last = this.#segments.at(-1)
    if (!last) return this.#roll()
    const isOld = last.firstTimestamp >= 0 && maxTimestamp - last.firstTimestamp > segmentMs
    return last.size === 0 || (last.size + bytes <= segmentBytes && !isOld) ? last : this.#roll()
  }

  #roll(): Segment {
    const segment = new Segment(this.#options.directory, this.#endOffset, this.#options.disk)
    this.#segments.push(segment)
    return segment
  }

  #read(offset: number, maxBytes: number, limit: number, atLeastOne: boolean): Buffer {
    const holder = this.#segments.findLastIndex(({ baseOffset }) => baseOffset <= offset)
    for (let index = Math.max(0, holder); index < this.#segments.length; index++) {
      const records = this.#segments[index]?.read(offset, maxBytes, limit, atLeastOne)
      if (records) return records
    }
    return Buffer.alloc(0)
  }

  #recover(): void {
    const { directory, disk } = this.#options
    const offsets = segmentsIn(directory)
    for (const [index, baseOffset] of offsets.entries()) {
      const newest = index === offsets.length - 1
      const segment = new Segment(directory, baseOffset, disk)
      this.#segments.push(segment)
      this.#endOffset = Math.max(this.#endOffset, baseOffset)
      const batches = segment.recover(newest)
      let step = batches.next()
      for (; !step.done; step = batches.next()) this.#replay(step.value.header, step.value.batch)
      if (step.value > 0 && !newest) {
        throw new Fault('log-corrupt', `${directory}/${fileName(baseOffset)} is damaged`)
      }
    }
    const start = Math.max(this.#startOffset, offsets[0] ?? 0)
    this.#startOffset = 0
    this.truncateFront(start)
  }

  #replay(header: BatchHeader, batch: Buffer): void {
    this.#endOffset = header.lastOffset + 1
    this.#epochs.enter(header.leaderEpoch, header.baseOffset)
    if (header.control) {
      const { producerId, producerEpoch, maxTimestamp: timestamp } = header
      const [marker] = decodeRecords(batch)
      const committed = marker?.key?.readInt16BE(2) === 1
      const coordinatorEpoch = marker?.value?.readInt32BE(2) ?? 0
      const end = { producerId, producerEpoch, committed, coordinatorEpoch, timestamp }
      this.producers.end(end, header.baseOffset)
    } else if (header.producerId >= 0) {
      this.producers.remember(header, header.baseOffset)
    }
  }
}

/** The offset after the last batch of a record set; a cut last batch counts, as far as its header is there. */
function endOf(records: Buffer): number {
  let end = 0
  for (let start = 0; start + at.baseTimestamp <= records.length; ) {
    end = readInt64(records, start) + records.readInt32BE(start + at.lastOffsetDelta) + 1
    start += records.readInt32BE(start + at.length) + at.leaderEpoch
  }
  return end
}

/** LogAppendTime: the broker's clock replaces the timestamps, so the CRC has to be made anew. */
function stampAppendTime(batch: Buffer, now: number): void {
  batch.writeInt16BE(batch.readInt16BE(at.attributes) | bit.logAppendTime, at.attributes)
  writeInt64(batch, now, at.maxTimestamp)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
}
