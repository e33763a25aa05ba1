import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, type KafkaCluster, kafkaTool, startKafka, startKafkaCluster } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()
const rate = { records: 4_000, seconds: 10 }

describe.skipIf(!hasKafka || !hasPython)('three brokers of Apache Kafka 4.1.1', () => {
  test('while each broker is killed and comes back, and one hangs, mirrors from and to them lose and repeat nothing', {
    timeout: 280_000
  }, async () => {
    const [cluster, single] = await Promise.all([startKafkaCluster(), startKafka()])
    defer(() => Promise.all([cluster.stop(), single.stop()]))
    const [many, one] = [kafkajs(cluster.direct), kafkajs(single.direct)]
    await createTopics(many, [{ topic: 'out', numPartitions: 4, replicationFactor: 3 }])
    await createTopics(one, [{ topic: 'in', numPartitions: 4, replicationFactor: 1 }])
    const mirror = MirrorProcess.start(`
cluster.many = { brokers = ${JSON.stringify(cluster.brokers)}, request_timeout = "5s" }
cluster.one.brokers = ${JSON.stringify(single.brokers)}
mirror.out = { from = "many", to = "one", topics = ["out"] }
mirror.in = { from = "one", to = "many", topics = ["in"], replication = 3 }
`)
    defer(() => mirror.remove())
    const [fromMany, fromOne] = [propertiesOf(cluster), propertiesOf(single)]
    const enough = join(mirror.directory, 'enough')
    const feeding = Promise.all([
      feed(fromMany, 'out', { ...rate, until: enough }),
      feed(fromOne, 'in', { ...rate, until: enough })
    ])
    feeding.catch(() => {})
    for (const node of cluster.nodes) {
      await eventually(() => leads(many, node.id, ['in', 'out']))
      await node.kill()
      await pause(1_000)
      await node.start()
      await allInSync(many, 3)
      await electPreferredLeaders(cluster)
    }
    await freezeWhileLeading(cluster, ['in', 'out'])
    await allInSync(many, 3)
    writeFileSync(enough, '')
    const [out, into] = await feeding
    await Promise.all([mirror.copied(many, ['out']), mirror.copied(one, ['in'])])
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    await expectSame(fromMany, fromOne, { out: { atLeast: out } })
    await expectSame(fromOne, fromMany, { in: into })
  })
})

function propertiesOf({ direct }: KafkaCluster) {
  return { 'bootstrap.servers': direct.join() }
}

/** A broker that leads some of these topics hangs, its connections half open, until others lead all of them; then it wakes. */
async function freezeWhileLeading({ nodes, direct }: KafkaCluster, topics: string[]): Promise<void> {
  const [frozen] = nodes
  const others = kafkajs(direct.slice(1))
  if (frozen === undefined) throw new Error('there is no broker')
  await eventually(() => leads(others, frozen.id, topics))
  frozen.signal('SIGSTOP')
  await eventually(async () =>
    (await describeTopics(others, topics)).every(({ leader }) => leader !== frozen.id && leader >= 0)
  )
  frozen.signal('SIGCONT')
}

/** Whether a node leads some partition of each of these topics. */
async function leads(kafka: Kafka, node: number, topics: string[]): Promise<boolean> {
  const partitions = await describeTopics(kafka, topics)
  return topics.every((wanted) => partitions.some(({ topic, leader }) => topic === wanted && leader === node))
}

/** Resolves when every partition of every topic has so many replicas in sync, so that one more broker may go. */
async function allInSync(kafka: Kafka, replicas: number): Promise<void> {
  await eventually(async () => (await describeTopics(kafka)).every(({ isr }) => isr.length === replicas))
}

async function eventually(fits: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await fits().catch(() => false)); await pause(200)) {
    if (Date.now() > deadline) throw new Error('the cluster did not recover within a minute')
  }
}

/** Partitions of some topics, of all by default. */
async function describeTopics(kafka: Kafka, topics?: string[]) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const described = await admin.fetchTopicMetadata(topics === undefined ? undefined : { topics })
    return described.topics.flatMap(({ name, partitions }) =>
      partitions.map((partition) => ({ topic: name, ...partition }))
    )
  } finally {
    await admin.disconnect()
  }
}

/** Moves leaders back to where they were first, so that the next broker that dies leads something. */
async function electPreferredLeaders({ direct }: KafkaCluster): Promise<void> {
  const where = ['--bootstrap-server', direct.join()]
  const which = ['--election-type', 'preferred', '--all-topic-partitions']
  await kafkaTool('org.apache.kafka.tools.LeaderElectionCommand', [...where, ...which])
}
