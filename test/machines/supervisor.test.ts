import { expect, test } from 'vitest'
import { createActor, fromPromise, SimulatedClock, toPromise, waitFor } from 'xstate'
import { fromTask } from '../../src/actors/task.ts'
import { Fault } from '../../src/errors.ts'
import { backoff, supervisorMachine } from '../../src/machines/supervisor.ts'
import { doneOf, failedOf, walk } from '../support/walk.ts'

const restart = { backoffMinMs: 100, backoffMaxMs: 1000, restartsMax: 2, windowMs: 5000 }
const input = { restart, role: { name: 'cloud' }, random: () => 0.5 }
const broken = new Fault('unreachable', 'broker is away', { retryable: true })
const unusable = new Fault('store-without-conditional-writes', 'no')

test('every reachable state keeps the bound of restarts, and ends only with its cause', () => {
  const { states } = walk({
    machine: supervisorMachine,
    input,
    events: ({ children, value, context }) => [
      { type: 'drain' },
      ...(context.recentRestarts > 0 ? [{ type: 'restart.forgotten' }] : []),
      ...(children.role
        ? [doneOf('role', undefined), failedOf('role', broken), failedOf('role', unusable)]
        : []),
      ...(value === 'backing-off' ? [{ type: 'xstate.after.backoff.supervisor.backing-off' }] : [])
    ],
    key: ({ value, context }) =>
      JSON.stringify([value, context.recentRestarts, context.fault?.code, context.fatal?.code]),
    check: (next, before, event) => {
      const { context, value, status, output, children } = next
      expect(context.recentRestarts).toBeLessThanOrEqual(restart.restartsMax)
      expect(context.recentRestarts).toBeLessThanOrEqual(context.restarts > 0 ? restart.restartsMax : 0)
      expect(Object.hasOwn(children, 'role')).toBe(typeof value === 'object')
      expect(value === 'failed').toBe(context.fatal !== undefined)
      if (status === 'done') expect(output).toEqual(value === 'failed' ? { fault: context.fatal } : {})
      if (before === undefined || event === undefined) return
      const failed = event.type.startsWith('xstate.error')
      if (failed && before.matches({ active: 'draining' })) expect(value).toBe('failed')
      if (failed && Reflect.get(event, 'error') === unusable) expect(value).toBe('failed')
      if (failed && before.context.recentRestarts === restart.restartsMax) expect(value).toBe('failed')
      if (event.type === 'drain')
        expect(['finished', 'draining']).toContain(value === 'finished' ? value : value.active)
    }
  })
  const values = new Set([...states].map((key) => JSON.stringify(JSON.parse(key)[0])))
  expect([...values].sort()).toEqual(
    ['"backing-off"', '"failed"', '"finished"', '{"active":"draining"}', '{"active":"running"}'].sort()
  )
})

/** A role that fails as often as it is told to and then runs until it is drained. */
function failing(times: number) {
  let starts = 0
  const inputs: unknown[] = []
  const logic = fromTask<void, unknown, { readonly type: 'drain' }>(async ({ input, receive }) => {
    inputs.push(input)
    if (starts++ < times) throw broken
    await new Promise<void>((resolve) => receive(() => resolve()))
  })
  return { logic, inputs }
}

test('restarts wait longer and longer, with the same input, until the role stays up', async () => {
  const clock = new SimulatedClock()
  const role = failing(2)
  const actor = createActor(supervisorMachine.provide({ actors: { role: role.logic } }), {
    clock,
    input
  }).start()
  for (const delay of [75, 150]) {
    await waitFor(actor, ({ value }) => value === 'backing-off')
    expect(actor.getSnapshot().context.fault).toBe(broken)
    clock.increment(delay - 1)
    expect(actor.getSnapshot().value).toBe('backing-off')
    clock.increment(1)
    expect(actor.getSnapshot().value).toEqual({ active: 'running' })
  }
  const ended = toPromise(actor)
  actor.send({ type: 'drain' })
  expect(await ended).toEqual({})
  expect(role.inputs).toEqual([input.role, input.role, input.role])
})

test('one restart too many within the window ends it with the original fault', async () => {
  const clock = new SimulatedClock()
  const actor = createActor(supervisorMachine.provide({ actors: { role: failing(9).logic } }), {
    clock,
    input
  })
  const ended = toPromise(actor)
  actor.start()
  for (let restarts = 0; restarts < restart.restartsMax; restarts++) {
    await waitFor(actor, ({ value }) => value === 'backing-off')
    clock.increment(1000)
  }
  expect((await ended).fault).toBe(broken)
})

test('restarts are forgotten after the window', async () => {
  const clock = new SimulatedClock()
  const actor = createActor(supervisorMachine.provide({ actors: { role: failing(5).logic } }), {
    clock,
    input
  }).start()
  for (let restarts = 1; restarts <= 5; restarts++) {
    await waitFor(actor, ({ value, context }) => value === 'backing-off' && context.restarts === restarts)
    clock.increment(restart.windowMs)
  }
  expect(actor.getSnapshot().value).toEqual({ active: 'running' })
  expect(actor.getSnapshot().context).toMatchObject({ restarts: 5, recentRestarts: 0 })
  actor.stop()
})

test('whatever is thrown becomes a fault', async () => {
  const role = fromPromise<unknown, unknown>(async () => {
    throw 'a plain string'
  })
  const once = { ...input, restart: { ...restart, restartsMax: 0 } }
  const actor = createActor(supervisorMachine.provide({ actors: { role } }), { input: once })
  const ended = toPromise(actor)
  actor.start()
  expect((await ended).fault).toMatchObject({ code: 'unknown', message: 'a plain string' })
})

test('the backoff doubles up to its maximum, and jitter stays within its upper half', () => {
  expect([0, 1, 2, 3, 4, 40].map((earlier) => backoff(restart, earlier, 0))).toEqual([
    50, 100, 200, 400, 500, 500
  ])
  expect([0, 1, 2, 3, 4, 1e9].map((earlier) => backoff(restart, earlier, 1))).toEqual([
    100, 200, 400, 800, 1000, 1000
  ])
})
