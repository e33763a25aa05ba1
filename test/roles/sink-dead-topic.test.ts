import { afterEach, beforeEach, expect, test } from 'vitest'
import type { InternalRecord } from '../../src/actors/kafka/positions.ts'
import { readInternal } from '../../src/actors/kafka/positions.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'

const TOPIC = 'hybrid.dead'
const config = { deadLetters: { max: 500, among: 1_000, topic: TOPIC, replication: 1 } }
let world: SinkWorld
let random: () => number
beforeEach(async () => {
  world = await SinkWorld.start('memory')
  random = seededRandom()
})
afterEach(() => world.stop())

/** The topic as a read_committed reader sees it; nothing while it is not there. */
async function letters(): Promise<InternalRecord[]> {
  const found: InternalRecord[] = []
  const cluster = world.kafka.clusters.source
  const signal = AbortSignal.timeout(60_000)
  const { topics } = await cluster.metadata(signal, [TOPIC])
  if (topics.get(TOPIC)?.error !== 0) return found
  const place = { cluster, topic: TOPIC, partition: 0, signal, transactionTimeoutMs: 30_000 }
  await readInternal({ ...place, onRecord: (record) => found.push(record) })
  return found
}

const header = ({ headers }: InternalRecord, name: string) =>
  headers.find(({ key }) => key === `__connect.errors.${name}`)?.value?.toString()
const places = (found: readonly InternalRecord[]) =>
  found.map((letter) => `${header(letter, 'partition')}:${header(letter, 'offset')}`)
const expected = () => world.expected.flat().filter((id) => id === undefined).length

/** Waits until every dead letter is in the topic; more than there should be end the wait as well. */
async function untilWritten(): Promise<InternalRecord[]> {
  for (;;) {
    const found = await letters()
    if (found.length >= expected()) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('each dead letter is in the topic once, with its place, its reason and all of its bytes', async () => {
  await world.produce(5_000, random)
  const sink = world.run({ config })
  await world.untilCaughtUp(sink)
  const found = await untilWritten()
  await sink.drain()
  expect(found.length).toBe(expected())
  expect(new Set(places(found)).size).toBe(found.length)
  for (const letter of found) {
    expect(letter.value?.toString()).toMatch(/^\{"no":"tweet \d+"$/)
    expect(header(letter, 'topic')).toBe('hybrid')
    expect(header(letter, 'connector.name')).toBe('test.raw')
    expect(header(letter, 'exception.message')).not.toBe('')
  }
  await world.verify()
})

test('letters of a sink that had no topic, or was killed, follow from the log, and none twice', async () => {
  await world.produce(3_000, random)
  const without = world.run()
  await world.untilCaughtUp(without)
  await without.drain()
  for (let round = 0; round < 3; round++) {
    const killed = world.run({ config })
    await world.produce(1_500, random)
    await world.untilCaughtUp(killed)
    killed.kill()
  }
  const [one, two] = [
    world.run({ config, workerId: 'one' }),
    world.run({ config, workerId: 'two', role: 's3-sink' })
  ]
  const found = await untilWritten()
  await Promise.all([one, two].map((sink) => world.untilCaughtUp(sink)))
  await Promise.all([one.drain(), two.drain()])
  expect(found.length).toBe(expected())
  expect((await letters()).length).toBe(expected())
  expect(new Set(places(found)).size).toBe(found.length)
  await world.verify()
})

test('a sink of every topic does not read its own dead letters', async () => {
  await world.produce(2_000, random)
  const sink = world.run({ config: { ...config, topics: ['.*'] } })
  await untilWritten()
  await sink.until(({ partitions }) => partitions.length === 4)
  const topics = new Set(sink.view().partitions.map(({ topic }) => topic))
  await sink.drain()
  expect([...topics]).toEqual(['hybrid'])
})
