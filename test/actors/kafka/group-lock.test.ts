import { expect, onTestFinished, test } from 'vitest'
import { lockGroup } from '../../../src/actors/kafka/group-lock.ts'
import { describeGroup } from '../../../src/actors/kafka/groups.ts'
import { EmbeddedWorld } from './embedded.ts'

const GROUP = 'g'
const lock = async (world: EmbeddedWorld, sessionTimeoutMs = 10_000) => {
  const held = await lockGroup({ cluster: world.cluster, group: GROUP, sessionTimeoutMs }, world.signal)
  onTestFinished(() => held.release())
  return held
}

test('a group with a lock takes in nobody, not even another lock, until it is released', async () => {
  const world = await EmbeddedWorld.start()
  const first = await lock(world)
  await expect(lock(world)).rejects.toMatchObject({ code: 'group-in-use', retryable: true })
  await expect(lock(world)).rejects.toThrow('group g on embedded has members (test)')
  await first.confirm(world.signal)
  expect(first.lost.aborted).toBe(false)
  await first.release()
  expect((await describeGroup(world.cluster, GROUP, world.signal)).members).toEqual([])
  await (await lock(world)).confirm(world.signal)
})

test('a lock whose session has ended knows it, and confirms nothing any more', async () => {
  const world = await EmbeddedWorld.start()
  const { faults } = world.broker
  // Its heartbeats are not answered for longer than its session.
  faults.add({ subject: /^Heartbeat/, action: { type: 'hang' }, times: Number.POSITIVE_INFINITY })
  const held = await lock(world, 400)
  await expect.poll(() => held.lost.aborted, { timeout: 20_000 }).toBe(true)
  faults.clear()
  await expect(held.confirm(world.signal)).rejects.toMatchObject({ code: 'group-lock-lost' })
})

test('a lock that was passed over is no lock, however soon it looks', async () => {
  const world = await EmbeddedWorld.start()
  const held = await lock(world)
  const answer = { type: 'answer', code: 25 } as const
  world.broker.faults.add({ subject: /^Heartbeat/, action: answer, times: Number.POSITIVE_INFINITY })
  await expect(held.confirm(world.signal)).rejects.toMatchObject({
    code: expect.stringMatching(/unknown-member-id|group-lock-lost/)
  })
})
