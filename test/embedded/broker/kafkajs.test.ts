import { type Consumer, Kafka, logLevel, Partitioners } from 'kafkajs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { fresh } from '../../conformance/broker/bench.ts'
import { brokerIn, temporaryDirectory } from './support.ts'

/** kafkajs' own clients, whole: what its loops need of a broker is there. */

const SOON = { timeout: 15_000, interval: 20 }

async function started() {
  const broker = await brokerIn(temporaryDirectory())
  const kafka = new Kafka({ brokers: broker.brokers, clientId: 'test', logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  const topic = fresh('topic')
  await admin.createTopics({ topics: [{ topic, numPartitions: 6 }], waitForLeaders: true })
  return { broker, kafka, admin, topic }
}

/** A consumer that collects keys, under its own member of the group. */
async function collect(kafka: Kafka, groupId: string, topic: string, into: string[]): Promise<Consumer> {
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 50,
    heartbeatInterval: 100,
    sessionTimeout: 6_000
  })
  await consumer.connect()
  onTestFinished(() => consumer.disconnect())
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachMessage: async ({ message }) => {
      into.push(String(message.key))
    }
  })
  return consumer
}

function keys(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

function messages(all: readonly string[]) {
  return all.map((key) => ({ key, value: `value of ${key}` }))
}

test('a transactional producer: a read_committed consumer gets what was committed, once', async () => {
  const { kafka, topic } = await started()
  const producer = kafka.producer({
    transactionalId: 'txn',
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner
  })
  await producer.connect()
  onTestFinished(() => producer.disconnect())
  for (let round = 0; round < 6; round++) {
    const transaction = await producer.transaction()
    const kept = round % 3 !== 1
    await transaction.send({ topic, messages: messages(keys(kept ? `${round}-` : 'aborted-', 20)) })
    if (kept) await transaction.commit()
    else await transaction.abort()
  }
  const seen: string[] = []
  await collect(kafka, 'g', topic, seen)
  const wanted = [0, 2, 3, 5].flatMap((round) => keys(`${round}-`, 20))
  await vi.waitFor(() => expect(seen.toSorted()).toEqual(wanted.toSorted()), SOON)
})

describe('a group of three', () => {
  test('shares the partitions, goes on when one leaves, and loses and repeats nothing', async () => {
    const { kafka, admin, topic } = await started()
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const seen: string[][] = [[], [], []]
    const members = await Promise.all(seen.map((into) => collect(kafka, 'g', topic, into)))
    await vi.waitFor(async () => {
      const [group] = (await admin.describeGroups(['g'])).groups
      expect([group?.state, group?.members.length]).toEqual(['Stable', 3])
    }, SOON)
    await producer.send({ topic, messages: messages(keys('a', 300)) })
    await vi.waitFor(() => expect(seen.flat().toSorted()).toEqual(keys('a', 300).toSorted()), SOON)
    expect(seen.every((some) => some.length > 0)).toBe(true)
    await members[0]?.disconnect()
    await producer.send({ topic, messages: messages(keys('b', 300)) })
    const all = [...keys('a', 300), ...keys('b', 300)].toSorted()
    await vi.waitFor(() => expect(seen.flat().toSorted()).toEqual(all), SOON)
  })
})

test('the admin client: topics, configs, partitions, records, groups', async () => {
  const { kafka, admin, topic } = await started()
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({
    topic,
    messages: [
      { partition: 0, value: 'a' },
      { partition: 0, key: 'k', value: 'b' }
    ]
  })
  await producer.disconnect()
  expect(await admin.listTopics()).toEqual([topic])
  await admin.createPartitions({ topicPartitions: [{ topic, count: 7 }] })
  expect((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length).toBe(7)
  const resource = { type: 2, name: topic }
  const configEntries = [{ name: 'max.message.bytes', value: '5000' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
  const configs = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ ...resource, configNames: ['max.message.bytes'] }]
  })
  expect(configs.resources[0]?.configEntries).toMatchObject([
    { configName: 'max.message.bytes', configValue: '5000' }
  ])
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] })
  const [first] = await admin
    .fetchTopicOffsets(topic)
    .then((all) => all.filter(({ partition }) => partition === 0))
  expect(first).toMatchObject({ low: '1', high: '2' })
  const seen: string[] = []
  const consumer = await collect(kafka, 'g', topic, seen)
  await vi.waitFor(() => expect(seen).toEqual(['k']), SOON)
  await consumer.disconnect()
  const offsets = await admin.fetchOffsets({ groupId: 'g', topics: [topic] })
  expect(offsets[0]?.partitions.find(({ partition }) => partition === 0)?.offset).toBe('2')
  expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toEqual(['g'])
  await admin.deleteGroups(['g'])
  expect((await admin.listGroups()).groups).toEqual([])
  await admin.deleteTopics({ topics: [topic] })
  expect(await admin.listTopics()).toEqual([])
})
