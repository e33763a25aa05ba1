import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel, type Message } from 'kafkajs'
import { expect, test } from 'vitest'
import { startBroker } from '../../src/embedded/broker/broker.ts'
import { cleanups } from './cleanup.ts'
import { hasPython, pythonTool } from './python.ts'

const defer = cleanups()

async function cluster() {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-compare-'))
  const broker = await startBroker({ dataDir })
  const kafka = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING })
  const [admin, producer] = [kafka.admin(), kafka.producer()]
  await Promise.all([admin.connect(), producer.connect()])
  defer(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await broker.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return { admin, producer, properties: JSON.stringify({ 'bootstrap.servers': broker.brokers.join() }) }
}

const message = (n: number, more: Partial<Message> = {}): Message => ({
  key: `k${n}`,
  value: `v${n}`,
  headers: { n: `${n}` },
  timestamp: `${1_700_000_000_000 + n}`,
  partition: n % 2,
  ...more
})
const [first, second, third] = [message(0), message(1), message(2)]
const rest = [3, 4, 5].map((n) => message(n))
const usual = [first, second, third, ...rest]
const flawless = { records: 6, partitions: 2, missing: 0, repeatedOrWrong: 0, partitionsOutOfOrder: 0 }

const targets: Readonly<Record<string, readonly [readonly Message[], object]>> = {
  same: [usual, flawless],
  missing: [usual.slice(0, 5), { ...flawless, missing: 1 }],
  repeated: [[...usual, first], { ...flawless, repeatedOrWrong: 1 }],
  reordered: [[third, second, first, ...rest], { ...flawless, partitionsOutOfOrder: 1 }],
  moved: [
    [{ ...first, partition: 1 }, second, third, ...rest],
    { ...flawless, missing: 1, repeatedOrWrong: 1 }
  ],
  otherValue: [
    [message(0, { value: 'w' }), ...usual.slice(1)],
    { ...flawless, missing: 1, repeatedOrWrong: 1 }
  ],
  otherHeader: [
    [message(0, { headers: {} }), ...usual.slice(1)],
    { ...flawless, missing: 1, repeatedOrWrong: 1 }
  ],
  otherTime: [
    [message(0, { timestamp: '1' }), ...usual.slice(1)],
    { ...flawless, missing: 1, repeatedOrWrong: 1 }
  ]
}

test.skipIf(!hasPython)('the comparison of topics sees every way in which they can differ', async () => {
  const [source, target] = await Promise.all([cluster(), cluster()])
  const names = Object.keys(targets)
  const topics = names.map((topic) => ({ topic, numPartitions: 2 }))
  await Promise.all([source.admin.createTopics({ topics }), target.admin.createTopics({ topics })])
  for (const [topic, [messages]] of Object.entries(targets)) {
    await source.producer.send({ topic, messages: usual })
    await target.producer.send({ topic, messages: [...messages] })
  }
  const said = await pythonTool('compare_topics.py', [source.properties, target.properties, ...names])
  const expected = Object.entries(targets).map(([topic, [, verdict]]) => [topic, verdict])
  expect(JSON.parse(said)).toEqual(Object.fromEntries(expected))
})
