import { expect, onTestFinished, test, vi } from 'vitest'
import { createActor, setup } from 'xstate'
import { type Confirm, createMembership } from '../../../src/actors/kafka/membership.ts'
import type { Fault } from '../../../src/errors.ts'
import { type MembershipReport, membershipMachine } from '../../../src/machines/membership.ts'
import { EmbeddedWorld } from './embedded.ts'

const SHARDS = 8
const SESSION_MS = 1_200

interface Member {
  readonly confirm: Confirm
  readonly reports: MembershipReport[]
  /** What it believes to own. */
  readonly shards: () => readonly number[]
  readonly end: () => 'running' | 'left' | Fault
  readonly leave: () => void
  /** As the death of the process: no goodbye. */
  readonly kill: () => void
}

function join(world: EmbeddedWorld, instanceId: string, shards = SHARDS): Member {
  const { logic, confirm } = createMembership({ cluster: world.newCluster() })
  const reports: MembershipReport[] = []
  let end: 'running' | 'left' | Fault = 'running'
  const parent = setup({
    types: { events: {} as MembershipReport | { type: 'drain' } },
    actors: { membership: membershipMachine }
  })
    .createMachine({
      invoke: {
        id: 'membership',
        src: 'membership',
        input: { group: 'g', instanceId, shards, sessionTimeoutMs: SESSION_MS },
        onDone: { actions: () => (end = 'left') },
        onError: { actions: ({ event }) => (end = event.error as Fault) }
      },
      on: {
        assignment: { actions: ({ event }) => reports.push(event) },
        'membership.lost': { actions: ({ event }) => reports.push(event) },
        drain: { actions: ({ self }) => self.getSnapshot().children.membership?.send({ type: 'leave' }) }
      }
    })
    .provide({ actors: { membership: logic } })
  const actor = createActor(parent)
  actor.start()
  onTestFinished(() => {
    actor.stop()
  })
  return {
    confirm,
    reports,
    shards: () => {
      const last = reports.at(-1)
      return last?.type === 'assignment' ? last.shards : []
    },
    end: () => end,
    leave: () => actor.send({ type: 'drain' }),
    kill: () => actor.stop()
  }
}

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 5 })
const ascending = (shards: readonly number[]) => [...shards].sort((a, b) => a - b)
const all = Array.from({ length: SHARDS }, (_, shard) => shard)
const areBalanced = (...members: Member[]) =>
  ascending(members.flatMap((member) => member.shards())).join() === all.join() &&
  members.every((member) => member.shards().length >= Math.floor(SHARDS / members.length))

test('members share the shards, keep theirs through a rebalance, and give back what a leaver held', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  const b = join(world, 'b')
  await until(() => areBalanced(a, b))
  const kept = a.shards()
  expect(a.reports.every(({ type }) => type === 'assignment')).toBe(true)
  const c = join(world, 'c')
  await until(() => areBalanced(a, b, c))
  expect(kept).toEqual(expect.arrayContaining([...a.shards()]))
  b.leave()
  await until(() => areBalanced(a, c))
  expect(b.end()).toBe('left')
})

test('a restarted static member has its shards back in the same generation, unnoticed by the others', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  const b = join(world, 'b')
  await until(() => areBalanced(a, b))
  const seen = a.reports.length
  const before = b.reports.at(-1)
  b.kill()
  const again = join(world, 'b')
  await until(() => areBalanced(a, again))
  expect(again.reports.at(-1)).toEqual(before)
  expect(a.reports.length).toBe(seen)
})

test('a member that dies loses its shards to the others when its session ends', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  const b = join(world, 'b')
  await until(() => areBalanced(a, b))
  b.kill()
  await until(() => areBalanced(a))
})

test('a second process with the same instance id ends the first one for good', async () => {
  const world = await EmbeddedWorld.start()
  const first = join(world, 'a')
  await until(() => areBalanced(first))
  const second = join(world, 'a')
  await until(() => areBalanced(second))
  await until(() => first.end() !== 'running')
  expect(first.end()).toMatchObject({ code: 'kafka-fenced-instance-id', retryable: false })
})

test('a member with another shard count is refused', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  const foreign = join(world, 'b', SHARDS + 1)
  await until(() => foreign.end() !== 'running')
  expect(foreign.end()).toMatchObject({ code: 'kafka-inconsistent-group-protocol' })
  expect(areBalanced(a)).toBe(true)
})

test('standing is confirmed by a heartbeat sent after the question', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await a.confirm(world.signal)
  expect(areBalanced(a)).toBe(true)
  await a.confirm(world.signal)
  const { faults } = world.broker
  const underWay = faults.add({ subject: /^Heartbeat /, action: { type: 'delay', ms: 300 } })
  const later = faults.add({ subject: /^Heartbeat /, action: { type: 'delay', ms: 0 } })
  await until(() => underWay.hits === 1)
  await a.confirm(world.signal)
  expect(later.hits, 'the one that was under way proves nothing').toBe(1)
})

test('a heartbeat that is answered with a rebalance (27) is no proof: standing waits for the next generation', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await a.confirm(world.signal)
  world.broker.faults.add({ subject: /^Heartbeat /, action: { type: 'answer', code: 27 } })
  const before = a.reports.length
  await a.confirm(world.signal)
  // The rebalance was gone through first: SyncGroup answered again.
  expect(a.reports.length).toBeGreaterThan(before)
})

test('an evicted member is told that all is lost, joins anew, and only then is confirmed', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  world.broker.faults.add({ subject: /^Heartbeat /, action: { type: 'answer', code: 25 } })
  await a.confirm(world.signal)
  expect(a.reports.map((report) => report.type)).toEqual(['assignment', 'membership.lost', 'assignment'])
  expect(areBalanced(a)).toBe(true)
})

test('a generation that went on without us costs the shards', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  world.broker.faults.add({ subject: /^Heartbeat /, action: { type: 'answer', code: 22 } })
  await until(() => a.reports.length === 3)
  expect(a.reports[1]).toMatchObject({ type: 'membership.lost', fault: { code: 'kafka-illegal-generation' } })
})

test('a lost connection to the coordinator changes nothing', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  world.broker.faults.add({ subject: /^Heartbeat /, action: { type: 'fail-before' }, times: 2 })
  await a.confirm(world.signal)
  expect(a.reports.map((report) => report.type)).toEqual(['assignment'])
})

test('without an acknowledged heartbeat for a session the shards are given up', async () => {
  const world = await EmbeddedWorld.start()
  const a = join(world, 'a')
  await until(() => areBalanced(a))
  world.broker.faults.add({
    subject: /^(Heartbeat|JoinGroup) /,
    action: { type: 'fail-before' },
    times: Number.POSITIVE_INFINITY
  })
  await until(() => a.reports.length === 2)
  expect(a.reports[1]).toMatchObject({ type: 'membership.lost', fault: { code: 'session-expired' } })
  world.broker.faults.clear()
  await until(() => areBalanced(a))
})

test('a confirmation ends with its signal', async () => {
  const world = await EmbeddedWorld.start()
  const { confirm } = createMembership({ cluster: world.newCluster() })
  const abort = new AbortController()
  const waiting = confirm(abort.signal)
  const reason = new Error('shard lost')
  abort.abort(reason)
  await expect(waiting).rejects.toBe(reason)
})
