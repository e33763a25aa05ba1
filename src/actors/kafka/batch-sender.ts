import { at, stamp } from '../../records/batch.ts'
import { Leaders, type LeadersOptions, type ProduceResult } from './leaders.ts'
import { Sequences } from './sequences.ts'
import type { TopicPartition } from './topic-partition.ts'

export interface OutgoingBatch extends TopicPartition {
  /** A whole RecordBatch v2. Stamped in place with producer, sequence and the transactional bit. */
  readonly batch: Buffer
}

/** Makes batches those of one producer id and epoch, counting their records by partition, and sends them to the leaders. */
export class BatchSender {
  readonly leaders: Leaders
  readonly #options: LeadersOptions
  readonly #sequences = new Sequences()
  #producer = { producerId: -1, epoch: -1 }

  constructor(options: LeadersOptions) {
    this.#options = options
    this.leaders = new Leaders(options)
  }

  /** Resolves when all sockets are closed; sequences begin anew. */
  async end(): Promise<void> {
    await this.leaders.destroy()
    this.#sequences.restart()
  }

  begin(producer: { readonly producerId: number; readonly epoch: number }): void {
    this.#producer = producer
  }

  /**
   * Resolves when each batch was answered or its socket is closed: then no buffer is referenced any longer. Results stand
   * in the order of `batches`; an abort closes the sockets, once `onAbort` was called.
   */
  async send(
    batches: readonly OutgoingBatch[],
    signal: AbortSignal,
    onAbort: () => void
  ): Promise<ProduceResult[]> {
    signal.throwIfAborted()
    const { producerId, epoch: producerEpoch } = this.#producer
    const transactional = this.#options.transactionalId !== null
    for (const { topic, partition, batch } of batches) {
      const baseSequence = this.#sequences.take(topic, partition, batch.readInt32BE(at.lastOffsetDelta) + 1)
      stamp(batch, { producerId, producerEpoch, baseSequence, transactional })
    }
    const cut = () => {
      onAbort()
      this.leaders.cut()
    }
    signal.addEventListener('abort', cut, { once: true })
    try {
      const results = await this.leaders.send(batches)
      signal.throwIfAborted()
      return results
    } finally {
      signal.removeEventListener('abort', cut)
    }
  }
}
