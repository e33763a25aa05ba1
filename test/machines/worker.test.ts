import { expect, test } from 'vitest'
import { createActor, fromPromise, SimulatedClock, toPromise } from 'xstate'
import { fromTask } from '../../src/actors/task.ts'
import { Fault } from '../../src/errors.ts'
import { supervisorMachine } from '../../src/machines/supervisor.ts'
import { workerMachine } from '../../src/machines/worker.ts'
import { doneOf, failedOf, walk } from '../support/walk.ts'

const restart = { backoffMinMs: 1, backoffMaxMs: 1, restartsMax: 0, windowMs: 1000 }
const input = { restart, role: undefined, random: () => 0 }
const idle = fromPromise<unknown, unknown>(() => new Promise(() => {}))
const fault = new Fault('store-without-conditional-writes', 'no')
const other = new Fault('unreachable', 'later')

test('every reachable state ends with the first fault, and drains before it ends', () => {
  const ids = ['ingest.a', 'mirror.b', 'hdfs-sink.c']
  const { states, edges } = walk({
    machine: workerMachine(
      idle,
      ids.map((id) => ({ id, logic: idle, input }))
    ),
    input: { drainTimeoutMs: 1000 },
    events: ({ children, value, context }) => [
      { type: 'stop' },
      { type: 'http.listening' },
      failedOf('http', other),
      ...Object.keys(children)
        .filter((id) => ids.includes(id) && !context.ended.includes(id))
        .flatMap((id) => [doneOf(id, {}), doneOf(id, { fault }), failedOf(id, other)]),
      ...(JSON.stringify(value).includes('draining')
        ? [{ type: 'xstate.after.drainTimeout.worker.serving.working.draining' }]
        : [])
    ],
    key: ({ value, context }) => JSON.stringify([value, [...context.ended].sort(), context.fault?.code]),
    check: (next, before, event) => {
      const { value, context, status, output } = next
      const isFinal = value === 'stopped' || value === 'failed'
      expect(status).toBe(isFinal ? 'done' : 'active')
      if (isFinal) expect(output).toEqual(value === 'failed' ? { fault: context.fault } : {})
      if (value === 'failed') expect(context.fault).toBeInstanceOf(Fault)
      if (value === 'stopped') expect(context.fault).toBeUndefined()
      if (before?.context.fault !== undefined) expect(context.fault).toBe(before.context.fault)
      expect(new Set(context.ended).size).toBe(context.ended.length)
      const isRunning = next.matches({ serving: { working: 'running' } })
      if (isRunning) expect(context.fault).toBeUndefined()
      if (isRunning && event?.type === 'stop') throw new Error('a signal was ignored')
      const wasRunning = before?.matches({ serving: { working: 'running' } }) ?? false
      if (wasRunning && event?.type === 'stop') {
        expect(next.matches({ serving: { working: 'draining' } })).toBe(true)
      }
      const wasDraining = before?.matches({ serving: { working: 'draining' } }) ?? false
      if (wasDraining && event?.type === 'stop') expect(value).toBe('failed')
    }
  })
  expect([...states].map((key) => JSON.stringify(JSON.parse(key)[0]))).toEqual(
    expect.arrayContaining([
      '{"serving":"starting"}',
      '{"serving":{"working":"running"}}',
      '{"serving":{"working":"draining"}}',
      '"stopped"',
      '"failed"'
    ])
  )
  expect(edges).toBeGreaterThan(100)
})

/** A worker over roles that note what happens to them. */
function worker(roles: Readonly<Record<string, 'ends' | 'stubborn' | Fault>>, clock = new SimulatedClock()) {
  const steps: string[] = []
  const http = fromTask<void, unknown, never, { readonly type: 'http.listening' }>(
    async ({ report, signal }) => {
      report({ type: 'http.listening' })
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      steps.push('http closed')
    }
  )
  const supervised = Object.entries(roles).map(([id, manner]) => ({
    id,
    input,
    logic: supervisorMachine.provide({
      actors: {
        role: fromTask<void, unknown, { readonly type: 'drain' }>(async ({ receive, signal }) => {
          steps.push(`${id} started`)
          signal.addEventListener('abort', () => steps.push(`${id} aborted`))
          if (manner instanceof Fault) throw manner
          await new Promise<void>((resolve) => receive(() => manner === 'ends' && resolve()))
          steps.push(`${id} drained`)
        })
      }
    })
  }))
  const actor = createActor(workerMachine(http, supervised), { clock, input: { drainTimeoutMs: 500 } })
  const ended = toPromise(actor)
  actor.start()
  const untilStarted = () =>
    expect.poll(() => steps.filter((step) => step.endsWith('started')).length).toBe(supervised.length)
  return { actor, ended, steps, clock, untilStarted }
}

test('a signal drains all roles before the server closes', async () => {
  const { actor, ended, steps, untilStarted } = worker({ a: 'ends', b: 'ends' })
  await untilStarted()
  actor.send({ type: 'stop' })
  expect(await ended).toEqual({})
  await expect.poll(() => steps).toEqual(['a started', 'b started', 'a drained', 'b drained', 'http closed'])
})

test('a second signal ends at once', async () => {
  const { actor, ended, steps, untilStarted } = worker({ a: 'ends', b: 'stubborn' })
  await untilStarted()
  actor.send({ type: 'stop' })
  actor.send({ type: 'stop' })
  expect((await ended).fault).toMatchObject({ code: 'interrupted', message: expect.stringContaining('b') })
  expect(steps).toContain('b aborted')
})

test('a role that does not drain in time is given up', async () => {
  const { actor, ended, clock, untilStarted } = worker({ a: 'ends', b: 'stubborn' })
  await untilStarted()
  actor.send({ type: 'stop' })
  await expect.poll(() => actor.getSnapshot().context.ended).toEqual(['a'])
  clock.increment(500)
  expect((await ended).fault).toMatchObject({
    code: 'drain-timed-out',
    message: 'b did not drain within 500 ms; nothing is lost'
  })
})

test('a role that fails for good drains the others and leaves its own fault', async () => {
  const { ended, steps } = worker({ a: 'ends', b: fault })
  expect((await ended).fault).toBe(fault)
  expect(steps).toContain('a drained')
})

test('when the server cannot start no role does', async () => {
  const portInUse = new Fault('port-in-use', '127.0.0.1:1 is in use')
  const http = fromPromise<unknown, unknown>(() => Promise.reject(portInUse))
  const actor = createActor(workerMachine(http, [{ id: 'a', logic: idle, input }]), {
    input: { drainTimeoutMs: 1 }
  })
  const ended = toPromise(actor)
  actor.start()
  expect((await ended).fault).toBe(portInUse)
})
