/**
 * A steady stream of records to every partition of some topics in turn, as from many small producers:
 *
 *     node bench/scale/load.ts '{"broker":"127.0.0.1:9092","topics":["a"],"rate":20000,"perBatch":5,"bytes":640,"seconds":600}'
 *
 * Prints `sent N` at its end, N being the records that were acknowledged.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { Cluster } from '../../src/actors/kafka/cluster.ts'
import type { Link } from '../../src/actors/kafka/link.ts'
import { type PartitionBatch, produceApi } from '../../src/actors/kafka/produce.ts'
import type { TopicPartition } from '../../src/actors/kafka/topic-partition.ts'
import { encodeBatch } from '../../src/records/record.ts'

export interface Load {
  readonly broker: string
  readonly topics: readonly string[]
  /** Records per second over all partitions. */
  readonly rate: number
  /** Records per batch. */
  readonly perBatch: number
  /** Of one record's value. */
  readonly bytes: number
  readonly seconds: number
}

const TICK_MS = 20
const IN_FLIGHT_MAX = 20
const TIMEOUT_MS = 30_000

async function run(load: Load): Promise<number> {
  const cluster = new Cluster({
    name: 'source',
    brokers: [load.broker],
    clientId: 'load',
    connectTimeoutMs: TIMEOUT_MS,
    requestTimeoutMs: TIMEOUT_MS,
    log: pino({ level: 'warn' })
  })
  const life = new AbortController()
  const { topics, brokers } = await cluster.metadata(life.signal, load.topics)
  const places = [...topics].flatMap(([topic, { partitions }]) =>
    partitions.map(({ partition }): TopicPartition => ({ topic, partition }))
  )
  const [node = 0] = brokers.keys()
  const link = await cluster.open(node, life.signal)
  const sent = await new Stream(link, places, load).run()
  life.abort()
  cluster.close()
  return sent
}

class Stream {
  readonly #link: Link
  readonly #partitions: readonly TopicPartition[]
  readonly #load: Load
  readonly #value: Buffer
  #next = 0
  #acknowledged = 0
  #inFlight = 0

  constructor(link: Link, partitions: readonly TopicPartition[], load: Load) {
    this.#link = link
    this.#partitions = partitions
    this.#load = load
    this.#value = Buffer.alloc(load.bytes, '{"text":"a tweet of the usual length"},')
  }

  async run(): Promise<number> {
    const { rate, perBatch, seconds } = this.#load
    const startedAt = performance.now()
    let batches = 0
    for (;;) {
      const elapsed = Math.min(seconds, (performance.now() - startedAt) / 1_000)
      const owed = Math.floor((elapsed * rate) / perBatch) - batches
      if (owed > 0 && this.#inFlight < IN_FLIGHT_MAX) {
        const count = Math.min(owed, this.#partitions.length)
        batches += count
        void this.#send(count)
      }
      if (elapsed >= seconds && owed <= 0 && this.#inFlight === 0) return this.#acknowledged
      await pause(TICK_MS)
    }
  }

  /** One batch to each of the next partitions. */
  async #send(count: number): Promise<void> {
    const batches: PartitionBatch[] = []
    for (let n = 0; n < count; n++) {
      const place = this.#partitions[this.#next++ % this.#partitions.length]
      if (place !== undefined) batches.push({ ...place, batch: this.#batch() })
    }
    this.#inFlight++
    const request = { transactionalId: null, timeoutMs: TIMEOUT_MS, batches }
    const answers = await this.#link.call(produceApi(request, this.#link))
    this.#inFlight--
    const failed = answers.find(({ error }) => error !== 0)
    if (failed !== undefined)
      throw new Error(`partition ${failed.topic}-${failed.partition}: ${failed.error}`)
    this.#acknowledged += count * this.#load.perBatch
  }

  #batch(): Buffer {
    const timestamp = Date.now()
    const record = { key: Buffer.from(String(this.#next)), value: this.#value, headers: [], timestamp }
    return encodeBatch(Array(this.#load.perBatch).fill(record), { codec: 0 })
  }
}

console.log(`sent ${await run(JSON.parse(process.argv[2] ?? '') as Load)}`)
