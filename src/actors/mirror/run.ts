import { toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { BatchHeader } from '../../records/batch.ts'
import { type Rebatched, Rebatcher } from '../../records/rebatch.ts'
import { forEachRecord } from '../../records/record.ts'

/** A fetched batch that is to be copied. */
export interface Piece {
  readonly batch: Buffer
  readonly header: BatchHeader
  /** Its records below this offset have been copied before. */
  readonly from: number
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
  #pieces: Piece[] = []
  #bytes = 0

  constructor(paths: Paths) {
    this.#paths = paths
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
    if (pieces.length === 1 && first.passes) {
      this.#paths.batchesPassed++
      return { batches: [{ batch: first.batch, records: first.header.count }] }
    }
    for (const { passes } of pieces) this.#paths[passes ? 'batchesMerged' : 'batchesDecoded']++
    return rebatched(pieces, maxBytes)
  }
}

/** What of the pieces lies at or behind an offset. */
function behind(pieces: readonly Piece[], offset: number): Piece[] {
  return pieces
    .filter(({ header }) => header.lastOffset >= offset)
    .map((piece) => (piece.header.baseOffset < offset ? { ...piece, from: offset, passes: false } : piece))
}

function isSmall({ batch, header }: Piece): boolean {
  return batch.length < (header.codec === 0 ? SMALL_BYTES : SMALL_PACKED_BYTES)
}

function rebatched(pieces: readonly Piece[], maxBytes: number): RunOutcome {
  const bytes = pieces.reduce((sum, { batch }) => sum + batch.length, 0)
  const rebatcher = new Rebatcher(pieces[0]?.header.codec ?? 0, maxBytes, bytes)
  for (const [index, piece] of pieces.entries()) {
    try {
      forEachRecord(piece.batch, (record) => {
        if (record.offset >= piece.from) rebatcher.add(record)
      })
    } catch (error) {
      // Whatever of it was added is left out: the pieces before it are put together once more.
      const { batches } = rebatched(pieces.slice(0, index), maxBytes)
      const stop: Stop = { standing: 'source-corrupt', reason: toFault(error).message }
      const until = piece.header.lastOffset + 1
      return { batches, failure: { offset: piece.from, until, leaderEpoch: piece.epochBefore, stop } }
    }
  }
  const batches = rebatcher.take()
  return batches.some(({ batch }) => batch.length > maxBytes) ? upToTooLarge(pieces, maxBytes) : { batches }
}

/** Some record alone is above the limit: what comes before the first such. */
function upToTooLarge(pieces: readonly Piece[], maxBytes: number): RunOutcome {
  const batches: Rebatched[] = []
  for (const { batch, header, from, epochBefore } of pieces) {
    let failure: RunFailure | undefined
    forEachRecord(batch, (record) => {
      if (record.offset < from || failure !== undefined) return
      const alone = new Rebatcher(header.codec, maxBytes, record.bodyEnd - record.bodyStart)
      alone.add(record)
      const [made] = alone.take()
      if (made === undefined) return
      if (made.batch.length <= maxBytes) batches.push(made)
      else {
        const reason = `the record at offset ${record.offset} takes ${made.batch.length} bytes, the target allows ${maxBytes}`
        const { offset } = record
        const stop: Stop = { standing: 'rejected', reason }
        failure = { offset, until: offset + 1, leaderEpoch: epochBefore, stop }
      }
    })
    if (failure !== undefined) return { batches, failure }
  }
  return { batches }
}
