import { setTimeout as delay } from 'node:timers/promises'
import type { Kafka, Producer } from 'kafkajs'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'

export const PARTITIONS = 4
export const TOPIC = 'hybrid'

/** Every so many records one that is no tweet. */
const DEAD_EVERY = 997
const BATCH_MAX = 400
const ABORTED = 0.2

/** Writes tweets in transactions of many sizes, some aborted, some values no tweets, until it is told to end. */
export class TweetFeed {
  /** Ids of what a read_committed reader must see, by partition, in order; `undefined` is a dead letter. */
  readonly expected: (string | undefined)[][] = Array.from({ length: PARTITIONS }, () => [])
  readonly #producer: Producer
  readonly #ended: Promise<void>
  #isEnding = false
  #produced = 0

  constructor(kafka: Kafka, rate: number, random: () => number) {
    this.#producer = kafka.producer({ transactionalId: 'feed', idempotent: true, maxInFlightRequests: 1 })
    this.#ended = this.#run(rate, random)
    this.#ended.catch(() => undefined)
  }

  /** Ends after the transaction that is under way; rejects when one has failed before. */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#ended
  }

  async #run(rate: number, random: () => number): Promise<void> {
    await this.#producer.connect()
    try {
      while (!this.#isEnding) {
        const count = 1 + Math.floor(random() * BATCH_MAX)
        await this.#transact(count, random() < ABORTED ? 'abort' : 'commit')
        await delay((1_000 * count) / rate)
      }
    } finally {
      await this.#producer.disconnect()
    }
  }

  async #transact(count: number, end: 'commit' | 'abort'): Promise<void> {
    const written: { readonly partition: number; readonly id: string | undefined }[] = []
    const messages = Array.from({ length: count }, () => {
      const index = this.#produced++
      const partition = index % PARTITIONS
      const isDead = index % DEAD_EVERY === 0
      const { id, json } = tweetAt(1, index)
      written.push({ partition, id: isDead ? undefined : id })
      return { partition, key: id, value: isDead ? `{"no":"tweet ${index}"` : json }
    })
    const transaction = await this.#producer.transaction()
    await transaction.send({ topic: TOPIC, messages })
    await transaction[end]()
    if (end === 'commit') for (const { partition, id } of written) this.expected[partition]?.push(id)
  }
}
