import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../../src/actors/store/store.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'

let world: SinkWorld
let random: () => number
beforeEach(async () => {
  world = await SinkWorld.start('memory')
  random = seededRandom()
})
afterEach(() => world.stop())

async function pathsOf(store: Store, prefix: string): Promise<string[]> {
  const paths: string[] = []
  for await (const { path } of store.list(prefix, {}, AbortSignal.timeout(10_000))) paths.push(path)
  return paths
}

test('events lie by their own time and a column, and each offset is still there once', async () => {
  await world.produce(4_000, random)
  const sink = world.run({
    config: {
      template: 'retweet={is_retweet}/dt={date}/{topic}',
      timeColumn: 'created_at',
      timeWindow: { pastMs: 36_500 * 86_400_000, futureMs: 36_500 * 86_400_000 },
      rotateRecords: 300
    }
  })
  await world.untilCaughtUp(sink)
  await sink.drain()
  await world.verify()
  const directories = new Set(
    (await pathsOf(world.store, 'data/')).map((path) => path.split('/').slice(2, 4).join('/'))
  )
  expect([...directories].every((one) => /^retweet=(true|false)\/dt=\d{4}-\d\d-\d\d$/.test(one))).toBe(true)
  expect(directories.size).toBeGreaterThan(1)
})

test('events whose time is too far from their arrival lie where nobody takes them for right', async () => {
  await world.produce(1_000, random)
  const sink = world.run({
    config: { template: 'dt={date}', timeColumn: 'created_at', timeWindow: { pastMs: 1, futureMs: 1 } }
  })
  await world.untilCaughtUp(sink)
  await sink.drain()
  await world.verify()
  const paths = await pathsOf(world.store, 'data/')
  expect(paths.every((path) => path.startsWith('data/test.raw/dt=__invalid/'))).toBe(true)
})

test('a sink with fewer files than partitions finishes chunks early, and comes to the end', async () => {
  await world.produce(4_000, random)
  const config = { rotateBytes: 1 << 30, rotateAgeMs: 3_600_000, rotateAgeMaxMs: 3_600_000, filesOpen: 1 }
  const sink = world.run({ config })
  await sink.until(({ counters }) => (counters.entriesPublished ?? 0) >= 4)
  await sink.drain()
  const next = world.run()
  await world.untilCaughtUp(next)
  await next.drain()
  await world.verify()
})

test('too many dead letters stop their partition in a state of its own; a higher limit lets it go on', async () => {
  await world.produce(8_000, random)
  const sink = world.run({
    config: { deadLetters: { max: 0, among: 1_000, topic: undefined, replication: 1 } }
  })
  await sink.until(({ partitions }) => partitions.some(({ state }) => state === 'too-many-dead'))
  const stopped = sink.view().partitions.find(({ state }) => state === 'too-many-dead')
  expect(stopped?.reason).toContain('dead-letters-exceeded: more than 0 of 1000 records')
  expect(sink.view().ready).toBe(false)
  await sink.drain()
  const dead = await pathsOf(world.store, 'dead/')
  expect(dead).toEqual([])
  const next = world.run()
  await world.untilCaughtUp(next)
  await next.drain()
  await world.verify()
})

test('files that are open, and the age of what is not published, are told while they grow and over when it is', async () => {
  const age = { rotateAgeMs: 3_600_000, rotateAgeMaxMs: 3_600_000 }
  const sink = world.run({ config: { ...age, rotateBytes: 1 << 30 } })
  await sink.until(({ partitions, ready }) => ready && partitions.every(({ lagMs }) => lagMs === 0))
  expect(sink.view().filesOpen).toBe(0)
  await world.produce(1_000, random)
  await sink.until(
    ({ filesOpen, partitions }) => filesOpen === 4 && partitions.every(({ lagMs = 0 }) => lagMs > 0)
  )
  await sink.drain()
  const next = world.run()
  await world.untilCaughtUp(next)
  await next.until(
    ({ filesOpen, partitions }) => filesOpen === 0 && partitions.every(({ lagMs }) => lagMs === 0)
  )
  await next.drain()
  await world.verify()
})
