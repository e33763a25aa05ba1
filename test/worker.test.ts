import { mkdtempSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Fault } from '../src/errors.ts'
import { createLogger } from '../src/log.ts'
import { startWorker, type Worker } from '../src/worker.ts'
import { type FakeManner, fakeRole } from './support/fake-role.ts'
import { roadConfig } from './support/worker-view.ts'

const workers: Worker[] = []
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.kill()
    await worker.done
  }
})

const FAST = '[restart]\nbackoff_min = "1ms"\nbackoff_max = "1ms"\nrestarts_max = 2\n'

function setUp(manners: Readonly<Record<string, FakeManner>> = {}, more = '', dataDir?: string) {
  const path = dataDir ?? join(mkdtempSync(join(tmpdir(), 'causeway-worker-')), 'data')
  const listen = more.includes('[http]') ? '' : '[http]\nlisten = "127.0.0.1:0"\n'
  const config = roadConfig(`${listen}${FAST}${more}`, path)
  const lines: string[] = []
  const log = createLogger(
    { level: 'info', format: 'json' },
    { write: (line: string) => void lines.push(line) }
  )
  const fake = fakeRole(manners)
  const start = async () => {
    const options = {
      config,
      roles: 'all',
      log,
      pid: process.pid,
      version: '1',
      createRole: fake.create
    } as const
    const worker = await startWorker(options)
    workers.push(worker)
    return worker
  }
  const logged = () => lines.map((line) => JSON.parse(line))
  return { config, path, log, fake, start, logged }
}

const IDS = ['ingest.tweets', 'mirror.cloud', 'hdfs-sink.raw', 's3-sink.crucial', 'redshift-loader.tweets']
const untilReady = (worker: Worker) =>
  expect.poll(async () => (await fetch(`${worker.httpAddress}/readyz`)).status).toBe(200)

test('runs every role of the config, shares the memory, and drains to exit code 0', async () => {
  const { fake, start, path, logged } = setUp()
  const worker = await start()
  await untilReady(worker)
  const view = worker.snapshot()
  expect(view.state).toBe('running')
  expect(view.roles.map(({ id }) => id)).toEqual(IDS)
  expect(view.roles.map(({ budget }) => budget.limitBytes)).toEqual(
    Array(5).fill(Math.floor((256 * 1024 ** 2) / 5))
  )
  expect(readdirSync(path)).toContain('lock')

  worker.stop()
  expect(await worker.done).toBe(0)
  expect(fake.steps.filter((step) => step.endsWith('drained'))).toHaveLength(5)
  expect(worker.snapshot().state).toBe('stopped')
  expect(readdirSync(path).sort()).toEqual(['version', 'worker-id'])
  await expect(fetch(`${worker.httpAddress}/healthz`)).rejects.toThrow()
  expect(logged().at(-1)).toMatchObject({ level: 'info', msg: 'worker stopped', exitCode: 0 })
})

test('a role that fails is started again alone, and its counters go on', async () => {
  const { fake, start, logged } = setUp()
  const worker = await start()
  await untilReady(worker)
  const last = () => worker.snapshot().roles.at(-1)
  fake.count()
  fake.count()
  expect(last()?.counters).toEqual({ recordsRead: 2 })
  fake.fail(new Fault('unreachable', 'the warehouse is away', { retryable: true }))
  await expect.poll(() => last()?.restarts).toBe(1)
  await untilReady(worker)
  fake.count()
  expect(last()).toMatchObject({
    counters: { recordsRead: 3 },
    lastFault: { code: 'unreachable' },
    supervision: 'running'
  })
  expect(fake.steps.filter((step) => step.endsWith('started'))).toHaveLength(6)
  expect(logged().filter(({ level }) => level === 'warn')).toMatchObject([
    {
      role: 'redshift-loader',
      instance: 'tweets',
      err: { code: 'unreachable' },
      msg: 'role failed, it starts again'
    }
  ])
})

test('too many restarts end the worker with the fault, after the others have drained', async () => {
  const { fake, start, logged } = setUp()
  const worker = await start()
  await untilReady(worker)
  for (let restarts = 1; restarts <= 3; restarts++) {
    fake.fail(new Fault('unreachable', 'still away', { retryable: true }))
    if (restarts < 3) {
      await expect.poll(() => worker.snapshot().roles.at(-1)?.restarts).toBe(restarts)
      await untilReady(worker)
    }
  }
  expect(await worker.done).toBe(1)
  expect(fake.steps.filter((step) => step.endsWith('drained'))).toHaveLength(4)
  expect(
    logged()
      .filter(({ err }) => err?.message === 'still away' && err)
      .map(({ level }) => level)
  ).toEqual(['warn', 'warn', 'error'])
  expect(logged().at(-1)).toMatchObject({ level: 'fatal', exitCode: 1 })
})

test('a place that cannot be used ends the worker at once with exit code 2', async () => {
  const failsWith = new Fault('store-without-conditional-writes', 's3://crucial ignores If-None-Match')
  const { start, logged } = setUp({ 's3-sink.crucial': { failsWith } })
  const worker = await start()
  expect(await worker.done).toBe(2)
  const told = logged().filter(({ err }) => err?.code === failsWith.code)
  expect(told).toMatchObject([{ level: 'error', role: 's3-sink', err: { message: failsWith.message } }])
})

test('a second stop ends at once with exit code 1', async () => {
  const { fake, start, logged } = setUp({ 'mirror.cloud': { drains: false } })
  const worker = await start()
  await untilReady(worker)
  worker.stop()
  expect(worker.snapshot().state).toBe('draining')
  worker.stop()
  expect(await worker.done).toBe(1)
  expect(fake.steps).toContain('mirror.cloud aborted')
  expect(logged().at(-1)).toMatchObject({ level: 'fatal', err: { code: 'interrupted' } })
})

test('drain_timeout bounds the drain', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'causeway-worker-')), 'data')
  const { config, log, fake } = setUp({ 'mirror.cloud': { drains: false } }, '', path)
  const hurried = { ...config, drainTimeoutMs: 20 }
  const worker = await startWorker({
    config: hurried,
    roles: ['mirror'],
    log,
    pid: process.pid,
    version: '1',
    createRole: fake.create
  })
  worker.stop()
  expect(await worker.done).toBe(1)
})

test('a port in use keeps it from starting, and the data directory is given back', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { start, path, fake } = setUp({}, `[http]\nlisten = "127.0.0.1:${port}"\n`)
  await expect(start()).rejects.toMatchObject({ code: 'port-in-use' })
  expect(readdirSync(path)).not.toContain('lock')
  expect(fake.steps).toEqual([])
  other.close()
})

test('a data directory in use keeps it from starting', async () => {
  const first = setUp()
  await first.start()
  const second = setUp({}, '', first.path)
  await expect(second.start()).rejects.toMatchObject({ code: 'data-dir-in-use' })
})

test('a role that cannot be made keeps it from starting', async () => {
  const { config, log, path } = setUp()
  const createRole = () => Promise.reject(new Fault('config-invalid', 'no'))
  const options = { config, roles: 'all', log, pid: process.pid, version: '1', createRole } as const
  await expect(startWorker(options)).rejects.toMatchObject({ code: 'config-invalid' })
  expect(readdirSync(path)).not.toContain('lock')
})

test('kill ends at once, and the next worker keeps the id', async () => {
  const { fake, start, path } = setUp()
  const worker = await start()
  await untilReady(worker)
  worker.kill()
  expect(await worker.done).toBe(1)
  expect(fake.steps.filter((step) => step.endsWith('aborted'))).toHaveLength(5)
  const next = await setUp({}, '', path).start()
  expect(next.snapshot().workerId).toBe(worker.snapshot().workerId)
})
