import type { BatchHeader } from '../../records/batch.ts'
import { codes, KafkaError } from './errors.ts'

/** Batches that are remembered per producer; a retry of one is answered with its original offset. */
const REMEMBERED_BATCHES = 5
const SEQUENCE_MAX = 0x7fffffff

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly timestamp: number
}

/** The last that a partition has of a producer, which a cleaner has to leave there. */
export interface LastRecord {
  readonly producerEpoch: number
  /** -1 when its epoch has no more than a marker. */
  readonly dataOffset: number
}

interface ProducerState {
  epoch: number
  /** Batches of this epoch, oldest first. */
  batches: RememberedBatch[]
  /** Of the last batch or marker. */
  lastTimestamp: number
  /** Of the last marker; -1 before the first. */
  coordinatorEpoch: number
}

/** A producer as DescribeProducers tells of it; -1 for what there is not. */
export interface ProducerDescription {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** The first offset of its open transaction. */
  readonly transactionStart: number
}

/** What ends a producer's transaction in a partition. */
export interface TransactionEnd {
  readonly producerId: number
  readonly producerEpoch: number
  readonly committed: boolean
  readonly coordinatorEpoch: number
  readonly timestamp: number
}

/** One aborted transaction in a partition, as consumers need it to filter (KIP-98). */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** The offset of its marker. */
  readonly lastOffset: number
  /** The last stable offset once the marker was written. */
  readonly lastStableOffset: number
}

/**
 * What one partition knows of its producers: idempotence, ongoing transactions, aborted ones. Rules and error codes
 * are those of Kafka 4.1's `ProducerAppendInfo` and `ProducerStateManager`.
 */
export class Producers {
  readonly #states = new Map<number, ProducerState>()
  /** Producer id to the first offset of its ongoing transaction; in the order of those offsets. */
  readonly #ongoing = new Map<number, number>()
  /** Producers whose first batch in a transaction has not been appended yet, with the least sequence they sent. */
  readonly #starting = new Map<number, { readonly epoch: number; readonly lowestSequence: number }>()
  /** In the order of their markers. */
  #aborted: AbortedTransaction[] = []

  /** The first offset of the earliest ongoing transaction, undefined when there is none. */
  get firstOngoing(): number | undefined {
    return this.#ongoing.values().next().value
  }

  /** Whether this producer, in this epoch, has written in a transaction that has no marker yet. */
  isOngoing(producerId: number, epoch: number): boolean {
    return this.#ongoing.has(producerId) && this.#states.get(producerId)?.epoch === epoch
  }

  /** The remembered batch that this one repeats, if it does. */
  duplicateOf(header: BatchHeader): RememberedBatch | undefined {
    const state = this.#states.get(header.producerId)
    if (state === undefined || state.epoch !== header.producerEpoch) return undefined
    const last = lastSequence(header)
    return state.batches.find(
      (batch) => batch.firstSequence === header.baseSequence && batch.lastSequence === last
    )
  }

  /**
   * A transactional batch of a producer without an ongoing transaction is about to be verified. As long as none was
   * appended, later batches have to wait for the earliest one, even where nothing is known of the producer's sequence.
   */
  start(header: BatchHeader): void {
    const known = this.#starting.get(header.producerId)
    const { producerEpoch: epoch, baseSequence: lowestSequence } = header
    const isEarlier = known && epoch === known.epoch && lowestSequence < known.lowestSequence
    if (!known || isEarlier || epoch > known.epoch)
      this.#starting.set(header.producerId, { epoch, lowestSequence })
  }

  /** Refuses what a client may not append: an old epoch, a gap in its sequence, a stray plain batch. */
  check(header: BatchHeader): void {
    const { producerId, producerEpoch, baseSequence } = header
    const state = this.#states.get(producerId)
    if (state && producerEpoch < state.epoch) {
      throw new KafkaError(
        codes.INVALID_PRODUCER_EPOCH,
        `epoch ${producerEpoch} of producer ${producerId} is older than ${state.epoch}`
      )
    }
    const earliest = this.#starting.get(producerId)?.lowestSequence ?? Infinity
    const next = state?.epoch === producerEpoch ? nextSequence(state.batches.at(-1)) : 0
    if (baseSequence > earliest || (state && baseSequence !== next)) {
      throw new KafkaError(
        codes.OUT_OF_ORDER_SEQUENCE_NUMBER,
        `producer ${producerId} sent sequence ${baseSequence} where ${Math.min(next, earliest)} was expected`
      )
    }
    if (!header.transactional && this.#ongoing.has(producerId)) {
      throw new KafkaError(
        codes.INVALID_TXN_STATE,
        `producer ${producerId} has a transaction open and sent a plain batch`
      )
    }
  }

  /** Takes note of an appended data batch. */
  remember(header: BatchHeader, baseOffset: number): void {
    if (header.transactional) this.#starting.delete(header.producerId)
    const state = this.#enter(header.producerId, header.producerEpoch)
    state.batches.push({
      firstSequence: header.baseSequence,
      lastSequence: lastSequence(header),
      baseOffset,
      lastOffset: baseOffset + header.lastOffsetDelta,
      timestamp: header.logAppendTime ? header.maxTimestamp : -1
    })
    if (state.batches.length > REMEMBERED_BATCHES) state.batches.shift()
    state.lastTimestamp = header.maxTimestamp
    if (header.transactional && !this.#ongoing.has(header.producerId)) {
      this.#ongoing.set(header.producerId, baseOffset)
    }
  }

  /** Takes note of a marker at `offset`, which ends the producer's transaction and fences its older epochs. */
  end(
    { producerId, producerEpoch, committed, coordinatorEpoch, timestamp }: TransactionEnd,
    offset: number
  ): void {
    this.#starting.delete(producerId)
    const state = this.#enter(producerId, producerEpoch)
    state.coordinatorEpoch = coordinatorEpoch
    state.lastTimestamp = timestamp
    const firstOffset = this.#ongoing.get(producerId)
    if (firstOffset === undefined) return
    this.#ongoing.delete(producerId)
    if (committed) return
    const lastStableOffset = this.firstOngoing ?? offset + 1
    this.#aborted.push({ producerId, firstOffset, lastOffset: offset, lastStableOffset })
  }

  /** Forgets aborted transactions of which nothing is left below the log's new start. */
  forgetBelow(startOffset: number): void {
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset >= startOffset)
  }

  /** Forgets aborted transactions of which a cleaner has left nothing but the marker. */
  forgetAborted(cleaned: ReadonlySet<AbortedTransaction>): void {
    this.#aborted = this.#aborted.filter((one) => !cleaned.has(one))
  }

  /** Forgets producers without an open transaction that were last heard of before this time. */
  expire(before: number): void {
    for (const [producerId, { lastTimestamp }] of this.#states) {
      if (lastTimestamp < before && !this.#ongoing.has(producerId)) this.#states.delete(producerId)
    }
  }

  lastRecordOf(producerId: number): LastRecord | undefined {
    const state = this.#states.get(producerId)
    return state && { producerEpoch: state.epoch, dataOffset: state.batches.at(-1)?.lastOffset ?? -1 }
  }

  describe(): readonly ProducerDescription[] {
    return [...this.#states].map(([producerId, { epoch, batches, lastTimestamp, coordinatorEpoch }]) => ({
      producerId,
      producerEpoch: epoch,
      lastSequence: batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp,
      coordinatorEpoch,
      transactionStart: this.#ongoing.get(producerId) ?? -1
    }))
  }

  /** Aborted transactions that touch `[from, to)`, in the order of their markers, as Kafka lists them. */
  abortedWithin(from: number, to: number): readonly AbortedTransaction[] {
    let low = 0
    let high = this.#aborted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#aborted[middle]?.lastOffset ?? 0) >= from) high = middle
      else low = middle + 1
    }
    const found: AbortedTransaction[] = []
    for (let index = low; index < this.#aborted.length; index++) {
      const aborted = this.#aborted[index]
      if (aborted === undefined) break
      if (aborted.firstOffset < to) found.push(aborted)
      if (aborted.lastStableOffset >= to) break
    }
    return found
  }

  #enter(producerId: number, epoch: number): ProducerState {
    const fresh = { epoch, batches: [], lastTimestamp: -1, coordinatorEpoch: -1 }
    const state = this.#states.get(producerId) ?? fresh
    if (state.epoch !== epoch) {
      state.epoch = epoch
      state.batches = []
    }
    this.#states.set(producerId, state)
    return state
  }
}

function lastSequence(header: BatchHeader): number {
  const last = header.baseSequence + header.lastOffsetDelta
  return last > SEQUENCE_MAX ? last - SEQUENCE_MAX - 1 : last
}

function nextSequence(last: RememberedBatch | undefined): number {
  if (last === undefined) return 0
  return last.lastSequence === SEQUENCE_MAX ? 0 : last.lastSequence + 1
}
