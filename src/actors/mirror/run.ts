import { toFault } from '../../errors.ts'
import type { Stop } from '../../machines/ledger.ts'
import type { RefusedRecord, Suspicion } from '../../machines/refused.ts'
import type { Expectation } from '../../machines/shard-protocol.ts'
import type { BatchHeader } from '../../records/batch.ts'
import { Rebatcher } from '../../records/rebatch.ts'
import { forEachRecord, forEachUnverified, type RecordCursor, registerOfLone } from '../../records/record.ts'
import type { DeadLetter, DeadLetters } from './dead-letters.ts'
import { type Placed, Spread, type SpreadOptions } from './spread.ts'

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
  readonly batches: readonly Placed[]
  /** What was left out of them, because the rules want it so, in the order of offsets. */
  readonly leftOut: readonly LeftOut[]
  /** Set when something cannot be copied: `batches` hold what comes before it. */
  readonly failure?: RunFailure
}

/** The offsets `[offset, until)` cannot be copied. */
export interface LeftOut {
  readonly offset: number
  readonly until: number
  readonly stop: Stop
  /** What goes to the topic for dead letters in its place. */
  readonly letter?: DeadLetter
}

export interface RunFailure extends LeftOut {
  /** Of the batch before it, -1 when unknown. */
  readonly leaderEpoch: number
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
export interface RunOptions extends Pick<Expectation, 'maxBytes' | 'policies'>, SpreadOptions {
  readonly paths: Paths
  /** Whether a record is copied; all are by default. */
  readonly filter?: ((record: RecordCursor) => boolean) | undefined
  /** Records that the target refuses, by offset. */
  readonly refused?: ReadonlyMap<number, RefusedRecord> | undefined
  readonly suspicion?: Suspicion | undefined
  /** Set where the rules want what is rejected to be kept. */
  readonly letters?: DeadLetters | undefined
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
  readonly #options: RunOptions
  #pieces: Piece[] = []
  #bytes = 0

  constructor(options: RunOptions) {
    this.#options = options
  }

  /** Whether a piece may go on together with what is there. */
  fits(piece: Piece): boolean {
    const last = this.#pieces.at(-1)
    return last === undefined || (this.#isMerged(piece) && last.header.codec === piece.header.codec)
  }

  add(piece: Piece): void {
    this.#pieces.push(piece)
    this.#bytes += this.#isMerged(piece) ? piece.batch.length : RUN_BYTES_MAX
  }

  /** Nothing should be added any more. */
  get isFull(): boolean {
    return this.#bytes >= RUN_BYTES_MAX
  }

  /** Ends the run. */
  take(): RunOutcome {
    let pieces: readonly Piece[] = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    const batches: Placed[] = []
    const leftOut: LeftOut[] = []
    for (;;) {
      const made = this.#letGo(pieces)
      batches.push(...made.batches)
      leftOut.push(...made.leftOut)
      const { failure } = made
      if (failure === undefined) return { batches, leftOut }
      if (!isLeftOut(failure, this.#options.policies)) return { batches, leftOut, failure }
      leftOut.push(failure)
      pieces = pieces.filter(({ header }) => header.lastOffset >= failure.until)
    }
  }

  /** What is spread over partitions is taken apart anyway. */
  #isMerged(piece: Piece): boolean {
    return isSmall(piece) || this.#options.hashedOver !== undefined
  }

  #letGo(pieces: readonly Piece[]): RunOutcome {
    const [first] = pieces
    const { paths } = this.#options
    if (first === undefined) return { batches: [], leftOut: [] }
    if (pieces.length === 1 && mayPass(first, this.#options)) {
      paths.batchesPassed++
      const { baseOffset, count } = first.header
      const origins = [{ offset: baseOffset, count }]
      return { batches: [{ batch: first.batch, records: count, origins }], leftOut: [] }
    }
    const isMerged = pieces.length > 1
    for (const { passes } of pieces) paths[passes && isMerged ? 'batchesMerged' : 'batchesDecoded']++
    const { filtered, ...outcome } = rebatched(pieces, this.#options)
    paths.recordsFiltered += filtered
    return outcome
  }
}

function mayPass(piece: Piece, { filter, refused, suspicion, hashedOver }: RunOptions): boolean {
  const { passes, header } = piece
  if (!passes || filter !== undefined || hashedOver !== undefined) return false
  if (isSuspect(piece, suspicion) && header.count > suspicion.recordsMax) return false
  for (const offset of refused?.keys() ?? []) {
    if (header.baseOffset <= offset && offset <= header.lastOffset) return false
  }
  return true
}

/** A message of the former formats does not tell its first offset: it begins where the one before it ends. */
function isSuspect({ from, header }: Piece, suspicion: Suspicion | undefined): suspicion is Suspicion {
  return suspicion !== undefined && from < suspicion.until && header.lastOffset >= suspicion.from
}

function isLeftOut({ stop, letter }: LeftOut, { rejected, sourceCorrupt }: RunOptions['policies']): boolean {
  if (stop.standing === 'source-corrupt') return sourceCorrupt === 'skip'
  return rejected === 'skip' || letter !== undefined
}

function isSmall({ batch, header }: Piece): boolean {
  return batch.length < (header.codec === 0 ? SMALL_BYTES : SMALL_PACKED_BYTES)
}

type Outcome = RunOutcome & { readonly filtered: number }

/** @param until records from this offset on are not looked at */
function rebatched(pieces: readonly Piece[], options: RunOptions, until = Number.POSITIVE_INFINITY): Outcome {
  const { policies, filter, refused, hashedOver } = options
  const isPlain = filter === undefined && refused === undefined
  const isBlind = isPlain && hashedOver === undefined && until === Number.POSITIVE_INFINITY
  const spread = new Spread(options, rebatcherOf(pieces, options))
  const leftOut: LeftOut[] = []
  let failure: LeftOut | undefined
  let filtered = 0
  for (const [index, { batch, header, from, passes }] of pieces.entries()) {
    try {
      if (isBlind && passes && header.count === 1 && header.codec === 0) {
        // It might pass as it is: so its record goes on as unread, and its CRC with it.
        forEachUnverified(batch, header, (record) => spread.add(record, registerOfLone(batch, record)))
        continue
      }
      forEachRecord(batch, (record) => {
        if (record.offset < from || record.offset >= until || failure !== undefined) return
        const verdict = isPlain ? 'copied' : verdictOn(record, options)
        if (verdict === 'copied') spread.add(record)
        else if (verdict === 'filtered') filtered++
        else if (isLeftOut(verdict, policies)) leftOut.push(verdict)
        else failure = verdict
      })
    } catch (error) {
      // Whatever of it was added is left out: the pieces before it are put together once more.
      const stop: Stop = { standing: 'source-corrupt', reason: toFault(error).message }
      const damaged = failed({ offset: from, until: header.lastOffset + 1, stop }, pieces)
      return { failure: damaged, ...rebatched(pieces.slice(0, index), options) }
    }
    if (failure !== undefined) break
  }
  const { batches, outsize } = withinLimit(spread.take(), options)
  const forbidden = outsize.find((one) => !isLeftOut(one, policies))
  if (forbidden !== undefined) {
    return { ...rebatched(pieces, options, forbidden.offset), failure: failed(forbidden, pieces) }
  }
  const inOrder = [...leftOut, ...outsize].sort((a, b) => a.offset - b.offset)
  return { batches, leftOut: inOrder, filtered, ...(failure && { failure: failed(failure, pieces) }) }
}

function rebatcherOf(pieces: readonly Piece[], { maxBytes, suspicion }: RunOptions) {
  const bytes = pieces.reduce((sum, { batch }) => sum + batch.length, 0)
  const recordsMax = pieces.some((piece) => isSuspect(piece, suspicion)) ? suspicion?.recordsMax : undefined
  const codec = pieces[0]?.header.codec ?? 0
  return (share: number) => new Rebatcher(codec, maxBytes, Math.ceil(bytes * share), recordsMax)
}

function verdictOn(record: RecordCursor, options: RunOptions): 'copied' | 'filtered' | LeftOut {
  const { filter, refused } = options
  const known = refused?.get(record.offset)
  if (known !== undefined)
    return rejected(record, known.reason, known.isFinal === true ? undefined : options.letters)
  try {
    return filter === undefined || filter(record) ? 'copied' : 'filtered'
  } catch (error) {
    const { code, message } = toFault(error)
    if (code !== 'filter-failed') throw error
    return rejected(record, `the record at offset ${record.offset}: ${message}`, options.letters)
  }
}

/** @param offset of the record on the source */
function rejected(
  record: RecordCursor,
  reason: string,
  letters: DeadLetters | undefined,
  offset = record.offset
): LeftOut {
  const letter = letters?.write(record, offset, reason)
  return { offset, until: offset + 1, stop: { standing: 'rejected', reason }, ...(letter && { letter }) }
}

/** A batch above the limit holds one record, which the target would refuse; those records in the order of offsets. */
function withinLimit(made: readonly Placed[], { maxBytes, letters }: RunOptions) {
  const outsize: LeftOut[] = []
  const batches = made.filter(({ batch, origins }) => {
    if (batch.length <= maxBytes) return true
    const offset = origins[0]?.offset ?? -1
    const reason = `the record at offset ${offset} takes ${batch.length} bytes, the target allows ${maxBytes}`
    forEachRecord(batch, (record) => outsize.push(rejected(record, reason, letters, offset)))
    return false
  })
  return { batches, outsize: outsize.sort((a, b) => a.offset - b.offset) }
}

function failed(failure: LeftOut, pieces: readonly Piece[]): RunFailure {
  const piece = pieces.find(({ header }) => header.lastOffset >= failure.offset)
  return { ...failure, leaderEpoch: piece?.epochBefore ?? -1 }
}
