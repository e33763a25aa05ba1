import { expect } from 'vitest'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import type { MirrorConfig } from '../../src/config.ts'
import { createMirror } from '../../src/roles/mirror.ts'
import type { KafkaWorld, RunningRole } from './kafka-world.ts'

/** A mirror from `source` to `target` with short times. */
export const mirrorConfig: MirrorConfig = {
  from: 'source',
  to: 'target',
  topics: ['.*'],
  exclude: [],
  naming: { type: 'identity' },
  createTopics: true,
  syncConfigs: true,
  configExclude: [],
  syncAcls: false,
  rules: [],
  delivery: 'exactly-once',
  offsets: {
    groups: ['.*'],
    groupsExclude: [],
    emitCheckpoints: false,
    syncGroupOffsets: false,
    checkpointIntervalMs: 50,
    emitOffsetSyncs: false,
    emitHeartbeats: false,
    heartbeatIntervalMs: 50
  },
  commitIntervalMs: 30,
  commitBytes: 1 << 20,
  shards: 4,
  lanes: 1,
  replication: 1,
  refreshIntervalMs: 200,
  lsoStuckAfterMs: 60_000,
  sessionTimeoutMs: 2_000,
  transactionTimeoutMs: 10_000,
  quarantineMinMs: 20,
  quarantineMaxMs: 200
}

export function startMirror(
  world: KafkaWorld,
  more: Partial<MirrorConfig> = {},
  workerId?: string,
  instance = 'cloud'
): RunningRole {
  const sections = { mirror: { [instance]: { ...mirrorConfig, ...more } } }
  return world.run(
    createMirror(world.context(sections, workerId), instance),
    (more.lanes ?? 1) > 1 ? 60_000 : undefined
  )
}

/** Resolves when everything that these topics have now is copied and the positions say so. */
export async function copied(
  world: KafkaWorld,
  mirror: RunningRole,
  ...topics: readonly string[]
): Promise<void> {
  const ends = await world.ends('source', topics)
  await mirror.until(({ partitions }) => {
    const positions = new Map(
      partitions.map(({ topic, partition, position }) => [tp(topic, partition), position])
    )
    return [...ends].every(([key, end]) => positions.get(key) === end)
  })
}

/** Both sides have the same records, in the same order in each partition. */
export async function expectEqual(world: KafkaWorld, ...topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    const [source, target] = [await world.read('source', topic), await world.read('target', topic)]
    expect(target.length).toBe(source.length)
    for (const [partition, records] of source.entries()) expect(target[partition]).toEqual(records)
  }
}

/** Transactions of two interleaving producers, every third aborted, with plain records in between. */
export async function produceTransactions(
  world: KafkaWorld,
  topic: string,
  transactions: number,
  records: number
): Promise<void> {
  const kafka = world.kafka('source')
  const plain = kafka.producer()
  const writers = ['a', 'b'].map((id) =>
    kafka.producer({ transactionalId: `${topic}-${id}`, maxInFlightRequests: 1, idempotent: true })
  )
  await Promise.all([plain, ...writers].map((producer) => producer.connect()))
  const messages = (label: string) =>
    Array.from({ length: records }, (_, n) => ({
      key: `${label}-${n}`,
      value: `value ${n} of ${label}`,
      headers: { label },
      partition: n % 4
    }))
  for (let n = 0; n < transactions; n++) {
    const open = await Promise.all(writers.map((writer) => writer.transaction()))
    for (const [index, transaction] of open.entries()) {
      await transaction.send({ topic, messages: messages(`${topic}.${index}.${n}`) })
    }
    await plain.send({ topic, messages: messages(`${topic}.plain.${n}`).slice(0, 4) })
    for (const [index, transaction] of open.entries()) {
      await ((n + index) % 3 === 0 ? transaction.abort() : transaction.commit())
    }
  }
  await Promise.all([plain, ...writers].map((producer) => producer.disconnect()))
}

/** One record a request, over four partitions. */
export async function produceSome(world: KafkaWorld, topic: string, records: number): Promise<void> {
  let sent = 0
  await produceUntil(world, topic, () => sent++ >= records)
}

export async function produceUntil(world: KafkaWorld, topic: string, isOver: () => boolean): Promise<void> {
  const producer = world.kafka('source').producer({ idempotent: true })
  await producer.connect()
  for (let n = 0; !isOver(); n++) {
    await producer.send({ topic, messages: [{ key: `${n}`, value: `${topic} ${n}`, partition: n % 4 }] })
  }
  await producer.disconnect()
}
