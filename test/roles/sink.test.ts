import { afterEach, beforeEach, expect, test } from 'vitest'
import { openChain } from '../../src/actors/store/chain.ts'
import { sinkRaces } from '../conformance/sink-races.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'

const seed = chooseSeed()

sinkRaces('a store in memory', () => SinkWorld.start('memory'), seed)

let world: SinkWorld
let random: () => number
beforeEach(async () => {
  world = await SinkWorld.start('memory')
  random = seededRandom(seed)
})
afterEach(() => world.stop())

test('members of a group share the partitions, and take over what another leaves', async () => {
  const members = ['a', 'b'].map((workerId) => world.run({ workerId }))
  const [a, b] = members
  if (!a || !b) throw new Error('two members')
  const all = () => [...a.view().partitions, ...b.view().partitions]
  await a.until(
    () => a.view().partitions.length < 4 && all().length === 4 && a.view().ready && b.view().ready
  )
  await world.produce(2_000, random)
  await a.drain()
  await b.until(({ partitions }) => partitions.length === 4)
  await world.produce(2_000, random)
  await world.untilCaughtUp(b)
  await b.drain()
  await world.verify()
})

test('a budget smaller than the chunks rotates them early instead of waiting for itself', async () => {
  await world.produce(6_000, random)
  const budgetBytes = 400 * 1024
  const sink = world.run({ budgetBytes, config: { rotateBytes: 1 << 30, rotateAgeMs: 3_600_000 } })
  const half = world.expected.flat().length / 2
  await sink.until(({ counters }) => (counters.recordsRead ?? 0) > half)
  await sink.drain()
  const next = world.run()
  await world.untilCaughtUp(next)
  await next.drain()
  await world.verify()
})

test('an unreachable store shows in the state, holds everything, and is recovered from', async () => {
  const sink = world.run()
  await sink.until(({ ready }) => ready)
  world.inject('prepare', { type: 'fail-before' }, { times: 5 })
  await world.produce(1_000, random)
  await sink.until(({ partitions }) => partitions.some(({ state }) => state === 'reopening'))
  expect(sink.view().notes.join()).toContain('store-unavailable')
  await world.untilCaughtUp(sink)
  await sink.until(({ ready }) => ready)
  await sink.drain()
  await world.verify()
})

test('a refused publication blocks its chain visibly; what it committed is published when it may', async () => {
  const sink = world.run()
  await sink.until(({ ready }) => ready)
  world.inject('publish', { type: 'disk-full' }, { times: Number.POSITIVE_INFINITY })
  await world.produce(1_000, random)
  const isBlocked = ({ state }: { readonly state: string }) => state === 'publish-blocked'
  await sink.until(({ partitions }) => partitions.every(isBlocked))
  expect(sink.view().ready).toBe(false)
  expect(sink.view().notes.join()).toContain('publish-blocked')
  expect(sink.view().counters.entriesPublished).toBe(0)
  sink.kill()
  world.faults.clear()
  const next = world.run()
  await world.untilCaughtUp(next)
  await next.drain()
  await world.verify()
})

test('an offset that Kafka does not have is data loss, with the range, and nothing is skipped', async () => {
  await world.produce(1_000, random)
  const { signal } = new AbortController()
  const cluster = world.kafka.clusters.source
  const { clusterId = '', topics } = await cluster.metadata(signal, ['hybrid'])
  const topicId = topics.get('hybrid')?.id ?? ''
  const start = async () => ({ offset: 5_000, reason: 'earliest' })
  for (let partition = 0; partition < 4; partition++) {
    const chain = { sink: 'test.raw', topic: 'hybrid', topicId, partition }
    await openChain(world.store, { chain, clusterId, start, now: Date.now }, signal)
  }
  const sink = world.run()
  await sink.until(
    ({ partitions }) =>
      partitions.length === 4 && partitions.every(({ reason }) => /^offsets \[\d+, 5000\)/.test(reason ?? ''))
  )
  expect(sink.view().partitions.map(({ state, position }) => [state, position])).toEqual(
    Array.from({ length: 4 }, () => ['data-loss', 5_000])
  )
  expect(sink.view().ready).toBe(false)
  expect(sink.view().counters.entriesPublished).toBe(0)
})

test('a store that ignores conditions is refused with its name', async () => {
  const store = new MemoryStore()
  store.ignoresConditions = true
  const sink = world.run({ store })
  await sink.until(() => sink.failure() !== undefined)
  expect(sink.failure()).toMatchObject({ code: 'store-without-conditional-writes' })
})

test('a store that cannot be reached at first is waited for', async () => {
  world.inject('probe', { type: 'fail-before' }, { times: 2 })
  const sink = world.run()
  await sink.until(({ state, notes }) => state === 'unproven' && notes.length > 0)
  await sink.until(({ ready }) => ready)
  expect(sink.failure()).toBeUndefined()
  await sink.drain()
})

test('the offsets for lag tools are those of the log', async () => {
  await world.produce(1_000, random)
  const sink = world.run()
  await world.untilCaughtUp(sink)
  const positions = sink.view().partitions.map(({ position }) => String(position))
  await sink.drain()
  const admin = world.kafka.kafka('source').admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId: 'test.hdfs-sink.raw', topics: ['hybrid'] })
  await admin.disconnect()
  const committed = found?.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  expect(committed).toEqual(positions)
})
