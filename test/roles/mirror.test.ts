import { afterEach, beforeEach, expect, test } from 'vitest'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import {
  copied,
  expectEqual,
  produceSome,
  produceTransactions,
  produceUntil,
  startMirror
} from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const start = (...rest: StartRest): RunningRole => startMirror(world, ...rest)
type StartRest = Parameters<typeof startMirror> extends [unknown, ...infer Rest] ? Rest : never

test('a source with interleaved and aborted transactions is copied exactly, in order', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceTransactions(world, 'hybrid', 6, 200)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
  expect(mirror.view().ready).toBe(true)
  const count = (await world.read('source', 'hybrid')).flat().length
  expect((await world.consume('target', 'hybrid', count)).length, 'kafkajs counts the same').toBe(count)
  await mirror.drain()
  expect(mirror.failure()).toBeUndefined()
})

test('two workers share the shards, and the death of one moves its shards without a loss or a repeat', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('source', 'other', 4)
  let isWriting = true
  const writing = Promise.all(
    ['hybrid', 'other'].map((topic) => produceUntil(world, topic, () => !isWriting))
  )
  const mine = start({ sessionTimeoutMs: 400 })
  await mine.until((view) => view.ready && view.partitions.length === 8)
  const other = start({ sessionTimeoutMs: 400 }, 'worker-2')
  await other.until((view) => view.ready && view.partitions.length > 0)
  await mine.until((view) => view.ready && view.partitions.length < 8)
  other.kill()
  await mine.until((view) => view.ready && view.partitions.length === 8)
  isWriting = false
  await writing
  await copied(world, mine, 'hybrid', 'other')
  await expectEqual(world, 'hybrid', 'other')
})

test('the target restarts in the middle', async () => {
  await world.createTopic('source', 'hybrid', 4)
  let isWriting = true
  const writing = produceUntil(world, 'hybrid', () => !isWriting)
  const mirror = start()
  for (let n = 1; n <= 2; n++) {
    await mirror.until((view) => (view.counters.transactionsCommitted ?? 0) >= 4 * n && view.ready)
    await world.restart('target')
  }
  isWriting = false
  await writing
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
})

test('drain commits what was fetched, leaves the group, and the next start goes on from there', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 40)
  // Nothing is due by itself: only the drain commits.
  const first = start({ commitIntervalMs: 60_000, commitBytes: 1 << 30 })
  await first.until((view) => (view.counters.recordsRead ?? 0) === 40)
  await first.drain()
  expect(first.view().counters.recordsWritten).toBe(40)
  await expectEqual(world, 'hybrid')
  const second = start()
  await copied(world, second, 'hybrid')
  expect(second.view().counters.recordsRead).toBe(0)
})

test('topics of our own, hidden and excluded ones are not copied, the others are created alike', async () => {
  await world.createTopic('source', 'wanted', 3, { 'retention.ms': '-1' })
  await world.createTopic('source', 'unwanted', 1)
  await world.createTopic('source', 'x.internal', 1)
  await world.createTopic('source', '.hidden', 1)
  const mirror = start({ exclude: ['un.*'] })
  await mirror.until((view) => view.ready && view.partitions.length > 0)
  expect(new Set(mirror.view().partitions.map(({ topic }) => topic))).toEqual(new Set(['wanted']))
  const config = await world.clusters.target.topicConfig(
    'wanted',
    ['retention.ms'],
    AbortSignal.timeout(5_000)
  )
  expect(config).toEqual({ 'retention.ms': '-1' })
})

test('a partition that the target lacks is held alone', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 3)
  await produceSome(world, 'hybrid', 40)
  const mirror = start({ createTopics: false })
  await mirror.until(
    (view) =>
      view.partitions.filter(({ state, position }) => state === 'copying' && position === 10).length === 3
  )
  expect(mirror.view().partitions.find(({ partition }) => partition === 3)).toMatchObject({
    state: 'held',
    reason: 'topic hybrid has only 3 partitions on target, and create_topics is off'
  })
  expect(mirror.view().ready).toBe(false)
})

test('positions of another mirror are refused, naming both', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 4)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  await mirror.drain()
  const other = start({ shards: 5 })
  await other.until(() => false)
  expect(other.failure()).toMatchObject({ code: 'claim-mismatch', message: expect.stringContaining('5') })
})

test('what cannot pass as it is, is taken apart: the time of the append is kept, tiny batches are merged', async () => {
  await world.createTopic('source', 'stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
  await world.createTopic('source', 'tiny', 4)
  const settings = { configExclude: ['message.timestamp.type'] }
  const mirror = start(settings)
  const producer = world.kafka('source').producer()
  await producer.connect()
  for (const value of ['x', 'y'])
    await producer.send({ topic: 'stamped', messages: [{ value, timestamp: '1' }] })
  await producer.disconnect()
  await copied(world, mirror, 'stamped')
  await mirror.drain()
  await produceSome(world, 'tiny', 100)
  const next = start(settings)
  await copied(world, next, 'tiny')
  await expectEqual(world, 'stamped', 'tiny')
  const { counters } = next.view()
  expect(counters.batchesMerged).toBeGreaterThan(50)
})

async function createAnew(topic: string): Promise<void> {
  const admin = world.kafka('source').admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  await world.createTopic('source', topic, 4)
}

test('a source topic that was created anew stops visibly instead of going on at the old offset', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 40)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  const before = await world.read('target', 'hybrid')
  await createAnew('hybrid')
  await produceSome(world, 'hybrid', 80)
  await mirror.until(
    ({ partitions }) => partitions.length === 4 && partitions.every(({ state }) => state === 'topic-reset')
  )
  expect(mirror.view().ready).toBe(false)
  mirror.kill()
  const second = start()
  await second.until(
    ({ partitions }) => partitions.length === 4 && partitions.every(({ state }) => state === 'topic-reset')
  )
  expect(await world.read('target', 'hybrid')).toEqual(before)
})

test('where the rules want it, a topic that was created anew is copied from its start, behind the former one', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 40)
  const mirror = start({ rules: [{ topics: ['.*'], policies: { topicReset: 'restart' } }] })
  await copied(world, mirror, 'hybrid')
  const before = await world.read('target', 'hybrid')
  await createAnew('hybrid')
  await produceSome(world, 'hybrid', 12)
  await mirror.until(({ counters }) => (counters.jumps ?? 0) >= 4)
  await copied(world, mirror, 'hybrid')
  const anew = await world.read('source', 'hybrid')
  expect(await world.read('target', 'hybrid')).toEqual(
    before.map((records, partition) => [...records, ...(anew[partition] ?? [])])
  )
})

test('where the rules want it, a partition goes on behind records that left the source before they were copied', async () => {
  await world.createTopic('source', 'hybrid', 1)
  const producer = world.kafka('source').producer()
  await producer.connect()
  const write = (from: number, to: number) => {
    const values = Array.from({ length: to - from }, (_, index) => ({ value: `${from + index}` }))
    return producer.send({ topic: 'hybrid', messages: values })
  }
  await write(0, 10)
  const first = start()
  await copied(world, first, 'hybrid')
  await first.drain()
  await write(10, 30)
  const admin = world.kafka('source').admin()
  await admin.connect()
  // kafkajs deletes only from topics that it has asked about.
  await admin.fetchTopicOffsets('hybrid')
  await admin.deleteTopicRecords({ topic: 'hybrid', partitions: [{ partition: 0, offset: '20' }] })
  await Promise.all([admin.disconnect(), producer.disconnect()])
  const strict = start()
  await strict.until(({ partitions }) => partitions.some(({ state }) => state === 'data-loss'))
  expect(strict.view().partitions[0]?.reason).toBe('offsets 10 to 19 left the source before they were copied')
  await strict.drain()
  const lenient = start({ rules: [{ topics: ['hybrid'], policies: { dataLoss: 'skip' } }] })
  await copied(world, lenient, 'hybrid')
  expect(lenient.view().counters.jumps).toBe(1)
  const numbers = (await world.read('target', 'hybrid')).flat().map((text) => Number(text.split(' ')[1]))
  expect(numbers).toEqual([...Array(30).keys()].filter((n) => n < 10 || n >= 20))
})

test('a record that the target refuses stops its partition, and the others of its shard go on', async () => {
  await world.createTopic('source', 'hybrid', 4)
  // The topology takes the limit as it is now; afterwards the target gets stricter.
  await produceSome(world, 'hybrid', 4)
  const mirror = start({ shards: 1 })
  await copied(world, mirror, 'hybrid')
  world.brokers.target.faults.add({ subject: /^Append hybrid-2/, action: { type: 'answer', code: 10 } })
  await produceSome(world, 'hybrid', 40)
  await mirror.until(({ partitions }) => partitions.some(({ state }) => state === 'rejected'))
  await mirror.until(({ partitions }) => partitions.filter(({ position }) => position === 11).length === 3)
  expect(mirror.view().partitions[2]).toMatchObject({ state: 'rejected', position: 1 })
})

test('a new topic is found and copied', async () => {
  await world.createTopic('source', 'first', 4)
  const mirror = start()
  await mirror.until(({ ready }) => ready)
  await world.createTopic('source', 'second', 4)
  await produceSome(world, 'second', 20)
  await copied(world, mirror, 'second')
  await expectEqual(world, 'second')
})
