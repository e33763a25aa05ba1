import { expect } from 'vitest'
import type { RunningRole } from './kafka-world.ts'
import { seededRandom } from './random.ts'
import type { SinkWorld } from './sink-world.ts'
import { WatchedStore } from './watched-store.ts'

/** Happens to what a running sink depends on, while tweets are being produced. */
export type Disturbance = (sink: RunningRole, producing: Promise<void>) => Promise<void>

/** Disturbs a sink so many times, each at a seeded moment of its work; what it has written in the end is whole all the same. */
export async function disturbSink(
  world: SinkWorld,
  seed: number,
  times: number,
  disturbance: Disturbance
): Promise<void> {
  const random = seededRandom(seed)
  let calls = 0
  let struck = Promise.withResolvers<void>()
  const store = new WatchedStore(world.store, () => {
    if (--calls === 0) struck.resolve()
  })
  const sink = world.run({ store })
  for (let round = 0; round < times; round++) {
    struck = Promise.withResolvers()
    calls = 1 + Math.floor(random() * 30)
    const producing = world.produce(2_000, random)
    await struck.promise
    await disturbance(sink, producing)
    await producing
    expect(sink.failure()).toBeUndefined()
    await world.untilCaughtUp(sink)
  }
  await sink.until(({ ready }) => ready)
  await sink.drain()
  await world.verify()
}
