import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { SinkProcess } from '../support/sink-process.ts'
import { cleanups } from '../tools/cleanup.ts'
import type { ProxyRule } from '../tools/proxy.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasKafka, startKafka } from './kafka.ts'
import { createTopics, kafkajs } from './kafka-mirror.ts'

const defer = cleanups()
const TOPIC = 'hybrid'
const LETTERS = 'hybrid.dead'
const PARTITIONS = 2
const ROUND = 120
const keys = `rotate_age = "100ms"
refresh_interval = "1s"
session_timeout = "1s"
dead_letters = { max = 500, among = 1000, topic = "${LETTERS}" }`

/** Each stops the derivation of letters at one of its requests, before or after Kafka did what it asks. */
const moments: readonly ProxyRule[] = [
  { fault: 'hang', match: /^AddPartitionsToTxn$/ },
  { fault: 'hang', match: /^Produce$/ },
  { fault: 'lose-reply', match: /^Produce$/ },
  { fault: 'hang', match: /^EndTxn$/ },
  { fault: 'lose-reply', match: /^EndTxn$/ },
  { fault: 'lose-reply', match: /^EndTxn$/, skip: 1 },
  { fault: 'hang', match: /^InitProducerId$/ }
]

test.skipIf(!hasKafka || !hasPython)(
  'each dead letter is in its topic once, as librdkafka reads it, wherever kill -9 meets the derivation',
  { timeout: 400_000 },
  async () => {
    const kafka = await startKafka({ 'group.min.session.timeout.ms': '1000' }, { proxied: true })
    defer(() => kafka.stop())
    const { proxy } = kafka.node
    if (proxy === undefined) throw new Error('the broker has no proxy')
    await createTopics(kafkajs(kafka.direct), [{ topic: TOPIC, numPartitions: PARTITIONS }])
    const place = await lake()
    const start = () => {
      const sink = new SinkProcess({ brokers: kafka.brokers, place, topic: TOPIC, keys })
      defer(() => sink.remove())
      return sink
    }
    const read = async (): Promise<readonly Letter[]> => {
      const properties = JSON.stringify({ 'bootstrap.servers': kafka.direct.join() })
      return JSON.parse(await pythonTool('read_topic.py', [properties, LETTERS])).flat()
    }
    const expected = new Map<string, string>()
    let produced = 0
    const produce = async () => {
      const producer = kafkajs(kafka.direct).producer()
      await producer.connect()
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const messages = Array.from({ length: ROUND }, () => {
          const index = produced++
          const isDead = index % 5 === 0
          return { partition, value: isDead ? `{"no":"tweet ${index}"` : tweetAt(1, index).json, isDead }
        })
        const [written] = await producer.send({
          topic: TOPIC,
          messages: messages.map(({ isDead: _, ...message }) => message)
        })
        for (const [at, { value, isDead }] of messages.entries()) {
          if (isDead) expected.set(`${partition}:${Number(written?.baseOffset) + at}`, value)
        }
      }
      await producer.disconnect()
    }

    for (const moment of moments) {
      const rule = proxy.set({ ...moment, times: 1 })
      const sink = start()
      await produce()
      await sink.worker.until('the derivation was met', () => (rule.hits > 0 ? true : undefined), 60_000)
      sink.signal('SIGKILL')
      await sink.worker.exited
      rule.remove()
    }
    const last = start()
    await produce()
    let found: readonly Letter[] = []
    // The topic may be read while a transaction of the dead is open: librdkafka stops before it.
    while (found.length < expected.size) {
      await delay(500)
      found = await read()
    }
    expect(await last.worker.stop(), last.worker.said()).toBe(0)
    const letters = (await read()).map(({ value, headers }) => [
      `${headers['__connect.errors.partition']}:${headers['__connect.errors.offset']}`,
      value
    ])
    expect(letters.sort()).toEqual([...expected].sort())
  }
)

interface Letter {
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/** An object store in this process, which outlives the workers. */
async function lake() {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-letters-'))
  const access = { region: 'us-east-1', accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
  const s3 = await startObjectStore({ dataDir, ...access, buckets: ['lake'] })
  defer(async () => {
    await s3.stop()
    rmSync(dataDir, { recursive: true })
  })
  return { type: 's3', ...access, endpoint: s3.endpoint, bucket: 'lake', prefix: 'road' } as const
}
