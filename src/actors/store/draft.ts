import { createHash } from 'node:crypto'
import type { BatchHeader } from '../../records/batch.ts'
import { forEachRecord, type RecordCursor } from '../../records/record.ts'
import type { Chunk, ChunkFile } from './chunk.ts'
import { deadLetterLine } from './dead-letter.ts'
import { type DirectoryOf, isDatable } from './template.ts'

/** Rows of one data file on their way to its bytes. */
export interface RowEncoder {
  readonly rows: number
  /** What it holds in memory. */
  readonly bytes: number
  /** Adds the record as a row, or adds nothing and says why it cannot be one. */
  append(record: RecordCursor): { readonly reason: string } | undefined
  /** The whole file; nothing may be appended afterwards. */
  finish(): readonly Buffer[]
}

export interface DraftOptions {
  readonly topic: string
  readonly partition: number
  readonly directoryOf: DirectoryOf
  readonly encoder: () => RowEncoder
}

/** Files of one chunk at most: a topic whose timestamps leap must not open a writer per hour of the past. */
const DIRECTORIES_MAX = 32

interface Growing {
  readonly encoder: RowEncoder
  readonly times: Times
}

/** A chunk while it is built: rows by directory, dead letters, counts. Synchronous; knows no credits and no clock. */
export class ChunkDraft {
  readonly from: number
  readonly #options: DraftOptions
  readonly #growing = new Map<string, Growing>()
  readonly #dead: Buffer[] = []
  readonly #deadTimes = new Times()
  #deadBytes = 0
  #next: number
  #kept = 0
  #leaderEpoch = -1
  #last: { readonly directory: string; readonly growing: Growing } | undefined

  constructor(from: number, options: DraftOptions) {
    this.from = from
    this.#next = from
    this.#options = options
  }

  /** First offset not taken in. */
  get next(): number {
    return this.#next
  }

  get records(): number {
    return this.#kept + this.#dead.length
  }

  /** What it holds in memory. */
  get bytes(): number {
    let bytes = this.#deadBytes
    for (const { encoder } of this.#growing.values()) bytes += encoder.bytes
    return bytes
  }

  /**
   * Takes in a batch's records from `next` on, in order. False when it had to stop at a record that belongs into one
   * directory too many: that record is the first of the next chunk. Throws `batch-corrupt`; the draft is void then.
   */
  take(batch: Buffer, header: BatchHeader): boolean {
    let stopped = false
    forEachRecord(batch, (record) => {
      if (stopped || record.offset < this.#next) return
      stopped = !this.#takeRecord(record)
      if (stopped) return
      this.#next = record.offset + 1
      // Of the record before the chunk's end: an older epoch ends before it, which would look like a truncated log.
      this.#leaderEpoch = header.leaderEpoch
    })
    if (!stopped) this.skip(header)
    return !stopped
  }

  /** Passes over a batch that has nothing to keep: a marker, an aborted or an emptied one. */
  skip(header: BatchHeader): void {
    this.#next = Math.max(this.#next, header.lastOffset + 1)
    this.#leaderEpoch = header.leaderEpoch
  }

  /** Finishes all files. */
  finish(id: number): Chunk {
    const files: ChunkFile[] = []
    for (const [directory, { encoder, times }] of this.#growing) {
      if (encoder.rows === 0) continue
      const { rows } = encoder
      files.push(fileOf({ kind: 'data', directory, records: rows, ...times.range }, encoder.finish()))
    }
    if (this.#dead.length > 0) {
      const records = this.#dead.length
      files.push(fileOf({ kind: 'dead', directory: '', records, ...this.#deadTimes.range }, this.#dead))
    }
    const dead = this.#dead.length
    const counts = { read: this.#kept + dead, kept: this.#kept, filtered: 0, dead }
    return { id, from: this.from, to: this.#next, counts, leaderEpoch: this.#leaderEpoch, files }
  }

  #takeRecord(record: RecordCursor): boolean {
    const growing = this.#growingFor(this.#options.directoryOf(record.timestamp))
    if (growing === undefined) return false
    const refused = record.valueStart < 0 ? { reason: 'value is null' } : growing.encoder.append(record)
    if (refused === undefined) {
      growing.times.add(record.timestamp)
      this.#kept++
      return true
    }
    const { topic, partition } = this.#options
    const line = deadLetterLine(topic, partition, record, refused.reason)
    this.#dead.push(line)
    this.#deadBytes += line.length
    this.#deadTimes.add(record.timestamp)
    return true
  }

  #growingFor(directory: string): Growing | undefined {
    if (this.#last?.directory === directory) return this.#last.growing
    let growing = this.#growing.get(directory)
    if (growing === undefined) {
      if (this.#growing.size === DIRECTORIES_MAX) return undefined
      growing = { encoder: this.#options.encoder(), times: new Times() }
      this.#growing.set(directory, growing)
    }
    this.#last = { directory, growing }
    return growing
  }
}

class Times {
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY

  /** Timestamps that are absent (-1) or that no date can have do not count. */
  add(timestampMs: number): void {
    if (!isDatable(timestampMs)) return
    if (timestampMs < this.#min) this.#min = timestampMs
    if (timestampMs > this.#max) this.#max = timestampMs
  }

  get range(): Pick<ChunkFile, 'minEventTimeMs' | 'maxEventTimeMs'> {
    const known = this.#min <= this.#max
    return { minEventTimeMs: known ? this.#min : undefined, maxEventTimeMs: known ? this.#max : undefined }
  }
}

function fileOf(file: Omit<ChunkFile, 'parts' | 'bytes' | 'sha256'>, parts: readonly Buffer[]): ChunkFile {
  const hash = createHash('sha256')
  let bytes = 0
  for (const part of parts) {
    hash.update(part)
    bytes += part.length
  }
  return { ...file, parts, bytes, sha256: hash.digest('hex') }
}
