import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  alterTopic,
  brokerSetting,
  type ConfigEntries,
  describeTopics,
  growTopic,
  topicAcls
} from '../../../src/actors/kafka/admin.ts'
import { Cluster } from '../../../src/actors/kafka/cluster.ts'
import type { Link } from '../../../src/actors/kafka/link.ts'
import { startBroker } from '../../../src/embedded/broker/broker.ts'
import { Fault } from '../../../src/errors.ts'
import { KafkaWorld } from '../../support/kafka-world.ts'

let world: KafkaWorld
let cluster: Cluster
beforeAll(async () => {
  world = await KafkaWorld.start()
  cluster = world.clusters.source
})
afterAll(() => world.stop())
const soon = () => AbortSignal.timeout(20_000)

async function configsOf(topic: string): Promise<ConfigEntries> {
  const found = (await describeTopics(cluster, [topic], soon())).get(topic)
  if (found === undefined || found instanceof Fault) throw found ?? new Error('no answer')
  return found
}

const own = (configs: ConfigEntries) =>
  Object.fromEntries([...configs].flatMap(([name, { value, isOwn }]) => (isOwn ? [[name, value]] : [])))

/** The cluster as one of brokers that do not know IncrementalAlterConfigs. */
function old(): Cluster {
  const aged = (link: Link): Link =>
    new Proxy(link, {
      get: (of, key) => {
        if (key === 'version') return (api: number) => (api === 44 ? undefined : of.version(api))
        const value: unknown = Reflect.get(of, key, of)
        return typeof value === 'function' ? value.bind(of) : value
      }
    })
  return {
    ask: (question: (link: Link) => Promise<unknown>, signal: AbortSignal) =>
      cluster.ask((link) => question(aged(link)), signal)
  } as unknown as Cluster
}

test.each([
  ['one by one', () => cluster],
  ['all anew, where brokers know no other way', old]
])('configs are changed %s, and the others stay', async (way, through) => {
  const topic = `t-${way.length}`
  await world.createTopic('source', topic, 1, { 'flush.ms': '5', 'segment.ms': '6', 'retention.ms': '7' })
  const changes = [
    { name: 'flush.ms', value: '8' },
    { name: 'segment.ms', value: undefined },
    { name: 'cleanup.policy', value: 'compact' }
  ]
  await alterTopic(through(), topic, changes, await configsOf(topic), soon())
  expect(own(await configsOf(topic))).toEqual({
    'flush.ms': '8',
    'retention.ms': '7',
    'cleanup.policy': 'compact'
  })
  const refused = alterTopic(through(), topic, [{ name: 'flush.ms', value: 'x' }], new Map(), soon())
  await expect(refused).rejects.toMatchObject({ code: 'kafka-invalid-config', retryable: false })
})

test('configs of many topics are read at once; of one that there is not, why they are not', async () => {
  const topics = Array.from({ length: 250 }, (_, n) => `many-${n}`)
  await Promise.all(topics.map((topic) => world.createTopic('source', topic, 1)))
  const found = await describeTopics(cluster, [...topics, 'none'], soon())
  expect(found.size).toBe(251)
  expect(found.get('many-249')).toBeInstanceOf(Map)
  expect(found.get('none')).toMatchObject({ code: 'kafka-unknown-topic-or-partition' })
})

test('a topic grows, and cannot shrink', async () => {
  await world.createTopic('source', 'growing', 1)
  await growTopic(cluster, 'growing', 3, soon())
  const { topics } = await cluster.metadata(soon(), ['growing'])
  expect(topics.get('growing')?.partitions.length).toBe(3)
  await expect(growTopic(cluster, 'growing', 2, soon())).rejects.toMatchObject({
    code: 'kafka-invalid-partitions',
    message: expect.stringContaining('Topic currently has 3 partitions')
  })
})

test('a setting of brokers is told, and one that they do not have is not', async () => {
  expect(await brokerSetting(cluster, 'transaction.partition.verification.enable', soon())).toBe('true')
  expect(await brokerSetting(cluster, 'no.such.setting', soon())).toBeUndefined()
})

test('a setting is told while some broker does not answer', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-admin-'))
  const broker = await startBroker({ dataDir: directory, nodes: 3 })
  const asked = new Cluster({
    name: 'three',
    brokers: broker.brokers,
    clientId: 'test',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 20_000,
    log: world.log
  })
  const fault = broker.faults.add({ subject: /^DescribeConfigs 1$/, action: { type: 'hang' } })
  // The others take their time, so that it is asked at all.
  broker.faults.add({ subject: /^DescribeConfigs/, action: { type: 'delay', ms: 500 }, times: 2 })
  const setting = brokerSetting(
    asked,
    'transaction.partition.verification.enable',
    AbortSignal.timeout(10_000)
  )
  await expect(setting).resolves.toBe('true')
  expect(fault.hits).toBe(1)
  asked.close()
  await broker.stop()
  rmSync(directory, { recursive: true })
})

test('brokers without an authorizer have no ACLs', async () => {
  expect(await topicAcls(cluster, soon())).toBeUndefined()
})
