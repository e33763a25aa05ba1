import type { Fault } from '../../errors.ts'
import type { Cluster } from './cluster.ts'
import type { TopicPartition } from './topic-partition.ts'

export interface TransactionSessionOptions {
  readonly cluster: Cluster
  readonly transactionalId: string
  /** Transaction timeout the coordinator enforces, in milliseconds. */
  readonly timeoutMs: number
  /** Most time a produce, add or commit may stay unanswered; the cluster's request timeout by default. */
  readonly requestTimeoutMs?: number
  readonly onState?: (state: SessionState) => void
}

/** `markersPending`: the coordinator is still writing markers of the former transaction (error 51). */
export type SessionState = 'idle' | 'fencing' | 'markersPending' | 'ready' | 'destroyed'

export interface OutgoingBatch extends TopicPartition {
  /** A whole RecordBatch v2. Stamped in place with producer, sequence and the transactional bit. */
  readonly batch: Buffer
}

/** The outcome for one batch; `fault` undefined means it was appended. */
export interface ProduceResult extends TopicPartition {
  /** Offset the first record got on the target, -1 when it failed. */
  readonly baseOffset: number
  /** Kafka's error code; -1 with a fault that is not Kafka's (no answer, link closed): outcome unknown. */
  readonly error: number
  readonly fault: Fault | undefined
}

export interface AddResult extends TopicPartition {
  /** Undefined when the partition is part of the transaction now. */
  readonly fault: Fault | undefined
}

/**
 * The primitives of one transactional id, without policy. Every abort is `fence`: there is no EndTxn(abort).
 */
export class TransactionSession {
  constructor(_options: TransactionSessionOptions) {}

  get state(): SessionState {
    return 'idle'
  }

  /**
   * InitProducerId: ends whatever was open under this id, and starts sequences at 0. Old sockets are destroyed first.
   * Retries 51, 14, 15 and 16 until `signal` aborts; re-takes an expired id (49).
   */
  fence(_signal: AbortSignal): Promise<{ producerId: number; epoch: number }> {
    throw new Error('not yet')
  }

  /** AddPartitionsToTxn. Partitions that are already in the transaction are not asked for again. */
  add(_partitions: readonly TopicPartition[], _signal: AbortSignal): Promise<AddResult[]> {
    throw new Error('not yet')
  }

  /**
   * Sends batches to the leaders, several per partition in order, and resolves when each one was answered or its
   * socket is closed: then no buffer is referenced any longer. Results stand in the order of `batches`.
   */
  produce(_batches: readonly OutgoingBatch[], _signal: AbortSignal): Promise<ProduceResult[]> {
    throw new Error('not yet')
  }

  /** EndTxn(commit). Nothing is sent when nothing was added. Any rejection: outcome unknown, `fence` and look. */
  commit(_signal: AbortSignal): Promise<void> {
    throw new Error('not yet')
  }

  destroy(): void {}
}
