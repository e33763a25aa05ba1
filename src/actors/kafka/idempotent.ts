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
  /** Partitions whose leaders know the present producer id. */
  readonly #known = new Set<string>()
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
    this.#known.clear()
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

  /**
   * A leader that does not know the producer id takes any sequence for its first: if it refused a partition's first batch, it
   * would take the second one for that, before the first. So until one is acknowledged, those behind it wait.
   */
  async produce(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<ProduceResult[]> {
    this.#demandReady()
    const met = new Set<string>()
    const waves: Record<'first' | 'second', { readonly index: number; readonly one: OutgoingBatch }[]> = {
      first: [],
      second: []
    }
    for (const [index, one] of batches.entries()) {
      const key = tp(one.topic, one.partition)
      const mayGo = this.#known.has(key) || !met.has(key)
      met.add(key)
      waves[mayGo ? 'first' : 'second'].push({ index, one })
    }
    const results: { readonly index: number; readonly result: ProduceResult }[] = []
    for (const wave of [waves.first, waves.second]) {
      if (wave.length === 0) continue
      const sending = wave.map(({ one }) => one)
      const sent = await this.#sender.send(sending, signal, () => this.#doubt())
      for (const [n, result] of sent.entries()) {
        results.push({ index: wave[n]?.index ?? n, result })
        if (result.fault === undefined) this.#known.add(tp(result.topic, result.partition))
      }
    }
    return results.sort((a, b) => a.index - b.index).map(({ result }) => result)
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
