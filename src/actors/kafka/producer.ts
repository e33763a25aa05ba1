import protocol from 'kafkajs/src/protocol/requests/index.js'
import { Fault } from '../../errors.ts'
import { ask } from './ask.ts'
import { BatchSender, type OutgoingBatch } from './batch-sender.ts'
import type { Cluster } from './cluster.ts'
import { type Question, TransactionCoordinator } from './coordinator.ts'
import { kafkaFault } from './errors.ts'
import type { ProduceResult } from './leaders.ts'
import { type TopicPartition, tp } from './topic-partition.ts'

export type { OutgoingBatch } from './batch-sender.ts'
export type { ProduceResult } from './leaders.ts'

/** What writes batches, with or without transactions. */
export interface ProducerSession {
  fence(signal: AbortSignal): Promise<{ readonly producerId: number; readonly epoch: number }>
  add(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<AddResult[]>
  produce(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<ProduceResult[]>
  commit(signal: AbortSignal): Promise<void>
  destroy(): void
}

export interface TransactionSessionOptions {
  readonly cluster: Cluster
  readonly transactionalId: string
  /** Transaction timeout the coordinator enforces, in milliseconds. */
  readonly timeoutMs: number
  /**
   * Most time a produce, add or commit may stay unanswered; the cluster's request timeout by default. Never more than
   * `timeoutMs`: after it nothing can come of the transaction.
   */
  readonly requestTimeoutMs?: number
  readonly onState?: (state: SessionState) => void
}

/** `markersPending`: the coordinator is still writing markers of the former transaction (error 51). */
export type SessionState = 'idle' | 'fencing' | 'markersPending' | 'ready' | 'doubtful' | 'destroyed'

export interface AddResult extends TopicPartition {
  /** Undefined when the partition is part of the transaction now. */
  readonly fault: Fault | undefined
}

const { AddPartitionsToTxn, EndTxn, InitProducerId } = protocol.requests
const UNKNOWN_MAPPING = 49
const CONCURRENT_TRANSACTIONS = 51
const OPERATION_NOT_ATTEMPTED = 55
/** Errors of single partitions; whatever else AddPartitionsToTxn answers concerns the whole transaction. */
const OF_ONE_PARTITION = new Set([3, 17, 29])
const NO_ANSWER = -1

/**
 * The primitives of one transactional id, without policy. Every abort is `fence`: there is no EndTxn(abort), because a
 * late batch of the aborted transaction would be accepted into the next one under the same epoch.
 *
 * After any failed batch, and after any doubt about a request's outcome, the session is `doubtful` and takes nothing but
 * `fence`: what is open can no longer be committed.
 */
export class TransactionSession implements ProducerSession {
  readonly #options: TransactionSessionOptions
  readonly #coordinator: TransactionCoordinator
  readonly #sender: BatchSender
  readonly #added = new Set<string>()
  #producer: { readonly producerId: number; readonly epoch: number } = { producerId: -1, epoch: -1 }
  #state: Exclude<SessionState, 'markersPending'> = 'idle'
  #isPending = false
  #unanswered = 0

  constructor(options: TransactionSessionOptions) {
    this.#options = options
    const requestTimeoutMs = Math.min(
      options.requestTimeoutMs ?? options.cluster.requestTimeoutMs,
      options.timeoutMs
    )
    const { cluster, transactionalId } = options
    this.#coordinator = new TransactionCoordinator({
      cluster,
      transactionalId,
      requestTimeoutMs,
      onMarkersPending: (isPending) => this.#become(this.#state, isPending)
    })
    this.#sender = new BatchSender({
      cluster,
      transactionalId,
      requestTimeoutMs,
      isHalted: () => this.#state !== 'ready',
      onFault: () => this.#doubt()
    })
  }

  get state(): SessionState {
    return this.#isPending ? 'markersPending' : this.#state
  }

  /** Whether the open transaction holds partitions, so that `commit` has something to send. */
  get isOpen(): boolean {
    return this.#added.size > 0
  }

  /**
   * InitProducerId: ends whatever was open under this id, and restarts sequences at 0. Old sockets are destroyed first,
   * so that nothing of the old epoch is under way. Retries 14, 15, 16, 49, 51 and lost answers until `signal` aborts.
   */
  async fence(signal: AbortSignal): Promise<{ producerId: number; epoch: number }> {
    if (this.#state === 'destroyed') throw this.#notReady()
    this.#become('fencing')
    await Promise.all([this.#sender.end(), this.#coordinator.destroy()])
    this.#added.clear()
    const { transactionalId, timeoutMs: transactionTimeout } = this.#options
    const answer = await this.#coordinate(
      {
        ask: (link, options) => ask(link, InitProducerId, { transactionalId, transactionTimeout }, options),
        codeOf: ({ errorCode }) => (errorCode === UNKNOWN_MAPPING ? CONCURRENT_TRANSACTIONS : errorCode),
        isRepeatable: true
      },
      signal
    )
    if (answer.errorCode !== 0) throw this.#failed(answer.errorCode)
    this.#producer = { producerId: Number(answer.producerId), epoch: answer.producerEpoch }
    this.#sender.begin(this.#producer)
    this.#become('ready')
    return this.#producer
  }

  /**
   * AddPartitionsToTxn. Partitions that are already in the transaction are not asked for again; one whose leader cannot
   * be reached, or whose topic is missing or forbidden, stays out of it with its fault, and the others go in.
   */
  async add(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<AddResult[]> {
    this.#demandReady()
    const faults = await this.#sender.leaders.reach(partitions, signal)
    const isOut = ({ topic, partition }: TopicPartition) => {
      const key = tp(topic, partition)
      return !this.#added.has(key) && !faults.has(key)
    }
    for (let missing = partitions.filter(isOut); missing.length > 0; missing = missing.filter(isOut)) {
      this.#demandReady()
      await this.#tryToAdd(missing, faults, signal)
    }
    return partitions.map(({ topic, partition }) => ({
      topic,
      partition,
      fault: faults.get(tp(topic, partition))
    }))
  }

  /**
   * Sends batches to the leaders, several per partition in order, and resolves when each one was answered or its socket
   * is closed: then no buffer is referenced any longer. Results stand in the order of `batches`. Only for partitions
   * that `add` has taken in. A `not-sent` fault blames nobody: an earlier batch had failed.
   */
  async produce(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<ProduceResult[]> {
    this.#demandReady()
    for (const { topic, partition } of batches) {
      const key = tp(topic, partition)
      if (!this.#added.has(key)) throw new Fault('partition-not-added', `${this.#name}: ${key}`)
    }
    this.#unanswered++
    try {
      return await this.#sender.send(batches, signal, () => this.#doubt())
    } finally {
      this.#unanswered--
    }
  }

  /** EndTxn(commit). Nothing is sent when nothing was added (48). Any rejection: outcome unknown, `fence` and look. */
  async commit(signal: AbortSignal): Promise<void> {
    this.#demandReady()
    if (this.#unanswered > 0) throw new Fault('produce-unanswered', `${this.#name}: commit came too early`)
    if (this.#added.size === 0) return
    const end = { ...this.#identity(), transactionResult: true }
    const answer = await this.#coordinate(
      {
        ask: (link, options) => ask(link, EndTxn, end, options),
        codeOf: ({ errorCode }) => errorCode,
        isRepeatable: false
      },
      signal
    )
    if (answer.errorCode !== 0) throw this.#failed(answer.errorCode)
    this.#added.clear()
  }

  /** Destroys all sockets. What is open ends by the coordinator's time-out or by whoever takes the id next. */
  destroy(): void {
    this.#become('destroyed')
    void this.#sender.end()
    void this.#coordinator.destroy()
  }

  get #name(): string {
    return `transactional id ${this.#options.transactionalId} on ${this.#options.cluster.name}`
  }

  #identity() {
    const { producerId, epoch: producerEpoch } = this.#producer
    return { transactionalId: this.#options.transactionalId, producerId, producerEpoch }
  }

  async #tryToAdd(
    missing: readonly TopicPartition[],
    faults: Map<string, Fault>,
    signal: AbortSignal
  ): Promise<void> {
    const byTopic = Map.groupBy(missing, ({ topic }) => topic)
    const topics = [...byTopic].map(([topic, of]) => ({ topic, partitions: of.map((one) => one.partition) }))
    const args = { ...this.#identity(), topics }
    const answer = await this.#coordinate(
      {
        ask: (link, options) => ask(link, AddPartitionsToTxn, args, options),
        codeOf: ({ errors }) => errors[0]?.partitionErrors[0]?.errorCode ?? NO_ANSWER,
        isRepeatable: false
      },
      signal
    )
    for (const { topic, partitionErrors } of answer.errors) {
      for (const { partition, errorCode } of partitionErrors) {
        const key = tp(topic, partition)
        if (errorCode === 0) this.#added.add(key)
        else if (OF_ONE_PARTITION.has(errorCode)) faults.set(key, kafkaFault(errorCode, `partition ${key}`))
        else if (errorCode !== OPERATION_NOT_ATTEMPTED) throw this.#failed(errorCode)
      }
    }
    if (answer.errors.length === 0) throw this.#failed(NO_ANSWER)
  }

  /** Asks the coordinator; a lost answer leaves the session doubtful. */
  async #coordinate<A>(question: Question<A>, signal: AbortSignal): Promise<A> {
    try {
      return await this.#coordinator.ask(question, signal)
    } catch (error) {
      this.#doubt()
      throw error
    }
  }

  #failed(code: number): Fault {
    this.#doubt()
    return kafkaFault(code, this.#name)
  }

  #doubt(): void {
    if (this.#state !== 'destroyed') this.#become('doubtful')
  }

  #demandReady(): void {
    if (this.#state !== 'ready') throw this.#notReady()
  }

  #notReady(): Fault {
    return new Fault('session-not-ready', `${this.#name} is ${this.#state}`, { retryable: true })
  }

  #become(state: Exclude<SessionState, 'markersPending'>, isPending = false): void {
    const before = this.state
    this.#state = state
    this.#isPending = isPending
    if (this.state !== before) this.#options.onState?.(this.state)
  }
}
