import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RuleConfig } from '../../src/config/rules.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import { copied, expectEqual, produceTransactions, startMirror } from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const rules = (more: Partial<RuleConfig> = {}): RuleConfig[] => [
  { topics: ['.*'], partitioning: 'hash', policies: {}, ...more }
]

/** Keys that repeat, from partitions that kafkajs has chosen by its own murmur2. */
async function produceKeyed(from: number, records: number): Promise<void> {
  const producer = world.kafka('source').producer({ idempotent: true })
  await producer.connect()
  for (let at = from; at < from + records; at += 25) {
    const messages = Array.from({ length: 25 }, (_, n) => ({
      key: `key ${(at + n) % 17}`,
      value: `${at + n}`
    }))
    await producer.send({ topic: 'hybrid', messages })
  }
  await producer.disconnect()
}

/** Partition and values of each key on the target, as read there. */
async function byKey(topic = 'hybrid'): Promise<Map<string, { partitions: Set<number>; values: number[] }>> {
  const found = new Map<string, { partitions: Set<number>; values: number[] }>()
  for (const [partition, records] of (await world.read('target', topic)).entries()) {
    for (const record of records) {
      const [, key = '', value] = /^(.*) (\d+) \d+$/.exec(record) ?? []
      const known = found.get(key) ?? { partitions: new Set(), values: [] }
      known.partitions.add(partition)
      known.values.push(Number(value))
      found.set(key, known)
    }
  }
  return found
}

/** Every key is in one partition, the one of kafkajs’ partitioner, with its values in order and each once. */
async function expectPlaced(records: number, partitions: number): Promise<void> {
  await world.createTopic('target', 'reference', partitions)
  const producer = world.kafka('target').producer()
  await producer.connect()
  const keys = Array.from({ length: 17 }, (_, n) => `key ${n}`)
  await producer.send({ topic: 'reference', messages: keys.map((key) => ({ key, value: '0' })) })
  await producer.disconnect()
  const [found, reference] = [await byKey(), await byKey('reference')]
  for (const [n, key] of keys.entries()) {
    expect([...(found.get(key)?.partitions ?? [])], key).toEqual([...(reference.get(key)?.partitions ?? [])])
    const values = Array.from({ length: records }, (_, at) => at).filter((at) => at % 17 === n)
    expect(found.get(key)?.values, key).toEqual(values)
  }
}

const isHeld = (mirror: RunningRole) =>
  mirror.view().partitions.every(({ topic, state }) => topic !== 'hybrid' || state === 'held')

test.each([
  [6, 'exactly-once'],
  [3, 'exactly-once'],
  [6, 'at-least-once']
] as const)('from four partitions to %i each key keeps its order, %s', async (partitions, delivery) => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', partitions)
  const mirror = startMirror(world, { delivery, rules: rules() })
  await produceKeyed(0, 500)
  await copied(world, mirror, 'hybrid')
  await expectPlaced(500, partitions)
  expect(mirror.view().ready).toBe(true)
})

test('partitions of the target that fail now and then lose and repeat nothing', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 6)
  const { faults } = world.brokers.target
  for (const [after, partition] of [1, 4, 5].entries()) {
    const subject = new RegExp(`^Append hybrid-${partition}`)
    faults.add({ subject, action: { type: 'answer', code: 19 }, after, times: 2 })
  }
  faults.add({ subject: /^Produce hybrid/, action: { type: 'lose-reply' }, after: 3, times: 2 })
  faults.add({ subject: /^EndTxn/, action: { type: 'lose-reply' }, after: 2 })
  const mirror = startMirror(world, { rules: rules() })
  await produceKeyed(0, 500)
  await copied(world, mirror, 'hybrid')
  await expectPlaced(500, 6)
})

test('a target that grows holds its partitions, over restarts too, until keys may move', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 3)
  const first = startMirror(world, { rules: rules() })
  await produceKeyed(0, 100)
  await copied(world, first, 'hybrid')
  await grow(5)
  await first.until(() => isHeld(first))
  expect(first.view().ready).toBe(false)
  expect(first.view().partitions[0]?.reason).toMatch(/^topic hybrid had 3 partitions on the target and has 5/)
  await produceKeyed(100, 100)
  await first.drain()
  const second = startMirror(world, { rules: rules() })
  await second.until(({ partitions }) => partitions.length === 4 && isHeld(second))
  second.kill()
  const third = startMirror(world, { rules: rules({ hashGrowth: 'accept' }) })
  await copied(world, third, 'hybrid')
  const values = [...(await byKey()).values()].flatMap((one) => one.values)
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n))
  await grow(7)
  await produceKeyed(200, 100)
  await copied(world, third, 'hybrid')
  expect((await byKey()).get('key 3')?.values).toHaveLength(18)
})

test('with as many partitions on both sides batches pass as they are', async () => {
  await world.createTopic('source', 'hybrid', 4)
  const mirror = startMirror(world, { rules: rules() })
  await produceTransactions(world, 'hybrid', 2, 40)
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
})

async function grow(count: number): Promise<void> {
  const admin = world.kafka('target').admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic: 'hybrid', count }] })
  await admin.disconnect()
}
