import { afterEach, beforeEach, expect, test } from 'vitest'
import { KafkaWorld } from '../support/kafka-world.ts'
import { copied, expectEqual, produceSome, startMirror } from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

/**
 * What brokers answer in the course of things, while they start, move leaders and coordinators, time out or fence. Each of
 * it, twice, must cost a mirror that copies neither a record nor its life.
 */
test.each<[side: 'source' | 'target', subject: string, codes: readonly number[]]>([
  ['target', 'AddPartitionsToTxn', [14, 15, 16, 47, 49, 51, 90]],
  ['target', 'Append hybrid-1', [5, 6, 7, 19, 20, 45, 47, 56, 59]],
  ['target', 'Append .*positions', [5, 6, 7, 19, 20, 45, 47, 56, 59]],
  ['target', 'EndTxn', [14, 15, 16, 47, 48, 49, 51, 90]],
  ['source', 'Fetch', [70, 71]],
  ['source', 'Heartbeat', [14, 15, 16, 22, 25, 27]]
])('a mirror goes on when the %s answers %s with any of %o', async (side, subject, codes) => {
  await world.createTopic('source', 'hybrid', 4)
  const mirror = startMirror(world)
  await mirror.until((view) => view.ready)
  for (const code of codes) {
    const met = meet(side, subject, code)
    while (met.hits < 2) {
      await produceSome(world, 'hybrid', 20)
      await copied(world, mirror, 'hybrid')
    }
  }
  await expectEqual(world, 'hybrid')
  expect(mirror.failure()).toBeUndefined()
})

test.each<[side: 'source' | 'target', subject: string, codes: readonly number[]]>([
  ['target', 'InitProducerId', [14, 15, 16, 51, 56]],
  ['target', 'FindCoordinator', [14, 15]],
  ['target', 'ListOffsets', [5, 6, 74, 75, 78]],
  ['source', 'JoinGroup', [14, 15, 16, 27]],
  ['source', 'SyncGroup', [14, 15, 16, 22, 25, 27]],
  ['source', 'OffsetForLeaderEpoch', [6, 74, 75]]
])('a mirror starts although the %s answers %s with any of %o', async (side, subject, codes) => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 20)
  const former = startMirror(world)
  await copied(world, former, 'hybrid')
  await former.drain()
  for (const code of codes) {
    await produceSome(world, 'hybrid', 20)
    const met = meet(side, subject, code)
    const mirror = startMirror(world)
    await copied(world, mirror, 'hybrid')
    expect(met.hits).toBe(2)
    expect(mirror.failure()).toBeUndefined()
    await mirror.drain()
  }
  await expectEqual(world, 'hybrid')
})

function meet(side: 'source' | 'target', subject: string, code: number) {
  const action = { type: 'answer', code } as const
  return world.brokers[side].faults.add({ subject: new RegExp(`^${subject}`), action, times: 2 })
}
