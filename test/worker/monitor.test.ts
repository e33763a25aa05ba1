import { expect, test } from 'vitest'
import { createActor, SimulatedClock } from 'xstate'
import { ByteBudget } from '../../src/actors/budget.ts'
import { Fault } from '../../src/errors.ts'
import { createLogger } from '../../src/log.ts'
import { supervisorMachine } from '../../src/machines/supervisor.ts'
import { RoleMonitor } from '../../src/worker/monitor.ts'
import { fakeRole } from '../support/fake-role.ts'

const instance = { id: 'mirror.cloud', role: 'mirror', instance: 'cloud' } as const
const restart = { backoffMinMs: 10, backoffMaxMs: 10, restartsMax: 1, windowMs: 1000 }

async function watched(describe?: () => never) {
  const clock = new SimulatedClock()
  const fake = fakeRole()
  const log = createLogger({ level: 'fatal', format: 'json' }, { write: () => undefined })
  const role = await fake.create(instance, {} as never)
  const budget = new ByteBudget(1000)
  const options = { instance, role: describe ? { describe } : role, budget, log, now: () => 7 }
  const monitor = new RoleMonitor(options)
  const supervisor = createActor(supervisorMachine.provide({ actors: { role: role.logic } }), {
    clock,
    input: { restart, role: undefined, random: () => 1 }
  }).start()
  monitor.watch(supervisor)
  await expect.poll(() => fake.steps).toContain('mirror.cloud started')
  return { monitor, fake, clock, supervisor, budget }
}

test('before its supervisor runs a role is starting and not ready', () => {
  const log = createLogger({ level: 'fatal', format: 'json' }, { write: () => undefined })
  const describe = () => {
    throw new Error('never asked')
  }
  const monitor = new RoleMonitor({
    instance,
    role: { describe },
    budget: new ByteBudget(1),
    log,
    now: () => 0
  })
  monitor.watch(undefined)
  expect(monitor.status()).toMatchObject({ id: 'mirror.cloud', state: 'starting', ready: false, restarts: 0 })
})

test('the status follows the supervisor: running, backing off, running, failed', async () => {
  const { monitor, fake, clock, budget } = await watched()
  budget.takeNow(10)
  fake.count()
  expect(monitor.status()).toMatchObject({
    supervision: 'running',
    state: 'running.copying',
    ready: true,
    counters: { recordsRead: 1 },
    budget: { limitBytes: 1000, usedBytes: 10 }
  })
  fake.fail(new Fault('unreachable', 'away', { retryable: true }))
  await expect.poll(() => monitor.status().supervision).toBe('backing-off')
  expect(monitor.status()).toMatchObject({
    state: 'backing-off',
    ready: false,
    restarts: 1,
    counters: { recordsRead: 1 },
    lastFault: { code: 'unreachable', message: 'away', at: 7 }
  })
  clock.increment(10)
  await expect.poll(() => fake.steps.filter((step) => step.endsWith('started'))).toHaveLength(2)
  fake.count()
  expect(monitor.status()).toMatchObject({ supervision: 'running', counters: { recordsRead: 2 } })
  const last = new Fault('unreachable', 'away again', { retryable: true })
  fake.fail(last)
  await expect.poll(() => monitor.status().supervision).toBe('failed')
  expect(monitor.fault).toBe(last)
  expect(monitor.status()).toMatchObject({ state: 'failed', ready: false, counters: { recordsRead: 2 } })
})

test('a role that cannot describe itself is shown as such, and nothing else breaks', async () => {
  const { monitor, supervisor } = await watched(() => {
    throw new TypeError('undefined is not an object')
  })
  expect(monitor.status()).toMatchObject({
    ready: false,
    notes: ['cannot be described: undefined is not an object']
  })
  supervisor.send({ type: 'drain' })
  await expect.poll(() => monitor.status().supervision).toBe('finished')
})
