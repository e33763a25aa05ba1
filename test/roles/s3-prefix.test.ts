import { expect, test } from 'vitest'
import { type Entry, parseEntry } from '../../src/actors/store/entry.ts'
import { parseLogPath } from '../../src/actors/store/names.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { cleanups } from '../tools/cleanup.ts'

const defer = cleanups()
const { signal } = new AbortController()
const VALUE = '{"data":{"id":"1","text":"x","created_at":"2026-11-20T10:00:00Z"}}'

test('sinks of one name on two clusters do not meet below one prefix: each offset of each is published once', async () => {
  const world = await SinkWorld.start('s3')
  defer(() => world.stop())
  await world.kafka.createTopic('target', 'hybrid', 4)
  await world.produce(500, seededRandom(1))
  const producer = world.kafka.kafka('target').producer()
  await producer.connect()
  const messages = Array.from({ length: 400 }, (_, index) => ({ partition: index % 4, value: VALUE }))
  await producer.send({ topic: 'hybrid', messages })
  await producer.disconnect()

  const one = world.run({ role: 's3-sink', config: { cluster: 'source' } })
  const two = world.run({ role: 's3-sink', config: { cluster: 'target' } })
  await world.untilCaughtUp(one)
  await two.until(
    ({ partitions }) => partitions.length === 4 && partitions.every(({ position }) => position === 100)
  )
  await Promise.all([one.drain(), two.drain()])
  expect([one.failure(), two.failure()]).toEqual([undefined, undefined])

  const byTopic = new Map<string, Entry[]>()
  for await (const { path } of world.store.list('log/v1/', {}, signal)) {
    const found = parseLogPath(path)
    if (found?.file.type !== 'entry') continue
    const entry = parseEntry((await world.store.read(path, signal)) ?? Buffer.alloc(0), path)
    if (entry.type !== 'entry') throw new Error(`${path} is no entry`)
    byTopic.set(found.chain.topicId, [...(byTopic.get(found.chain.topicId) ?? []), entry])
  }
  const records = [...byTopic.values()].map((entries) =>
    entries.flatMap(({ files }) => files).reduce((sum, file) => sum + file.records, 0)
  )
  const expected = world.expected.flat().length
  expect(records.sort((a, b) => a - b)).toEqual([expected, 400].sort((a, b) => a - b))
  const named = [...byTopic.values()].flat().flatMap(({ files }) => files.map(({ path }) => path))
  const there: string[] = []
  for (const prefix of ['data/', 'dead/']) {
    for await (const { path } of world.store.list(prefix, {}, signal)) there.push(path)
  }
  expect(there.sort()).toEqual(named.sort())
}, 60_000)
