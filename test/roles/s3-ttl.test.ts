import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { S3Store } from '../../src/actors/s3/store.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { seededRandom } from '../support/random.ts'
import { runLifecycle } from '../support/s3-lifecycle.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { WatchedStore } from '../support/watched-store.ts'
import { cleanups } from '../tools/cleanup.ts'

const defer = cleanups()
const DAY_MS = 86_400_000
const { signal } = new AbortController()
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const region = 'us-east-1'

/** A sink's world on an object store whose clock can be put ahead, and whose bucket has the rules of this ttl. */
async function start(ttl: string) {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-ttl-'))
  defer(() => rmSync(directory, { recursive: true, force: true }))
  const clock = { aheadMs: 0 }
  const s3 = await startObjectStore({
    ...{ dataDir: join(directory, 's3'), region, ...credentials, buckets: ['lake'] },
    now: () => Date.now() + clock.aheadMs
  })
  defer(() => s3.stop())
  const { endpoint, faults } = s3
  const store = new S3Store({
    bucket: 'lake',
    prefix: 'road',
    region,
    endpoint,
    pathStyle: true,
    credentials
  })
  const stop = async () => store.close()
  const world = await SinkWorld.over('s3', { store, faults, stop })
  defer(() => world.stop())
  const applied = await runLifecycle(
    { directory, endpoint, keys: credentials, sink: 'test.raw' },
    ttl,
    '--apply'
  )
  expect(applied).toMatchObject({ exitCode: 0, err: '' })
  return { world, store, clock }
}

test('files expire by the rules of `ttl`, dead letters with them; the log stays, and its chains go on', async () => {
  const { world, store, clock } = await start('2d')
  const files = async (prefix: string) => {
    const found: string[] = []
    for await (const { path } of store.list(prefix, {}, signal)) found.push(path)
    return found
  }
  const random = seededRandom(1)
  const settings = { role: 's3-sink', config: { ttlMs: 2 * DAY_MS } } as const
  const first = world.run(settings)
  await world.produce(2_000, random)
  await world.untilCaughtUp(first)
  await first.drain()
  await world.verify()
  const [data, dead, log] = [await files('data/'), await files('dead/'), await files('log/')]
  expect(data.length).toBeGreaterThan(0)
  expect(dead.length).toBeGreaterThan(0)

  clock.aheadMs = 3 * DAY_MS
  expect(await files('data/')).toEqual([])
  expect(await files('dead/')).toEqual([])
  expect(await files('log/')).toEqual(log)

  const second = world.run(settings)
  await world.produce(500, random)
  await world.untilCaughtUp(second)
  await second.drain()
  expect(second.failure()).toBeUndefined()
  const since = await files('data/')
  expect(since.length).toBeGreaterThan(0)
  expect(since.filter((path) => data.includes(path))).toEqual([])
}, 60_000)

test('what was committed, and not published before its uploads were given up by rule, is written anew', async () => {
  const { world, store, clock } = await start('30d')
  const settings = { role: 's3-sink', config: { ttlMs: 30 * DAY_MS } } as const
  const dying = Promise.withResolvers<void>()
  const dead = new WatchedStore(world.store, (method) => {
    if (method !== 'publish') return undefined
    dying.resolve()
    return new Promise<never>(() => {})
  })
  const first = world.run({ ...settings, store: dead })
  await world.produce(1_000, seededRandom(1))
  await dying.promise
  first.kill()
  clock.aheadMs = 9 * DAY_MS
  const second = world.run(settings)
  await world.untilCaughtUp(second)
  await second.drain()
  const repairs: string[] = []
  for await (const { path } of store.list('log/v1/', {}, signal)) {
    if (path.includes('.repair-')) repairs.push(path)
  }
  expect(repairs.length).toBeGreaterThan(0)
  await world.verify()
}, 60_000)
