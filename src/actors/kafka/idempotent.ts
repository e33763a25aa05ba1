import protocol from 'kafkajs/src/protocol/requests/index.js'
import { Fault } from '../../errors.ts'
import { ask } from './ask.ts'
import { BatchSender, type OutgoingBatch } from './batch-sender.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import type { ProduceResult } from './leaders.ts'
import type { AddResult, ProducerSession } from './producer.ts'
import { type TopicPartition, tp } from './topic-partition.ts'

const { InitProducerId } = protocol.requests

/**
 * An idempotent producer without transactions: within one producer id nothing is repeated or reordered, and nothing is
 * taken back. After any failed batch only `fence` goes on, under a new producer id, whose first batches repeat whatever
 * was written without our knowing.
 */
export class IdempotentSession implements ProducerSession {
  readonly #cluster: Cluster
  readonly #sender: BatchSender
  #state: 'idle' | 'ready' | 'doubtful' | 'destroyed' = 'idle'

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#sender = new BatchSender({
      cluster,
      transactionalId: null,
      requestTimeoutMs: cluster.requestTimeoutMs,
      isHalted: () => this.#state !== 'ready',
      onFault: () => this.#doubt()
    })
  }

  /** A new producer id. Old sockets are destroyed first, so that nothing of the old one is under way. */
  async fence(signal: AbortSignal): Promise<{ producerId: number; epoch: number }> {
    if (this.#state === 'destroyed') throw this.#notReady()
    this.#doubt()
    await this.#sender.end()
    // The timeout is one of transactions, but 0 would be refused.
    const args = { transactionalId: null, transactionTimeout: this.#cluster.requestTimeoutMs }
    const answer = await this.#cluster.ask(async (link) => {
      const { errorCode, ...rest } = await ask(link, InitProducerId, args)
      if (errorCode !== 0) throw kafkaFault(errorCode, 'a producer id')
      return rest
    }, signal)
    const producer = { producerId: Number(answer.producerId), epoch: answer.producerEpoch }
    this.#sender.begin(producer)
    this.#state = 'ready'
    return producer
  }

  /** Makes sure of a link to each partition's leader. */
  async add(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<AddResult[]> {
    this.#demandReady()
    const faults = await this.#sender.leaders.reach(partitions, signal)
    return partitions.map(({ topic, partition }) => ({
      topic,
      partition,
      fault: faults.get(tp(topic, partition))
    }))
  }

  async produce(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<ProduceResult[]> {
    this.#demandReady()
    return this.#sender.send(batches, signal, () => this.#doubt())
  }

  /** What was acknowledged is there already. */
  async commit(): Promise<void> {
    this.#demandReady()
  }

  destroy(): void {
    this.#state = 'destroyed'
    void this.#sender.end()
  }

  #doubt(): void {
    if (this.#state !== 'destroyed') this.#state = 'doubtful'
  }

  #demandReady(): void {
    if (this.#state !== 'ready') throw this.#notReady()
  }

  #notReady(): Fault {
    return new Fault('session-not-ready', `the producer is ${this.#state}`, { retryable: true })
  }
}
