import { createHash } from 'node:crypto'
import type { BatchHeader } from '../../records/batch.ts'
import { forEachRecord, type RecordCursor } from '../../records/record.ts'
import type { TableFile } from '../files/table-file.ts'
import type { RowDecoder, RowSource } from '../rows/decoder.ts'
import type { Chunk, ChunkFile } from './chunk.ts'
import { deadLetterLine } from './dead-letter.ts'
import type { DeadLetterLimit } from './dead-limit.ts'
import { isDatable, type Layout } from './layout.ts'

export interface DraftOptions extends RowSource {
  readonly layout: Layout
  readonly decoder: RowDecoder
  /** A data file of the decoder's columns. */
  readonly file: () => TableFile
  /** Data files at most: events whose times leap must not open a writer per hour of the past. */
  readonly filesMax: number
  /** Records in all files at most. */
  readonly recordsMax: number
  /** Outlives the draft. Undefined: any number of dead letters may come. */
  readonly deadLimit: DeadLetterLimit | undefined
}

/**
 * What `take` did with a batch: all of it; or it stopped at a record that is the first of the next chunk, because it is one
 * too many, belongs into one file too many, or has other columns; or at one that the decoder cannot read yet.
 */
export type Taken = 'all' | 'full' | 'pending'

interface Growing {
  readonly file: TableFile
  readonly times: Times
}

/** A chunk while it is built: rows by directory, dead letters, counts. Synchronous; knows no credits and no clock. */
export class ChunkDraft {
  readonly from: number
  readonly #options: DraftOptions
  /** Those of every file in the chunk: an entry has one schema. */
  #columns: RowDecoder['columns'] | undefined
  readonly #growing = new Map<string, Growing>()
  readonly #dead: Buffer[] = []
  readonly #deadTimes = new Times()
  #deadBytes = 0
  #next: number
  #kept = 0
  #filtered = 0
  #leaderEpoch = -1
  #firstMs = -1
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
    return this.#kept + this.#filtered + this.#dead.length
  }

  /** Kafka timestamp of the first record that was taken in; -1 while there is none, or it has none. */
  get firstMs(): number {
    return this.#firstMs
  }

  /** Data files that are open. */
  get files(): number {
    return this.#growing.size
  }

  /** The next record belongs into the next chunk. */
  get isFull(): boolean {
    return this.#kept + this.#dead.length >= this.#options.recordsMax
  }

  /** About what its files would have. */
  get bytes(): number {
    let bytes = this.#deadBytes
    for (const { file } of this.#growing.values()) bytes += file.bytes
    return bytes
  }

  /** What it holds in memory, buffers that are not full included. */
  get memoryBytes(): number {
    let bytes = this.#deadBytes
    for (const { file } of this.#growing.values()) bytes += file.memoryBytes
    return bytes
  }

  /**
   * Takes in a batch's records from `next` on and before `end`, in order. Throws `batch-corrupt` and
   * `dead-letters-exceeded`; the draft is void then.
   */
  take(batch: Buffer, header: BatchHeader, end = Number.POSITIVE_INFINITY): Taken {
    let taken: Taken = 'all'
    forEachRecord(batch, (record) => {
      if (taken !== 'all' || record.offset < this.#next || record.offset >= end) return
      taken = this.#takeRecord(record)
      if (taken !== 'all') return
      if (this.#firstMs < 0) this.#firstMs = record.timestamp
      this.#next = record.offset + 1
      // Of the record before the chunk's end: an older epoch ends before it, which would look like a truncated log.
      this.#leaderEpoch = header.leaderEpoch
    })
    if (taken === 'all') this.skip(header)
    return taken
  }

  /** Passes over a batch that has nothing to keep: a marker, an aborted or an emptied one. */
  skip(header: BatchHeader): void {
    this.#next = Math.max(this.#next, header.lastOffset + 1)
    this.#leaderEpoch = header.leaderEpoch
  }

  /** Finishes all files. */
  finish(id: number): Chunk {
    const files: ChunkFile[] = []
    for (const [directory, { file, times }] of this.#growing) {
      const { rows, extension } = file
      const facts = { kind: 'data', directory, extension, records: rows, ...times.range } as const
      files.push(fileOf(facts, file.finish()))
    }
    if (this.#dead.length > 0) {
      const records = this.#dead.length
      files.push(fileOf({ kind: 'dead', directory: '', records, ...this.#deadTimes.range }, this.#dead))
    }
    const dead = this.#dead.length
    const [kept, filtered] = [this.#kept, this.#filtered]
    const counts = { read: kept + filtered + dead, kept, filtered, dead }
    return { id, from: this.from, to: this.#next, counts, leaderEpoch: this.#leaderEpoch, files }
  }

  #takeRecord(record: RecordCursor): Taken {
    if (this.isFull) return 'full'
    const { decoder, layout, deadLimit } = this.#options
    const outcome = decoder.read(record)
    if (outcome === 'pending') return 'pending'
    if (outcome === 'row') {
      const growing = this.#growingFor(layout.directoryOf(record.timestamp, decoder), decoder.columns)
      if (growing === undefined) return 'full'
      decoder.appendTo(growing.file)
      growing.file.endRow()
      growing.times.add(layout.timeMs)
      this.#kept++
    } else if (outcome === 'filtered') this.#filtered++
    else {
      this.#bury(record, outcome.reason)
      deadLimit?.countDead(record.offset, outcome.reason)
      return 'all'
    }
    deadLimit?.countRow()
    return 'all'
  }

  #bury(record: RecordCursor, reason: string): void {
    const { topic, partition } = this.#options
    const line = deadLetterLine(topic, partition, record, reason)
    this.#dead.push(line)
    this.#deadBytes += line.length
    this.#deadTimes.add(record.timestamp)
  }

  #growingFor(directory: string, columns: RowDecoder['columns']): Growing | undefined {
    if (this.#columns !== columns && this.#columns !== undefined) return undefined
    if (this.#last?.directory === directory) return this.#last.growing
    let growing = this.#growing.get(directory)
    if (growing === undefined) {
      const { file, filesMax } = this.#options
      if (this.#growing.size >= filesMax) return undefined
      this.#columns = columns
      growing = { file: file(), times: new Times() }
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
