import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MirrorConfig } from '../../src/config.ts'
import { createMirror } from '../../src/roles/mirror.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'

const config: MirrorConfig = {
  from: 'source',
  to: 'target',
  topics: ['.*'],
  exclude: [],
  commitIntervalMs: 30,
  commitBytes: 1 << 20,
  shards: 4,
  replication: 1,
  refreshIntervalMs: 200,
  sessionTimeoutMs: 2_000,
  transactionTimeoutMs: 10_000,
  quarantineMinMs: 20,
  quarantineMaxMs: 200
}

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const start = (more: Partial<MirrorConfig> = {}): RunningRole =>
  world.run(createMirror(world.context({ mirror: { cloud: { ...config, ...more } } }), 'cloud'))

/** Everything that the source has is copied and its position durable. */
const isCaughtUp = (view: ReturnType<RunningRole['view']>, topics = 1) =>
  new Set(view.partitions.map(({ topic }) => topic)).size >= topics &&
  view.partitions.every(({ state, position, end }) => state === 'copying' && end >= 0 && position === end)

/** Transactions of two interleaving producers, every third aborted, with plain records in between. */
async function produce(topic: string, transactions: number, records: number): Promise<void> {
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

async function expectEqual(topic: string): Promise<void> {
  const [source, target] = [await world.read('source', topic), await world.read('target', topic)]
  expect(target.length).toBe(source.length)
  for (const [partition, records] of source.entries()) expect(target[partition]).toEqual(records)
}

test('a source with interleaved and aborted transactions is copied exactly, in order', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produce('hybrid', 6, 200)
  const mirror = start()
  await mirror.until((view) => isCaughtUp(view))
  await expectEqual('hybrid')
  expect(mirror.view().ready).toBe(true)
  await mirror.drain()
  expect(mirror.failure()).toBeUndefined()
})
