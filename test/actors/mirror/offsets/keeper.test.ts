import { afterEach, beforeEach, expect, test } from 'vitest'
import { tp } from '../../../../src/actors/kafka/topic-partition.ts'
import { OffsetBook } from '../../../../src/actors/mirror/offsets/book.ts'
import { AnchorKeeper, storedAnchors } from '../../../../src/actors/mirror/offsets/keeper.ts'
import { OffsetRanges } from '../../../../src/actors/mirror/offsets/ranges.ts'
import { KafkaWorld } from '../../../support/kafka-world.ts'

const offsetsTopic = 'm.offsets.internal'
const place = { topic: 't', partition: 0, targetTopic: 'x.t' }
let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
  await world.createTopic('source', 't', 1)
  await world.createTopic('target', 'x.t', 1)
  await look()
})
afterEach(() => world.stop())

const signal = () => AbortSignal.timeout(20_000)

async function look(): Promise<void> {
  await Promise.all([world.clusters.source.metadata(signal()), world.clusters.target.metadata(signal())])
}

/** A worker that begins to copy at an offset. */
function worker(offset: number) {
  const book = new OffsetBook({ isTracked: () => true })
  book.own([0])
  book.begin(0, place, offset)
  const { source, target } = world.clusters
  const keeper = new AnchorKeeper({ source, target, book, offsetsTopic, replication: 1, now: Date.now })
  const idOf = (cluster: typeof source, topic: string) => cluster.cached()?.topics.get(topic)?.id
  const ids = { sourceId: idOf(source, 't'), targetId: idOf(target, 'x.t') }
  const copy = (from: number, target: number, count: number) => {
    const ranges = new OffsetRanges(from)
    ranges.append(from, target, count)
    book.landed({ ...place, ranges, ids })
  }
  const below = (source: number) => book.page(place)?.anchors.below(source)
  return { book, keeper, copy, below }
}

const stored = async () =>
  ((await storedAnchors(world.clusters.target, offsetsTopic, signal())).get(tp('t', 0)) ?? [])
    .map(({ source, target }) => [source, target])
    .sort(([a = 0], [b = 0]) => a - b)

test('anchors outlive the worker, and the next one goes on with them', async () => {
  const first = worker(0)
  for (let n = 0; n < 4; n++) first.copy(n * 10_000, n * 10_001, 10_000)
  expect(await stored()).toEqual([])
  await first.keeper.keep(signal())
  const all = [0, 1, 2, 3].map((n) => [n * 10_000, n * 10_001])
  expect(await stored()).toEqual(all)
  const next = worker(40_000)
  expect(next.below(25_000)).toBeUndefined()
  await next.keeper.keep(signal())
  expect(next.below(25_000)).toEqual({ source: 20_000, target: 20_002 })
  next.copy(40_000, 40_005, 10)
  await next.keeper.keep(signal())
  expect(await stored()).toEqual([...all, [40_000, 40_005]])
})

test('anchors behind the position, and those of other topics of the same names, leave the topic', async () => {
  const first = worker(0)
  for (let n = 0; n < 4; n++) first.copy(n * 10_000, n * 10_001, 10_000)
  await first.keeper.keep(signal())
  const behind = worker(15_000)
  await behind.keeper.keep(signal())
  expect(behind.below(1e9)).toMatchObject({ source: 10_000 })
  expect(await stored()).toEqual([
    [0, 0],
    [10_000, 10_001]
  ])
  const admin = world.kafka('target').admin()
  await admin.connect()
  await admin.deleteTopics({ topics: ['x.t'] })
  await admin.disconnect()
  await world.createTopic('target', 'x.t', 1)
  await look()
  const anew = worker(20_000)
  await anew.keeper.keep(signal())
  expect(anew.below(1e9)).toBeUndefined()
  expect(await stored()).toEqual([])
})

test('anchors before the start of the source’s log leave the topic, but for the last', async () => {
  const { keeper, copy } = worker(0)
  for (let n = 0; n < 4; n++) copy(n * 10_000, n * 10_001, 10_000)
  await keeper.keep(signal())
  const asked = world.clusters.source.listOffsets.bind(world.clusters.source)
  // A log that has lost its first 25,000 offsets.
  world.clusters.source.listOffsets = async (...args) =>
    new Map([...(await asked(...args))].map(([key]) => [key, 25_000]))
  await keeper.drop(signal())
  await keeper.keep(signal())
  expect(await stored()).toEqual([
    [20_000, 20_002],
    [30_000, 30_003]
  ])
})

test('what could not be written is written the next time', async () => {
  const { keeper, copy } = worker(0)
  copy(0, 0, 10)
  const refused = world.brokers.target.faults.add({
    subject: /^Append m\.offsets/,
    action: { type: 'answer', code: 29 },
    times: 1
  })
  await expect(keeper.keep(signal())).rejects.toMatchObject({ code: 'kafka-topic-authorization-failed' })
  copy(10, 10, 20_000)
  copy(20_010, 20_010, 1)
  await keeper.keep(signal())
  expect(refused.hits).toBe(1)
  expect(await stored()).toEqual([
    [0, 0],
    [20_010, 20_010]
  ])
})
