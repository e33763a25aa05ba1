import { Fault } from '../../errors.ts'
import { AbortedFilter } from '../../records/aborted.ts'
import { type BatchHeader, batchesOf, readHeader } from '../../records/batch.ts'
import { type DecodedRecord, decodeRecords } from '../../records/record.ts'
import type { Cluster } from './cluster.ts'
import { isMoved, kafkaFault } from './errors.ts'
import { fetchApi, type PartitionAnswer } from './fetch.ts'
import type { Link } from './link.ts'
import { tellHolder } from './open-transactions.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { retrying } from './waiting.ts'

export interface ReadInternalOptions extends Omit<ReadBatchesOptions, 'onBatch'> {
  /** Called for every committed record in offset order; `value` null is a tombstone. */
  readonly onRecord: (record: InternalRecord) => void
}

export interface ReadBatchesOptions extends TopicPartition {
  readonly cluster: Cluster
  readonly signal: AbortSignal
  /** Called for every committed batch with records, in offset order. Its bytes are overwritten by nobody. */
  readonly onBatch: (batch: Buffer, header: BatchHeader) => void
  /** Called for those between them that are markers or were aborted. */
  readonly onLeftOut?: (header: BatchHeader) => void
  /** How long the last stable offset may lag behind before the writer in front counts as hanging, in milliseconds. */
  readonly transactionTimeoutMs: number
  /** First offset to read; the start of the log by default. */
  readonly from?: number
  /** Offset to read up to, at most; the high watermark by default. */
  readonly until?: number
  /** Reads what open and aborted transactions wrote, too, and waits for none of them. */
  readonly uncommitted?: boolean
  /** Called at most once, when the read has to wait for somebody's open transaction, with whose and where it is. */
  readonly onWaiting?: (reason: string) => void
}

/** A committed record with its offset. The bytes are its own: they may be kept. */
export type InternalRecord = DecodedRecord

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const FETCH_BYTES = 512 * 1024
const FETCH_WAIT_MS = 100
/** The coordinator looks for transactions that have timed out every 10 s by default. */
const HANGING_SLACK_MS = 12_000
const LATEST = -1
const EARLIEST = -2

/**
 * Reads one partition of a topic of our own up to the high watermark of the moment, read_committed.
 *
 * The watermark comes from ListOffsets at isolation 0: a fetch answer's may be old on a fresh leader, and the last
 * stable offset hides our own committed records while another writer's transaction in front of them is open. When that
 * lasts longer than a transaction may, rejects with `hanging-transaction` (retryable), which names the producer. Rejects
 * with `kafka-offset-out-of-range` when the log does not reach `from` any more.
 *
 * @returns the offset to go on from next time
 */
export function readInternal({ onRecord, ...options }: ReadInternalOptions): Promise<{ nextOffset: number }> {
  const from = options.from ?? 0
  return readBatches({
    ...options,
    onBatch: (batch) => {
      for (const record of decodeRecords(batch)) if (record.offset >= from) onRecord(record)
    }
  })
}

/** The same by whole batches, the first of which may begin before `from`. */
export async function readBatches(options: ReadBatchesOptions): Promise<{ nextOffset: number }> {
  const reader = new PartitionReader(options)
  const isolation = options.uncommitted === true ? READ_UNCOMMITTED : READ_COMMITTED
  try {
    const end = Math.min(await reader.offset(LATEST), options.until ?? Number.POSITIVE_INFINITY)
    let position = options.from ?? (await reader.offset(EARLIEST))
    if (position > end) throw kafkaFault(1, `${reader.name}: position ${position} of ${end}`)
    let stuckSince: number | undefined
    while (position < end) {
      const next = deliver(await reader.fetch(position, isolation), position, options)
      if (next > position) {
        position = next
        stuckSince = undefined
        continue
      }
      if (stuckSince === undefined) options.onWaiting?.(await reader.waitedFor())
      stuckSince ??= performance.now()
      if (performance.now() - stuckSince > options.transactionTimeoutMs + HANGING_SLACK_MS) {
        throw new Fault('hanging-transaction', await reader.waitedFor(), { retryable: true })
      }
    }
    return { nextOffset: position }
  } finally {
    reader.close()
  }
}

/** Gives the batches to whom they are for; returns the offset after the last whole one. */
function deliver(
  { recordSet, aborted }: PartitionAnswer,
  position: number,
  { onBatch, onLeftOut }: Pick<ReadBatchesOptions, 'onBatch' | 'onLeftOut'>
): number {
  const filter = new AbortedFilter(aborted)
  let next = position
  for (const batch of batchesOf(recordSet)) {
    const header = readHeader(batch, 0)
    const isAborted = filter.isAborted(header)
    next = Math.max(next, header.lastOffset + 1)
    if (isAborted || header.control) onLeftOut?.(header)
    else onBatch(batch, header)
  }
  return next
}

/** One partition's leader, found again when it moves. */
class PartitionReader {
  readonly name: string
  readonly #options: ReadBatchesOptions
  #link: Link | undefined
  #isLost = false
  #lastStableOffset = -1

  constructor(options: ReadBatchesOptions) {
    this.name = tp(options.topic, options.partition)
    this.#options = options
  }

  async offset(timestamp: -1 | -2): Promise<number> {
    const { cluster, topic, partition, signal } = this.#options
    const found = await cluster.listOffsets([{ topic, partition, timestamp }], READ_UNCOMMITTED, signal)
    return found.get(this.name) ?? 0
  }

  /** Retries what passes by itself for at most the cluster's request timeout. */
  fetch(fetchOffset: number, isolation: 0 | 1): Promise<PartitionAnswer> {
    const { cluster, topic, partition, signal } = this.#options
    const partitions = [{ topic, partition, fetchOffset, leaderEpoch: -1, maxBytes: FETCH_BYTES }]
    const request = fetchApi({
      maxWaitMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      isolation,
      sessionId: 0,
      sessionEpoch: -1,
      partitions,
      forgotten: []
    })
    const attempt = async () => {
      const link = await this.#leader()
      const answer = (await link.call(request)).partitions[0]
      const error = answer?.error ?? 3
      if (answer === undefined || error !== 0) {
        this.#isLost = isMoved(error)
        throw kafkaFault(error, `${this.name} at ${fetchOffset}`)
      }
      this.#lastStableOffset = answer.lastStableOffset
      return answer
    }
    return retrying(attempt, signal, cluster.requestTimeoutMs)
  }

  /** Who holds the last stable offset where the last answer told it, and how that is ended. */
  async waitedFor(): Promise<string> {
    const { cluster, topic, partition, signal } = this.#options
    const offset = this.#lastStableOffset
    const who = await tellHolder(cluster, { topic, partition, offset }, signal)
    return `${this.name} cannot be read from offset ${offset} on: ${who}`
  }

  close(): void {
    this.#link?.destroy()
  }

  async #leader(): Promise<Link> {
    const { cluster, topic, partition, signal } = this.#options
    if (this.#link?.alive === true && !this.#isLost) return this.#link
    this.#link?.destroy()
    if (this.#isLost || cluster.leader(topic, partition) === undefined) {
      await cluster.metadata(signal, [topic])
      this.#isLost = false
    }
    const node = cluster.leader(topic, partition)
    if (node === undefined) {
      this.#isLost = true
      throw kafkaFault(5, this.name)
    }
    this.#isLost = true
    this.#link = await cluster.open(node, signal)
    this.#isLost = false
    return this.#link
  }
}
