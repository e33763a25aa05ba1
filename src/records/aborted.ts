import type { BatchHeader } from './batch.ts'

/** An aborted transaction that overlaps a fetch response, as the broker lists it. */
export interface AbortedTransaction {
  readonly producerId: number
  /** Offset of the transaction's first record. */
  readonly firstOffset: number
}

/**
 * The read_committed filter of one fetched record set: which of its batches belong to aborted transactions.
 *
 * Brokers do not list aborted transactions in order of offset, so they are sorted first. A transaction is open from its
 * first offset to its producer's next marker; a producer has one transaction at a time, so any marker ends it.
 */
export class AbortedFilter {
  readonly #upcoming: AbortedTransaction[]
  readonly #open = new Set<number>()
  #next = 0

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#upcoming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Call once for each batch of the record set, in its order, markers included. Markers are never aborted. */
  isAborted(header: BatchHeader): boolean {
    for (;;) {
      const transaction = this.#upcoming[this.#next]
      if (transaction === undefined || transaction.firstOffset > header.lastOffset) break
      this.#open.add(transaction.producerId)
      this.#next++
    }
    if (header.control) {
      this.#open.delete(header.producerId)
      return false
    }
    return header.transactional && this.#open.has(header.producerId)
  }
}
