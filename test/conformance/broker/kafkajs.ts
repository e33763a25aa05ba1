import { type Consumer, type ConsumerConfig, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { fresh, type Subject, withClient } from './bench.ts'
import { committedValues } from './committed.ts'

const SOON = { timeout: 20_000, interval: 20 }

/** kafkajs' own clients, whole: what their loops need of a broker is there. */
export function kafkajsClients(subject: () => Subject): void {
  const started = async (partitions = 6) => {
    const kafka = new Kafka({ brokers: [subject().address], clientId: 'test', logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    onTestFinished(() => admin.disconnect())
    const topic = fresh('topic')
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
    return { kafka, admin, topic }
  }

  test('a transactional producer: a read_committed consumer gets what was committed, once', async () => {
    const { kafka, topic } = await started()
    const producer = await transactional(kafka)
    for (let round = 0; round < 6; round++) {
      const transaction = await producer.transaction()
      const kept = round % 3 !== 1
      await transaction.send({ topic, messages: messages(keys(kept ? `${round}-` : 'aborted-', 20)) })
      if (kept) await transaction.commit()
      else await transaction.abort()
    }
    const seen: string[] = []
    await collect(kafka, topic, seen)
    const wanted = [0, 2, 3, 5].flatMap((round) => keys(`${round}-`, 20))
    await vi.waitFor(() => expect(seen.toSorted()).toEqual(wanted.toSorted()), SOON)
  })

  test('offsets sent with a transaction move with its commit only', async () => {
    const { kafka, admin, topic } = await started(1)
    const consumerGroupId = fresh('group')
    for (const [offset, kept] of [
      ['5', true],
      ['9', false]
    ] as const) {
      // One of its own each: kafkajs does not repeat AddOffsetsToTxn while the last transaction is being completed.
      const producer = await transactional(kafka)
      const transaction = await producer.transaction()
      await transaction.sendOffsets({
        consumerGroupId,
        topics: [{ topic, partitions: [{ partition: 0, offset }] }]
      })
      if (kept) await transaction.commit()
      else await transaction.abort()
    }
    await vi.waitFor(async () => {
      const [found] = await admin.fetchOffsets({ groupId: consumerGroupId, topics: [topic] })
      expect(found?.partitions[0]?.offset).toBe('5')
    }, SOON)
  })

  test('an idempotent producer whose replies are lost writes everything once', async () => {
    const { kafka, topic } = await started(1)
    const producer = await connected(kafka.producer({ idempotent: true, maxInFlightRequests: 1 }))
    await producer.send({ topic, messages: messages(keys('a', 10)) })
    const lost = subject().loseReplies('Produce', 2)
    for (let round = 0; round < 4; round++) await producer.send({ topic, messages: messages(keys('b', 10)) })
    expect(lost.hits).toBe(2)
    await withClient(subject(), async (client) => {
      expect((await committedValues(client, { topic, partition: 0 })).length).toBe(50)
    })
  })

  test('a group of three shares the partitions, goes on when one leaves, and loses and repeats nothing', async () => {
    const { kafka, admin, topic } = await started()
    const producer = await connected(kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner }))
    const groupId = fresh('group')
    const seen: string[][] = [[], [], []]
    const members = await Promise.all(seen.map((into) => collect(kafka, topic, into, { groupId })))
    await vi.waitFor(async () => {
      const [group] = (await admin.describeGroups([groupId])).groups
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

  test('the admin client: topics, configs, partitions, records, groups', async () => {
    const { kafka, admin, topic } = await started()
    const producer = await connected(kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner }))
    await producer.send({
      topic,
      messages: [
        { partition: 0, value: 'a' },
        { partition: 0, key: 'k', value: 'b' }
      ]
    })
    expect(await admin.listTopics()).toContain(topic)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 7 }] })
    await vi.waitFor(async () => {
      const [grown] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
      expect(grown?.partitions.length).toBe(7)
    }, SOON)
    const resource = { type: 2, name: topic }
    const configEntries = [{ name: 'max.message.bytes', value: '5000' }]
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
    await vi.waitFor(async () => {
      const configNames = ['max.message.bytes']
      const resources = [{ ...resource, configNames }]
      const configs = await admin.describeConfigs({ includeSynonyms: false, resources })
      const wanted = [{ configName: 'max.message.bytes', configValue: '5000' }]
      expect(configs.resources[0]?.configEntries).toMatchObject(wanted)
    }, SOON)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] })
    const limits = await admin.fetchTopicOffsets(topic)
    expect(limits.find(({ partition }) => partition === 0)).toMatchObject({ low: '1', high: '2' })
    const groupId = fresh('group')
    const seen: string[] = []
    const consumer = await collect(kafka, topic, seen, { groupId })
    await vi.waitFor(() => expect(seen).toEqual(['k']), SOON)
    await consumer.disconnect()
    const offsets = await admin.fetchOffsets({ groupId, topics: [topic] })
    expect(offsets[0]?.partitions.find(({ partition }) => partition === 0)?.offset).toBe('2')
    expect((await admin.listGroups()).groups.map((group) => group.groupId)).toContain(groupId)
    await admin.deleteGroups([groupId])
    expect((await admin.listGroups()).groups.map((group) => group.groupId)).not.toContain(groupId)
    await admin.deleteTopics({ topics: [topic] })
    await vi.waitFor(async () => expect(await admin.listTopics()).not.toContain(topic), SOON)
  })
}

async function connected(producer: Producer): Promise<Producer> {
  await producer.connect()
  onTestFinished(() => producer.disconnect())
  return producer
}

function transactional(kafka: Kafka): Promise<Producer> {
  return connected(
    kafka.producer({
      transactionalId: fresh('txn'),
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: Partitioners.DefaultPartitioner
    })
  )
}

/** A consumer that collects keys, under its own member of the group. */
async function collect(
  kafka: Kafka,
  topic: string,
  into: string[],
  config: ConsumerConfig = { groupId: fresh('group') }
): Promise<Consumer> {
  const quick = { maxWaitTimeInMs: 50, heartbeatInterval: 100, sessionTimeout: 6_000 }
  const consumer = kafka.consumer({ ...quick, ...config })
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
