import { type BatchHeader, readHeader } from '../../records/batch.ts'
import { decodeRecords } from '../../records/record.ts'
import { type Cleaning, cleanBatch, deleteHorizonOf, emptyBatch } from './clean-batch.ts'
import type { PartitionLog } from './log.ts'
import type { AbortedTransaction } from './producers.ts'
import type { Segment } from './segment.ts'
import type { TopicConfig } from './topic-config.ts'

/** The part of a log that can be cleaned, by whole segments. */
interface Cleanable {
  readonly segments: readonly Segment[]
  /** The first offset that is not cleaned. */
  readonly endOffset: number
  readonly dirty: readonly Segment[]
}

/**
 * Compacts a partition if it is due (`cleanup.policy=compact`; Kafka's `LogCleaner`): of the records with one key the
 * last one stays, tombstones and the markers of transactions stay until their delete horizon, and what was aborted goes.
 * Nothing is cleaned from the segment that holds the last stable offset on, nor the segment that is appended to.
 *
 * @param firstDirty the first offset that was not cleaned before
 * @returns the first offset that is not cleaned now
 */
export function compact(log: PartitionLog, config: TopicConfig, firstDirty: number, now: number): number {
  const from = Math.max(firstDirty, log.startOffset)
  const cleanable = cleanableOf(log, config, from, now)
  if (!isDue(cleanable, config, now)) return firstDirty
  const { segments, endOffset, dirty } = cleanable
  const aborted = (start: number) => new CleanedTransactions(log.producers.abortedWithin(start, endOffset))
  const latest = latestOffsets(dirty, from, aborted(from))
  const transactions = aborted(log.startOffset)
  const rules: Rules = {
    log,
    latest,
    transactions,
    endOffset,
    now,
    deleteRetentionMs: config.deleteRetentionMs
  }
  for (const group of grouped(segments, config.segmentBytes)) {
    log.replaceSegments(group, cleanedBatches(group, rules))
  }
  log.producers.forgetAborted(transactions.cleaned)
  return endOffset
}

function cleanableOf(log: PartitionLog, config: TopicConfig, firstDirty: number, now: number): Cleanable {
  const inactive = log.segments.slice(0, -1)
  const active = log.segments.at(-1)?.baseOffset ?? 0
  const holds = (offset: number) => (segment: Segment, index: number) =>
    segment.baseOffset <= offset && (inactive[index + 1]?.baseOffset ?? active) > offset
  const firstDirtyIndex = Math.max(0, inactive.findIndex(holds(firstDirty)))
  const dirty = firstDirty >= active ? [] : inactive.slice(firstDirtyIndex)
  const lagging = dirty.find(({ largestTimestamp }) => largestTimestamp > now - config.minCompactionLagMs)
  const young = config.minCompactionLagMs > 0 ? (lagging?.baseOffset ?? active) : active
  const uncleanable = Math.max(firstDirty, Math.min(log.lastStableOffset, active, young))
  const endOffset = inactive.find(holds(uncleanable))?.baseOffset ?? active
  const isCleanable = ({ baseOffset }: Segment) => baseOffset < endOffset
  return { segments: inactive.filter(isCleanable), endOffset, dirty: dirty.filter(isCleanable) }
}

/** Enough of the log is dirty (`min.cleanable.dirty.ratio`), or some of it for too long (`max.compaction.lag.ms`). */
function isDue({ segments, dirty }: Cleanable, config: TopicConfig, now: number): boolean {
  const dirtyBytes = sizeOf(dirty)
  if (dirtyBytes === 0) return false
  const oldest = Math.min(
    ...dirty.map(({ firstTimestamp }) => (firstTimestamp > 0 ? firstTimestamp : Infinity))
  )
  return oldest < now - config.maxCompactionLagMs || dirtyBytes / sizeOf(segments) > config.minCleanableRatio
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { size }) => sum + size, 0)
}

/** The last offset of every key in the segments, but for what was aborted. */
function latestOffsets(
  dirty: readonly Segment[],
  firstDirty: number,
  transactions: CleanedTransactions
): ReadonlyMap<string, number> {
  const latest = new Map<string, number>()
  for (const segment of dirty) {
    for (const batch of segment.batchesFrom(segment.baseOffset)) {
      const header = readHeader(batch, 0)
      if (header.control) transactions.meetMarker(header, batch)
      else if (!transactions.meetBatch(header)) {
        for (const { key, offset } of decodeRecords(batch)) {
          if (key !== null && offset >= firstDirty) latest.set(key.toString('latin1'), offset)
        }
      }
    }
  }
  return latest
}

/** Neighbours that fit into one segment together become one. */
function* grouped(segments: readonly Segment[], segmentBytes: number): Generator<readonly Segment[]> {
  let group: Segment[] = []
  for (const segment of segments) {
    if (group.length > 0 && sizeOf(group) + segment.size > segmentBytes) {
      yield group
      group = []
    }
    group.push(segment)
  }
  if (group.length > 0) yield group
}

interface Rules {
  readonly log: PartitionLog
  readonly latest: ReadonlyMap<string, number>
  readonly transactions: CleanedTransactions
  readonly endOffset: number
  readonly now: number
  readonly deleteRetentionMs: number
}

function* cleanedBatches(segments: readonly Segment[], rules: Rules): Generator<Buffer> {
  for (const segment of segments) {
    for (const batch of segment.batchesFrom(segment.baseOffset)) {
      const header = readHeader(batch, 0)
      const cleaned = cleanBatch(batch, header, cleaningOf(batch, header, rules))
      if (cleaned) yield cleaned
      else if (staysEmpty(header, rules)) yield emptyBatch(batch)
    }
  }
}

function cleaningOf(batch: Buffer, header: BatchHeader, rules: Rules): Cleaning {
  const { latest, transactions, now, deleteRetentionMs } = rules
  const newHorizonMs = now + deleteRetentionMs
  const horizon = deleteHorizonOf(batch)
  const isOver = horizon !== undefined && horizon <= now
  if (header.control) {
    const marksEmptyTransaction = transactions.meetMarker(header, batch)
    return { isKept: () => !(marksEmptyTransaction && isOver), marksEmptyTransaction, newHorizonMs }
  }
  const isAborted = transactions.meetBatch(header)
  return {
    isKept: ({ offset, key, isTombstone }) => {
      if (isAborted || key === null || (isTombstone && isOver)) return false
      return offset >= (latest.get(key.toString('latin1')) ?? -1)
    },
    marksEmptyTransaction: false,
    newHorizonMs
  }
}

/** An empty batch keeps what a producer sent last, or where the cleaned part of the log ends. */
function staysEmpty(header: BatchHeader, { log, endOffset }: Rules): boolean {
  if (header.lastOffset + 1 === endOffset) return true
  const last = header.producerId < 0 ? undefined : log.producers.lastRecordOf(header.producerId)
  if (last === undefined) return false
  if (last.dataOffset >= 0) return header.lastOffset === last.dataOffset
  return header.control && header.producerEpoch === last.producerEpoch
}

/** Which transactions have batches left, as a cleaner walks along the log (Kafka's `CleanedTransactionMetadata`). */
class CleanedTransactions {
  /** Aborted transactions whose marker was met and whose batches had all gone before. */
  readonly cleaned = new Set<AbortedTransaction>()
  /** By their first offset, the last one first. */
  readonly #ahead: AbortedTransaction[]
  readonly #aborted = new Map<number, { readonly transaction: AbortedTransaction; hasBatches: boolean }>()
  /** Producers whose batches were met in a transaction that was not aborted. */
  readonly #committed = new Set<number>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Whether the batch was aborted. */
  meetBatch(header: BatchHeader): boolean {
    this.#enter(header.lastOffset)
    if (!header.transactional) return false
    const aborted = this.#aborted.get(header.producerId)
    if (aborted) aborted.hasBatches = true
    else this.#committed.add(header.producerId)
    return aborted !== undefined
  }

  /** Whether nothing but this marker is left of its transaction. */
  meetMarker(header: BatchHeader, batch: Buffer): boolean {
    this.#enter(header.lastOffset)
    const [marker] = decodeRecords(batch)
    // An empty marker was cleaned before.
    if (!marker) return true
    const isCommit = marker.key?.readInt16BE(2) === 1
    if (isCommit) return !this.#committed.delete(header.producerId)
    const aborted = this.#aborted.get(header.producerId)
    this.#aborted.delete(header.producerId)
    if (aborted?.hasBatches) return false
    if (aborted) this.cleaned.add(aborted.transaction)
    return true
  }

  #enter(offset: number): void {
    for (let next = this.#ahead.at(-1); next && next.firstOffset <= offset; next = this.#ahead.at(-1)) {
      this.#ahead.pop()
      if (!this.#aborted.has(next.producerId)) {
        this.#aborted.set(next.producerId, { transaction: next, hasBatches: false })
      }
    }
  }
}
