import { toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { BatchHeader } from '../../records/batch.ts'
import { type Rebatched, Rebatcher } from '../../records/rebatch.ts'
import { forEachRecord, type RecordCursor } from '../../records/record.ts'

/** A fetched batch that is to be copied. */
export interface Piece {
  readonly batch: Buffer
  readonly header: BatchHeader
  /** Its records below this offset have been copied before. */
  readonly from: number
  /** Its records from this offset on are not looked at; all are by default. */
  readonly until?: number
  /** It may go on as it is. */
  readonly passes: boolean
  /** Leader epoch of the batch before it, -1 when unknown. */
  readonly epochBefore: number
}

/** What became of a run. */
export interface RunOutcome {
  readonly batches: readonly Rebatched[]
  /** Set when something cannot be copied: `batches` hold what comes before it. */
  readonly failure?: RunFailure
}

/** The offsets `[offset, until)` cannot be copied. */
export interface RunFailure {
  readonly offset: number
  readonly until: number
  /** Of the batch before it, -1 when unknown. */
  readonly leaderEpoch: number
  readonly stop: Stop
}

/** How source batches went on, counted. */
export interface Paths {
  /** As they were. */
  batchesPassed: number
  /** Together with others, because they were small. */
  batchesMerged: number
  /** Taken apart, because they could not pass. */
  batchesDecoded: number
  /** Left behind by filters. */
  recordsFiltered: number
}

/** How the records of a run are treated. */
export interface RunOptions {
  readonly paths: Paths
  /** Whether a record is copied; all are by default. */
  readonly filter?: ((record: RecordCursor) => boolean) | undefined
}

/**
 * Below so many bytes a batch is worth merging: a request costs the target about as much as copying them costs us.
 * Compressed ones have to be unpacked and packed again.
 */
const SMALL_BYTES = 16 * 1024
const SMALL_PACKED_BYTES = 4 * 1024
const RUN_BYTES_MAX = 512 * 1024

/** Neighbouring batches of one partition that go on together: one as it is, or the records of several in new batches. */
export class Run {
  readonly #paths: Paths
  readonly #filter: RunOptions['filter']
  #pieces: Piece[] = []
  #bytes = 0

  constructor({ paths, filter }: RunOptions) {
    this.#paths = paths
    this.#filter = filter
  }

  /** Whether a piece may go on together with what is there. */
  fits(piece: Piece): boolean {
    const last = this.#pieces.at(-1)
    return last === undefined || (isSmall(piece) && last.header.codec === piece.header.codec)
  }

  add(piece: Piece): void {
    this.#pieces.push(piece)
    this.#bytes += isSmall(piece) ? piece.batch.length : RUN_BYTES_MAX
  }

  /** Nothing should be added any more. */
  get isFull(): boolean {
    return this.#bytes >= RUN_BYTES_MAX
  }

  /**
   * Ends the run.
   *
   * @param maxBytes the target's limit on a batch
   * @param isLeftOut whether what cannot be copied is left out, so that the rest goes on
   */
  take(maxBytes: number, isLeftOut: (failure: RunFailure) => boolean): RunOutcome {
    let pieces: readonly Piece[] = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    const batches: Rebatched[] = []
    for (;;) {
      const { batches: made, failure } = this.#letGo(pieces, maxBytes)
      batches.push(...made)
      if (failure === undefined) return { batches }
      if (!isLeftOut(failure)) return { batches, failure }
      pieces = behind(pieces, failure.until)
    }
  }

  #letGo(pieces: readonly Piece[], maxBytes: number): RunOutcome {
    const [first] = pieces
    if (first === undefined) return { batches: [] }
    if (pieces.length === 1 && first.passes && this.#filter === undefined) {
      this.#paths.batchesPassed++
      return { batches: [{ batch: first.batch, records: first.header.count }] }
    }
    for (const { passes } of pieces) this.#paths[passes ? 'batchesMerged' : 'batchesDecoded']++
    const { filtered, ...outcome } = rebatched(pieces, maxBytes, this.#filter)
    this.#paths.recordsFiltered += filtered
    return outcome
  }
}

/** What of the pieces lies at or behind an offset. */
function behind(pieces: readonly Piece[], offset: number): Piece[] {
  return pieces
    .filter(({ header }) => header.lastOffset >= offset)
    .map((piece) => (piece.from < offset ? { ...piece, from: offset, passes: false } : piece))
}

function isSmall({ batch, header }: Piece): boolean {
  return batch.length < (header.codec === 0 ? SMALL_BYTES : SMALL_PACKED_BYTES)
}

type Outcome = RunOutcome & { readonly filtered: number }

function rebatched(pieces: readonly Piece[], maxBytes: number, filter: RunOptions['filter']): Outcome {
  const bytes = pieces.reduce((sum, { batch }) => sum + batch.length, 0)
  const rebatcher = new Rebatcher(pieces[0]?.header.codec ?? 0, maxBytes, bytes)
  let filtered = 0
  for (const [index, piece] of pieces.entries()) {
    const { from, until = Number.POSITIVE_INFINITY, header, epochBefore: leaderEpoch } = piece
    let asked = -1
    try {
      forEachRecord(piece.batch, (record) => {
        if (record.offset < from || record.offset >= until) return
        asked = record.offset
        if (filter === undefined || filter(record)) rebatcher.add(record)
        else filtered++
      })
    } catch (error) {
      const { code, message: reason } = toFault(error)
      const before = pieces.slice(0, index)
      if (code === 'filter-failed') {
        const stop: Stop = { standing: 'rejected', reason: `the record at offset ${asked}: ${reason}` }
        const failure = { offset: asked, until: asked + 1, leaderEpoch, stop }
        return { ...rebatched([...before, { ...piece, until: asked }], maxBytes, filter), failure }
      }
      // Whatever of it was added is left out: the pieces before it are put together once more.
      const stop: Stop = { standing: 'source-corrupt', reason }
      const failure = { offset: from, until: header.lastOffset + 1, leaderEpoch, stop }
      return { ...rebatched(before, maxBytes, filter), failure }
    }
  }
  const batches = rebatcher.take()
  const isTooLarge = batches.some(({ batch }) => batch.length > maxBytes)
  return isTooLarge ? upToTooLarge(pieces, maxBytes, filter) : { batches, filtered }
}

/** Some record alone is above the limit: what comes before the first such. */
function upToTooLarge(pieces: readonly Piece[], maxBytes: number, filter: RunOptions['filter']): Outcome {
  for (const [index, piece] of pieces.entries()) {
    const { from, until = Number.POSITIVE_INFINITY, header, epochBefore: leaderEpoch } = piece
    let failure: RunFailure | undefined
    forEachRecord(piece.batch, (record) => {
      const { offset, bodyStart, bodyEnd } = record
      if (failure !== undefined || offset < from || offset >= until || filter?.(record) === false) return
      const alone = new Rebatcher(header.codec, maxBytes, bodyEnd - bodyStart)
      alone.add(record)
      const length = alone.take()[0]?.batch.length ?? 0
      if (length <= maxBytes) return
      const reason = `the record at offset ${offset} takes ${length} bytes, the target allows ${maxBytes}`
      failure = { offset, until: offset + 1, leaderEpoch, stop: { standing: 'rejected', reason } }
    })
    if (failure === undefined) continue
    const { offset }: RunFailure = failure
    const before = [...pieces.slice(0, index), { ...piece, until: offset }]
    return { ...rebatched(before, maxBytes, filter), failure }
  }
  return { batches: [], filtered: 0 }
}
