import type { Cluster } from './cluster.ts'

export interface ReadInternalOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly partition: number
  readonly signal: AbortSignal
  /** Called for every committed record in offset order; `value` null is a tombstone. */
  readonly onRecord: (record: InternalRecord) => void
  /** How long the last stable offset may lag behind before the writer in front counts as hanging, in milliseconds. */
  readonly transactionTimeoutMs: number
  /** First offset to read; the start of the log by default. */
  readonly from?: number
  /** Called once when the restore has to wait for somebody's open transaction. */
  readonly onHanging?: (producer: { readonly producerId: number; readonly firstOffset: number }) => void
}

export interface InternalRecord {
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
}

/**
 * Reads one partition of a topic of our own up to the high watermark of the moment, read_committed.
 * Rejects with `hanging-transaction` (retryable), which names the producer in front.
 *
 * @returns the offset to go on from next time
 */
export function readInternal(_options: ReadInternalOptions): Promise<{ nextOffset: number }> {
  throw new Error('not yet')
}
