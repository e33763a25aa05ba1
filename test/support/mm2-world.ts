import { Partitioners } from 'kafkajs'
import { type GroupLock, lockGroup } from '../../src/actors/kafka/group-lock.ts'
import { encodePosition, mm2Topics } from '../../src/actors/mirror/offsets/mm2-formats.ts'
import type { KafkaWorld } from './kafka-world.ts'

/** What MirrorMaker 2 leaves on the clusters of a world when it copies the topic `hybrid` from `A`, exactly once. */
export class FakeMm2 {
  readonly #world: KafkaWorld
  #member: GroupLock | undefined

  constructor(world: KafkaWorld) {
    this.#world = world
  }

  /** One of its workers is in their group. */
  async join(): Promise<void> {
    const options = { cluster: this.#world.clusters.target, group: 'A-mm2', sessionTimeoutMs: 10_000 }
    this.#member = await lockGroup(options, AbortSignal.timeout(20_000))
  }

  async leave(): Promise<void> {
    await this.#member?.release()
    this.#member = undefined
  }

  /** Tells that it has copied partition 0 of a topic up to an offset. */
  async note(topic: string, last: number): Promise<void> {
    const producer = this.#world.kafka('target').producer({
      createPartitioner: Partitioners.DefaultPartitioner
    })
    await producer.connect()
    const { key, value } = encodePosition({ cluster: 'A', topic, partition: 0, last }, Date.now())
    await producer.send({ topic: mm2Topics.positions('A'), messages: [{ key, value }] })
    await producer.disconnect()
  }

  /**
   * Copies the records `[from, until)` of partitions, and its positions, in the transaction of one task.
   *
   * @param isLeftOpen it is killed before it commits
   */
  async copy(task: number, ranges: readonly Range[], isLeftOpen = false): Promise<void> {
    const producer = this.#world.kafka('target').producer({
      transactionalId: `A-mm2-MirrorSourceConnector-${task}`,
      transactionTimeout: 60_000,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner
    })
    await producer.connect()
    const transaction = await producer.transaction()
    for (const { partition, from, until } of ranges) {
      const messages = Array.from({ length: until - from }, (_, n) => messageOf(partition, from + n))
      await transaction.send({ topic: 'A.hybrid', messages })
      const position = { cluster: 'A', topic: 'hybrid', partition, last: until - 1 }
      const { key, value } = encodePosition(position, Date.now())
      await transaction.send({ topic: mm2Topics.positions('A'), messages: [{ key, value }] })
    }
    if (!isLeftOpen) await transaction.commit()
    await producer.disconnect()
  }
}

export interface Range {
  readonly partition: number
  readonly from: number
  readonly until: number
}

/** The same on both sides, whoever writes it. */
function messageOf(partition: number, n: number) {
  return { key: `${n}`, value: `${partition} ${n}`, partition, timestamp: String(1_700_000_000_000 + n) }
}

/** Writes the records `[from, until)` of each of the four partitions of `hybrid` as one batch. */
export async function fillSource(world: KafkaWorld, from: number, until: number): Promise<void> {
  const producer = world.kafka('source').producer({ idempotent: true })
  await producer.connect()
  for (let partition = 0; partition < 4; partition++) {
    const messages = Array.from({ length: until - from }, (_, n) => messageOf(partition, from + n))
    await producer.send({ topic: 'hybrid', messages })
  }
  await producer.disconnect()
}

/** The copy has the source's records, each once and in order. */
export async function copyOf(world: KafkaWorld): Promise<{ source: string[][]; target: string[][] }> {
  return { source: await world.read('source', 'hybrid'), target: await world.read('target', 'A.hybrid') }
}
