import { expect, test } from 'vitest'
import { until } from '../../conformance/broker/bench.ts'
import { heartbeat, type Identity, type Joined, join, sync } from '../../conformance/broker/group-requests.ts'
import type { RawClient } from '../../conformance/broker/raw-client.ts'
import { brokerIn, clientOf, temporaryDirectory } from './support.ts'

/** What ends by the clock: delays, rebalances that not everybody attends, ids and assignments nobody fetches. */

const codes = { unknownMember: 25, rebalance: 27, idRequired: 79 }
const LONG_MS = 30_000

test('those who come within the initial delay are in the first generation together', async () => {
  const broker = await brokerIn(temporaryDirectory(), { groups: { initialRebalanceDelayMs: 150 } })
  const members = await Promise.all(
    ['a', 'b', 'c'].map(async (instanceId) =>
      (await clientOf(broker)).call(join('g', { memberId: '', instanceId }))
    )
  )
  expect(members.map(({ generation }) => generation)).toEqual([1, 1, 1])
  expect(members.flatMap((member) => member.members).length).toBe(3)
})

test('a rebalance waits for its time, then goes on without who is dynamic and silent', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const [client, other] = [await clientOf(broker), await clientOf(broker)]
  const silent = await alone(client, { rebalanceTimeoutMs: 200 })
  const options = { instanceId: 'b', sessionTimeoutMs: LONG_MS, rebalanceTimeoutMs: 200 }
  const joined = await other.call(join('g', { memberId: '', ...options }))
  expect(joined).toMatchObject({ error: 0, generation: 2, leader: joined.memberId })
  expect(joined.members.map(({ instanceId }) => instanceId)).toEqual(['b'])
  expect(await client.call(heartbeat('g', 1, silent))).toBe(codes.unknownMember)
})

test('a static member that is silent keeps its place until its session ends', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const [client, other] = [await clientOf(broker), await clientOf(broker)]
  const silent = await alone(client, { rebalanceTimeoutMs: 100, sessionTimeoutMs: 600, instanceId: 'a' })
  const options = { instanceId: 'b', sessionTimeoutMs: LONG_MS, rebalanceTimeoutMs: 100 }
  const joined = await other.call(join('g', { memberId: '', ...options }))
  expect(joined.members.map(({ instanceId }) => instanceId).toSorted()).toEqual(['a', 'b'])
  const mine = { memberId: joined.memberId, instanceId: 'b' }
  await other.call(sync('g', joined.generation, mine, { [joined.memberId]: 'all' }))
  await until(other, heartbeat('g', joined.generation, mine), (code) => code === codes.rebalance)
  const next = await other.call(join('g', { ...mine, ...options }))
  expect(next.members.map(({ instanceId }) => instanceId)).toEqual(['b'])
  expect(silent.memberId).not.toBe('')
})

test('a member that does not fetch its assignment in time is out', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const client = await clientOf(broker)
  const options = { rebalanceTimeoutMs: 150, sessionTimeoutMs: LONG_MS }
  const joined = await client.call(join('g', { memberId: '', instanceId: 'a', ...options }))
  const mine = { memberId: joined.memberId, instanceId: 'a' }
  expect(await client.call(heartbeat('g', 1, mine))).toBe(0)
  await until(client, heartbeat('g', 1, mine), (code) => code === codes.unknownMember)
})

test('an id that was given out holds up a rebalance only as long as a session lasts', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const [client, other] = [await clientOf(broker), await clientOf(broker)]
  const member = await alone(client, { rebalanceTimeoutMs: LONG_MS })
  const pending = await other.call(join('g', { memberId: '', sessionTimeoutMs: 150 }))
  expect(pending.error).toBe(codes.idRequired)
  const again = await client.call(join('g', { memberId: member.memberId, rebalanceTimeoutMs: LONG_MS }))
  expect(again).toMatchObject({ error: 0, generation: 2 })
  expect((await other.call(join('g', { memberId: pending.memberId }))).error).toBe(codes.unknownMember)
})

/** The only member of the group, at work. */
async function alone(
  client: RawClient,
  options: Partial<Parameters<typeof join>[1]>
): Promise<Joined & Identity> {
  const all = { sessionTimeoutMs: LONG_MS, ...options }
  const first = await client.call(join('g', { memberId: '', ...all }))
  const member =
    first.error === codes.idRequired
      ? await client.call(join('g', { memberId: first.memberId, ...all }))
      : first
  const identity = { memberId: member.memberId, instanceId: options.instanceId }
  await client.call(sync('g', member.generation, identity, { [member.memberId]: 'all' }))
  return { ...member, instanceId: options.instanceId }
}
