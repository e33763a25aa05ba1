import { expect, onTestFinished, test } from 'vitest'
import { IdempotentSession } from '../../../src/actors/kafka/idempotent.ts'
import { EmbeddedWorld } from './embedded.ts'

async function session(world: EmbeddedWorld): Promise<IdempotentSession> {
  const one = new IdempotentSession(world.cluster)
  onTestFinished(() => one.destroy())
  await one.fence(world.signal)
  await one.add([world.at(0), world.at(1)], world.signal)
  return one
}

test('batches of several partitions are written in order, and answered in the order they were given', async () => {
  const world = await EmbeddedWorld.start()
  const one = await session(world)
  for (const from of [0, 3]) {
    const values = (n: number) => String(from + n)
    const given = [
      world.batch(0, values(0)),
      world.batch(0, values(1)),
      world.batch(1, 'x'),
      world.batch(0, values(2))
    ]
    const results = await one.produce(given, world.signal)
    expect(results.map(({ partition, baseOffset }) => [partition, baseOffset])).toEqual([
      [0, from],
      [0, from + 1],
      [1, from / 3],
      [0, from + 2]
    ])
  }
  expect(await world.read(0)).toEqual(['0', '1', '2', '3', '4', '5'])
})

test('nothing overtakes the first batch of a partition that the broker has not written', async () => {
  const world = await EmbeddedWorld.start()
  const one = await session(world)
  const refused = { subject: /^Append t-0/, action: { type: 'answer', code: 19 } } as const
  world.broker.faults.add(refused)
  const given = () => [world.batch(0, 'a'), world.batch(0, 'b'), world.batch(1, 'x'), world.batch(0, 'c')]
  const results = await one.produce(given(), world.signal)
  expect(results.map(({ error, fault }) => [error, fault?.code])).toEqual([
    [19, 'kafka-not-enough-replicas'],
    [-1, 'not-sent'],
    [0, undefined],
    [-1, 'not-sent']
  ])
  expect(await world.read(0)).toEqual([])
  await one.fence(world.signal)
  await one.add([world.at(0)], world.signal)
  await one.produce(
    given().filter(({ partition }) => partition === 0),
    world.signal
  )
  expect(await world.read(0)).toEqual(['a', 'b', 'c'])
})
