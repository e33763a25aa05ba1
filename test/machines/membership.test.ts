import { expect, test } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import { membershipMachine } from '../../src/machines/membership.ts'

type State = SnapshotFrom<typeof membershipMachine>
type Event = Parameters<typeof transition<typeof membershipMachine>>[2]

const input = { group: 'g', instanceId: 'i', shards: 4, sessionTimeoutMs: 1_000 }
const fault = (code: string, retryable = false) => new Fault(code, code, { retryable })
const evicted = fault('kafka-unknown-member-id')
const passedOver = fault('kafka-illegal-generation')
const rebalancing = fault('kafka-rebalance-in-progress', true)
const unreachable = fault('unreachable', true)
const usurped = fault('kafka-fenced-instance-id')

const done = (id: string, output: unknown) =>
  ({ type: `xstate.done.actor.${id}`, output, actorId: id }) as unknown as Event
const failed = (id: string, error: unknown) =>
  ({ type: `xstate.error.actor.${id}`, error, actorId: id }) as unknown as Event
const outputs: Record<string, readonly unknown[]> = {
  finding: [1],
  joining: [{ memberId: 'm', generation: 7, members: [] }],
  syncing: [[0, 1], []],
  beating: [undefined],
  leaving: [undefined]
}

/** Everything that can happen in a state: commands, the clock, and how its actor may end. */
function possible(state: State): Event[] {
  const id = `0.membership.${String(state.value)}`
  const events: Event[] = [{ type: 'leave' }, { type: 'session.expired' }, { type: 'heartbeat.acked' }]
  if (state.value === 'failing') {
    events.push({ type: 'xstate.after.backoff.membership.failing' } as unknown as Event)
  }
  if (state.children[id as never] === undefined) return events
  events.push(...(outputs[String(state.value)] ?? []).map((output) => done(id, output)))
  events.push(...[evicted, passedOver, rebalancing, unreachable, usurped].map((error) => failed(id, error)))
  return events
}

const keyOf = ({ value, status, context: { memberId, generation, owned, failures } }: State) =>
  JSON.stringify([value, status, memberId, generation, owned, Math.min(failures, 3)])

interface Step {
  readonly from: State
  readonly event: Event & { readonly error?: unknown }
  readonly to: State
  /** Types of what the parent is told. */
  readonly reports: readonly string[]
}

function walk(): Step[] {
  const [first] = initialTransition(membershipMachine, input)
  const seen = new Map([[keyOf(first), first]])
  const steps: Step[] = []
  for (const from of seen.values()) {
    if (from.status !== 'active') continue
    for (const event of possible(from)) {
      const [to, executed] = transition(membershipMachine, from, event)
      const sent = executed.filter(({ type }) => type === 'xstate.sendTo')
      const reports = sent.map(({ params }) => (params as unknown as { event: Event }).event.type)
      steps.push({ from, event, to, reports })
      if (!seen.has(keyOf(to))) seen.set(keyOf(to), to)
    }
  }
  expect(seen.size).toBeGreaterThan(20)
  expect(seen.size).toBeLessThan(500)
  return steps
}

const steps = walk()

test('the machine ends in error only with a fault that cannot be retried, code intact', () => {
  const ended = steps.filter(({ to }) => to.status === 'error')
  for (const { event, to } of ended) {
    expect(to.error).toBe(event.error)
    expect((to.error as Fault).retryable).toBe(false)
  }
  expect(ended.some(({ to }) => to.error === usurped)).toBe(true)
})

test('an eviction is never escalated, and a usurped instance always is', () => {
  for (const { from, event, to } of steps) {
    if (from.value === 'leaving') continue
    if (event.error === evicted && from.value !== 'finding') expect(to.status).toBe('active')
    if (event.error === usurped) expect(to.status).toBe('error')
  }
})

test('heartbeats are sent only with a seat, and a seat is given up before the group is joined again', () => {
  for (const { to } of steps) {
    const { memberId, generation } = to.context
    if (to.status !== 'active') continue
    if (to.value === 'beating') expect([memberId, generation]).toEqual(['m', 7])
    if (to.value === 'joining' || to.value === 'syncing') expect(generation).toBe(-1)
    if (generation >= 0) expect(memberId).not.toBe('')
  }
})

test('shards change only where the parent is told, and it is told of every change', () => {
  for (const { from, to, reports } of steps) {
    if (to.status !== 'active') continue
    if (reports.includes('membership.lost')) expect(to.context.owned).toEqual([])
    if (reports.includes('assignment')) expect([from.value, to.value]).toEqual(['syncing', 'beating'])
    if (reports.length === 0) expect(to.context.owned).toEqual(from.context.owned)
  }
  expect(new Set(steps.flatMap(({ reports }) => reports))).toEqual(new Set(['assignment', 'membership.lost']))
})

test('a rebalance keeps the shards until the answer of SyncGroup', () => {
  const rejoin = steps.find(
    ({ from, event }) =>
      from.value === 'beating' && event.type.startsWith('xstate.done') && from.context.owned.length > 0
  )
  expect(rejoin?.to.value).toBe('joining')
  expect(rejoin?.to.context.owned).toEqual([0, 1])
  const syncing = steps.filter(({ to }) => to.value === 'syncing')
  expect(syncing.some(({ to }) => to.context.owned.length === 2)).toBe(true)
})

test('a lost connection leads back to heartbeats in the same generation', () => {
  const lost = steps.find(({ from, event }) => from.value === 'beating' && event.error === unreachable)
  expect(lost?.to.value).toBe('failing')
  expect(lost?.to.context.generation).toBe(7)
  const found = steps.filter(({ from }) => from.value === 'finding' && from.context.generation === 7)
  expect(found.some(({ to }) => to.value === 'beating')).toBe(true)
})

test('a generation that went on without us costs the shards but not the member id', () => {
  const step = steps.find(({ from, event }) => from.value === 'beating' && event.error === passedOver)
  expect(step?.to.value).toBe('joining')
  expect(step?.to.context).toMatchObject({ memberId: 'm', owned: [] })
  expect(step?.reports).toContain('membership.lost')
})

test('leave ends the machine from every state, whatever the coordinator answers', () => {
  for (const { from, event, to } of steps) {
    if (event.type !== 'leave') continue
    expect(['leaving', 'left']).toContain(to.value)
    if (from.context.memberId === '') expect(to.status).toBe('done')
  }
  for (const { from, event, to } of steps) {
    if (from.value !== 'leaving' || !/^xstate\.(done|error)/.test(event.type)) continue
    expect(to.status).toBe('done')
  }
})
