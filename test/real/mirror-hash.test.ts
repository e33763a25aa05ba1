import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, kafkajs, MirrorProcess } from './kafka-mirror.ts'
import { hasKafkaTools, KafkaTools } from './kafka-tools.ts'

/**
 * Keys that a mirror places lie where Kafka's own producer (its console's, in Java) puts them, as librdkafka reads both.
 */
const defer = cleanups()
const KEYS = 200
const keys = Array.from({ length: KEYS }, (_, n) => `key ${n} ${'ü'.repeat(n % 5)}`)

interface Read {
  readonly key: string | null
  readonly value: string
}

describe.skipIf(!hasKafka || !hasPython || !hasKafkaTools)('keys on another number of partitions', () => {
  const tools = new KafkaTools()
  let source: RealKafka
  let target: RealKafka
  beforeAll(async () => {
    ;[source, target] = await Promise.all([startKafka(), startKafka()])
  })
  afterAll(async () => {
    await Promise.all([source?.stop(), target?.stop(), tools.stop()])
  })

  const create = (kafka: RealKafka, topic: string, numPartitions: number) =>
    createTopics(kafkajs(kafka.direct), [{ topic, numPartitions, replicationFactor: 1 }])

  async function read(kafka: RealKafka, topic: string): Promise<Read[][]> {
    const properties = JSON.stringify({ 'bootstrap.servers': kafka.direct.join() })
    return JSON.parse(await pythonTool('read_topic.py', [properties, topic]))
  }

  /** Each key's partitions and values. */
  const byKey = (partitions: readonly (readonly Read[])[]) => {
    const found = new Map<string | null, { readonly partitions: Set<number>; readonly values: string[] }>()
    for (const [partition, records] of partitions.entries()) {
      for (const { key, value } of records) {
        const known = found.get(key) ?? { partitions: new Set(), values: [] }
        known.partitions.add(partition)
        known.values.push(value)
        found.set(key, known)
      }
    }
    return found
  }

  test.each([3, 10])('from four partitions to %i', async (partitions) => {
    const topic = `keyed-${partitions}`
    await create(source, topic, 4)
    await create(target, topic, partitions)
    await create(target, `reference-${partitions}`, partitions)
    const producer = kafkajs(source.direct).producer()
    await producer.connect()
    for (const round of ['a', 'b', 'c']) {
      await producer.send({ topic, messages: keys.map((key) => ({ key, value: round })) })
      await producer.send({ topic, messages: [0, 1, 2, 3].map((partition) => ({ value: round, partition })) })
    }
    await producer.disconnect()
    const separator = ['--property', 'parse.key=true', '--property', 'key.separator=|']
    const to = ['--bootstrap-server', target.direct.join(), '--topic', `reference-${partitions}`]
    const lines = keys.map((key) => `${key}|x\n`).join('')
    await tools.runOk('kafka-console-producer', [...to, ...separator], lines)

    const clusters = `[cluster.onprem]\nbrokers = ${JSON.stringify(source.brokers)}\n[cluster.aws]\nbrokers = ${JSON.stringify(target.brokers)}\n`
    const section = `[mirror.m${partitions}]\nfrom = "onprem"\nto = "aws"\nshards = 2\ntopics = ["${topic}"]\npartitioning = "hash"\n`
    const mirror = MirrorProcess.start(`${clusters}${section}`)
    defer(() => mirror.remove())
    await mirror.copied(kafkajs(source.direct), [topic])
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)

    const [copies, reference] = [
      byKey(await read(target, topic)),
      byKey(await read(target, `reference-${partitions}`))
    ]
    for (const key of keys) {
      expect(copies.get(key)?.partitions, key).toEqual(reference.get(key)?.partitions)
      expect(copies.get(key)?.values, key).toEqual(['a', 'b', 'c'])
    }
    expect(copies.get(null)?.values).toHaveLength(12)
    expect(copies.get(null)?.partitions).toEqual(new Set([0, 1, 2, 3].map((n) => n % partitions)))
  })
})
