import { expect, test } from 'vitest'
import { fresh, newPartition, type Subject, settled, until, withClient } from './bench.ts'
import { commitOffset, fetchOffset, heartbeat, type Joined, join, leave, sync } from './group-requests.ts'
import type { RawClient } from './raw-client.ts'
import { findCoordinator } from './transaction-requests.ts'

const codes = {
  generation: 22,
  protocol: 23,
  groupId: 24,
  unknownMember: 25,
  sessionTimeout: 26,
  rebalance: 27,
  idRequired: 79,
  fencedInstance: 82
}

/** The classic group protocol, with static membership. */
export function grouping(subject: () => Subject): void {
  test('a new dynamic member has to come back with the id it is given', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      const first = await client.call(join(group, { memberId: '' }))
      expect(first.error).toBe(codes.idRequired)
      const joined = await client.call(join(group, { memberId: first.memberId }))
      expect(joined).toMatchObject({ error: 0, generation: 1, protocol: 'range', leader: first.memberId })
      expect(joined.members.map(({ id }) => id)).toEqual([first.memberId])
      const old = await client.call(join(fresh('group'), { memberId: '', version: 3 }))
      expect(old.error).toBe(0)
    }))

  test('the leader assigns, and everybody gets their part', () =>
    withClient(subject(), async (client, another) => {
      const group = await newGroup(client)
      const second = await another()
      const alone = await joined(client, group, {})
      await client.call(sync(group, 1, alone, { [alone.memberId]: 'all' }))
      const coming = joined(second, group, { metadata: 'n' })
      await until(client, heartbeat(group, 1, alone), (code) => code === codes.rebalance)
      const leader = await client.call(join(group, { memberId: alone.memberId }))
      const follower = await coming
      expect([leader.generation, follower.generation]).toEqual([2, 2])
      expect(leader.members.length).toBe(2)
      expect(follower.members).toEqual([])
      const waiting = second.call(sync(group, 2, follower))
      const given = { [leader.memberId]: 'a', [follower.memberId]: 'b' }
      expect(await client.call(sync(group, 2, leader, given))).toEqual({ error: 0, assignment: 'a' })
      expect(await waiting).toEqual({ error: 0, assignment: 'b' })
      expect(await client.call(heartbeat(group, 2, leader))).toBe(0)
      expect(await client.call(heartbeat(group, 1, leader))).toBe(codes.generation)
      expect(await second.call(leave(group, follower))).toBe(0)
      expect(await client.call(heartbeat(group, 2, leader))).toBe(codes.rebalance)
      expect(await second.call(heartbeat(group, 2, follower))).toBe(codes.unknownMember)
    }))

  test('three members: each gets its part, and when the leader falls silent the other two go on without it', () =>
    withClient(subject(), async (client, another) => {
      const group = await newGroup(client)
      const clients = [client, await another(), await another()]
      const three = await Promise.all(clients.map((one) => working(one, group, 3)))
      expect(new Set(three.map(({ memberId }) => memberId)).size).toBe(3)
      const [{ generation, leader } = { generation: 0, leader: '' }] = three
      const others = three.filter(({ memberId }) => memberId !== leader)
      for (const one of three) expect(one).toMatchObject({ generation, assignment: `for ${one.memberId}` })
      const two = await Promise.all(
        others.map(async (one) => {
          await until(one.client, heartbeat(group, generation, one), (code) => code === codes.rebalance)
          return working(one.client, group, 2, one.memberId)
        })
      )
      for (const one of two) expect(one.assignment).toBe(`for ${one.memberId}`)
      expect(two.map((one) => one.generation)).toEqual([generation + 1, generation + 1])
    }))

  test('a static member that returns takes its place in the same generation and fences its old self', () =>
    withClient(subject(), async (client, another) => {
      const group = await newGroup(client)
      const old = await stable(client, group, 'one')
      const again = await another()
      const returned = await again.call(join(group, { memberId: '', instanceId: 'one' }))
      expect(returned).toMatchObject({ error: 0, generation: old.generation, members: [] })
      expect(returned.memberId).not.toBe(old.memberId)
      // It is not told to lead: it would assign again.
      expect(returned.leader).toBe(old.memberId)
      const mine = { memberId: returned.memberId, instanceId: 'one' }
      expect(await again.call(sync(group, old.generation, mine))).toEqual({ error: 0, assignment: 'all' })
      expect(await again.call(heartbeat(group, old.generation, mine))).toBe(0)
      const stale = { memberId: old.memberId, instanceId: 'one' }
      expect(await client.call(heartbeat(group, old.generation, stale))).toBe(codes.fencedInstance)
      expect((await client.call(join(group, stale))).error).toBe(codes.fencedInstance)
      expect((await client.call(sync(group, old.generation, stale))).error).toBe(codes.fencedInstance)
      const at0 = await newPartition(client)
      expect(await client.call(commitOffset(group, old.generation, stale, at0, 1))).toBe(codes.fencedInstance)
      expect(await client.call(leave(group, stale))).toBe(codes.fencedInstance)
    }))

  test('a static member leaves by its instance id', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      const member = await stable(client, group, 'one')
      expect(await client.call(leave(group, { memberId: '', instanceId: 'two' }))).toBe(codes.unknownMember)
      expect(await client.call(leave(group, { memberId: '', instanceId: 'one' }))).toBe(0)
      const gone = { memberId: member.memberId, instanceId: 'one' }
      expect(await client.call(heartbeat(group, member.generation, gone))).toBe(codes.unknownMember)
    }))

  test('a follower that joins again unchanged keeps the generation, the leader starts a new one', () =>
    withClient(subject(), async (client, another) => {
      const group = await newGroup(client)
      const second = await another()
      const before = await stable(client, group, 'a')
      const coming = joined(second, group, { instanceId: 'b' })
      const a = { memberId: before.memberId, instanceId: 'a' }
      await until(client, heartbeat(group, before.generation, a), (code) => code === codes.rebalance)
      const leader = await client.call(join(group, a))
      const b = { memberId: (await coming).memberId, instanceId: 'b' }
      expect(leader.leader).toBe(a.memberId)
      await client.call(sync(group, leader.generation, a, { [a.memberId]: 'all' }))
      const same = await second.call(join(group, b))
      expect([same.error, same.generation]).toEqual([0, leader.generation])
      const again = client.call(join(group, a))
      await until(second, heartbeat(group, leader.generation, b), (code) => code === codes.rebalance)
      await second.call(join(group, b))
      expect((await again).generation).toBe(leader.generation + 1)
    }))

  test('a member with no protocol in common is refused', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      await stable(client, group, 'one')
      const other = await client.call(join(group, { memberId: '', instanceId: 'two', protocol: 'sticky' }))
      expect(other.error).toBe(codes.protocol)
    }))

  test('nonsense is refused', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      expect((await client.call(join(group, { memberId: 'unheard-of' }))).error).toBe(codes.unknownMember)
      expect((await client.call(join('', { memberId: '' }))).error).toBe(codes.groupId)
      expect((await client.call(join(group, { memberId: '', sessionTimeoutMs: 1 }))).error).toBe(
        codes.sessionTimeout
      )
      expect(await client.call(heartbeat(group, 1, { memberId: 'x' }))).toBe(codes.unknownMember)
    }))

  test('a member that falls silent loses its place', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      const member = await joined(client, group, { sessionTimeoutMs: 300 })
      await client.call(sync(group, member.generation, member, { [member.memberId]: 'all' }))
      const at0 = await newPartition(client)
      await until(client, commitOffset(group, -1, { memberId: '' }, at0, 7), (code) => code === 0)
      expect(await client.call(heartbeat(group, member.generation, member))).toBe(codes.unknownMember)
    }))

  test('offsets are committed by members of the current generation, or by anyone into an empty group', () =>
    withClient(subject(), async (client) => {
      const group = await newGroup(client)
      const at0 = await newPartition(client)
      expect((await client.call(fetchOffset(group, at0))).offset).toBe(-1)
      expect(await settled(client, commitOffset(group, -1, { memberId: '' }, at0, 5), (code) => code)).toBe(0)
      const member = await stable(client, group, 'one')
      const mine = { memberId: member.memberId, instanceId: 'one' }
      expect(await client.call(commitOffset(group, member.generation, mine, at0, 6))).toBe(0)
      expect(await client.call(commitOffset(group, member.generation + 1, mine, at0, 7))).toBe(
        codes.generation
      )
      expect(await client.call(commitOffset(group, -1, { memberId: '' }, at0, 8))).toBe(codes.unknownMember)
      expect(await client.call(fetchOffset(group, at0))).toEqual({ offset: 6, metadata: 'note', error: 0 })
    }))
}

async function newGroup(client: RawClient): Promise<string> {
  const group = fresh('group')
  await settled(client, findCoordinator('group', group), (code) => code)
  return group
}

/** Joins as a new member and waits for the generation. */
async function joined(
  client: RawClient,
  group: string,
  options: { instanceId?: string; metadata?: string; sessionTimeoutMs?: number }
): Promise<Joined> {
  const answer = await settled(client, join(group, { memberId: '', ...options }), ({ error }) => error)
  if (answer.error !== codes.idRequired) return answer
  return client.call(join(group, { memberId: answer.memberId, ...options }))
}

/** Joins, and again until the group has so many members and its leader has assigned to each `for <its id>`. */
async function working(client: RawClient, group: string, size: number, id = '') {
  const options = { sessionTimeoutMs: 1_000 }
  let memberId = id
  for (;;) {
    const answer =
      memberId === ''
        ? await joined(client, group, options)
        : await client.call(join(group, { memberId, ...options }))
    expect(answer.error).toBe(0)
    memberId = answer.memberId
    if (answer.leader === memberId && answer.members.length < size) {
      await until(client, heartbeat(group, answer.generation, answer), (code) => code === codes.rebalance)
      continue
    }
    const given = Object.fromEntries(answer.members.map((one) => [one.id, `for ${one.id}`]))
    const { error, assignment } = await client.call(sync(group, answer.generation, answer, given))
    if (error === codes.rebalance) continue
    expect(error).toBe(0)
    return { ...answer, client, assignment }
  }
}

/** The only member, static, of a group that is at work; its assignment is `all`. */
async function stable(client: RawClient, group: string, instanceId: string): Promise<Joined> {
  const member = await joined(client, group, { instanceId })
  const mine = { memberId: member.memberId, instanceId }
  const { error } = await client.call(sync(group, member.generation, mine, { [member.memberId]: 'all' }))
  expect(error).toBe(0)
  return member
}
