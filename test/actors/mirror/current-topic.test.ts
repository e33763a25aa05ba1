import { expect, test } from 'vitest'
import { appendRecord } from '../../../src/actors/kafka/append.ts'
import { currentTopic, positionsTopicOf } from '../../../src/actors/mirror/current-topic.ts'
import { encodeClaim } from '../../../src/actors/mirror/position-records.ts'
import { EmbeddedWorld } from '../kafka/embedded.ts'

const PREFIX = 'n.mirror.m'
const claim = { source: 'a', target: 'b', shards: 2, hash: 1, naming: 'identity' }

async function worldWith(topics: Readonly<Record<number, number>>): Promise<EmbeddedWorld> {
  const world = await EmbeddedWorld.start()
  for (const [generation, partitions] of Object.entries(topics)) {
    const topic = positionsTopicOf(PREFIX, Number(generation))
    await world.cluster.createTopic(topic, { partitions, replication: 1, configs: {} }, world.signal)
  }
  return world
}

const move = async ({ cluster, signal }: EmbeddedWorld, from: number, to: string) => {
  const place = { topic: positionsTopicOf(PREFIX, from), partition: 0 }
  await cluster.metadata(signal, [place.topic])
  await appendRecord(cluster, place, encodeClaim({ ...claim, moved: to }, 0), signal)
}
const current = ({ cluster, signal }: EmbeddedWorld) => currentTopic(cluster, PREFIX, signal)

test('a topic that nothing leads to is not the current one, and where none exists the first will be', async () => {
  expect(await current(await worldWith({}))).toEqual({
    topic: 'n.mirror.m.positions.internal',
    generation: 0,
    partitions: 0
  })
  expect(await current(await worldWith({ 0: 2, 1: 3 }))).toMatchObject({ generation: 0, partitions: 2 })
})

test('claims are followed, over topics that were left behind, to the last one', async () => {
  const world = await worldWith({ 0: 2, 1: 3, 2: 4, 3: 5, 4: 6 })
  await move(world, 0, positionsTopicOf(PREFIX, 2))
  await move(world, 2, positionsTopicOf(PREFIX, 3))
  expect(await current(world)).toEqual({
    topic: 'n.mirror.m.positions-3.internal',
    generation: 3,
    partitions: 5
  })
})

test.each(['n.mirror.m.positions.internal', 'n.mirror.x.positions-1.internal', 'else'])(
  'a claim that leads to %s is refused',
  async (to) => {
    const world = await worldWith({ 0: 2, 1: 3 })
    await move(world, 0, to)
    await expect(current(world)).rejects.toMatchObject({ code: 'positions-unreadable' })
  }
)
