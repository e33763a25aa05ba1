import { Kafka, logLevel } from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { describeGroup, groupOffsets, listGroups, setGroupOffsets } from '../../../src/actors/kafka/groups.ts'
import { EmbeddedWorld } from './embedded.ts'

test('offsets of a group without members can be read and set; one that has members is left alone', async () => {
  const { cluster, topic, signal, broker } = await EmbeddedWorld.start(3)
  expect(await listGroups(cluster, signal)).toEqual([])
  expect(await describeGroup(cluster, 'readers', signal)).toMatchObject({ state: 'Dead', members: [] })
  expect(await groupOffsets(cluster, 'readers', signal)).toEqual([])

  const offsets = [0, 2].map((partition) => ({ topic, partition, offset: 7 + partition }))
  await setGroupOffsets(cluster, 'readers', offsets, signal)
  expect(await groupOffsets(cluster, 'readers', signal)).toEqual(offsets)
  expect(await describeGroup(cluster, 'readers', signal)).toMatchObject({ state: 'Empty', members: [] })
  expect(await listGroups(cluster, signal)).toEqual(['readers'])

  const kafka = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING, clientId: 'somebody' })
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  onTestFinished(() => consumer.disconnect())
  await consumer.subscribe({ topic })
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve())
  })
  await consumer.run({ eachMessage: async () => {} })
  await joined
  const { state, members } = await describeGroup(cluster, 'readers', signal)
  expect([state, members]).toEqual(['Stable', ['somebody']])
  await expect(setGroupOffsets(cluster, 'readers', offsets, signal)).rejects.toMatchObject({
    code: 'kafka-unknown-member-id'
  })
})
