import { afterEach, expect, test } from 'vitest'
import { chainName, parseLogPath } from '../../src/actors/store/names.ts'
import { readRepaired } from '../../src/actors/store/records.ts'
import { planRewind } from '../../src/actors/store/rewind-plan.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { WatchedStore } from '../support/watched-store.ts'

const { signal } = new AbortController()
let world: SinkWorld
afterEach(() => world?.stop())

const plan = (to: 'earliest' | 'latest' | number, partition?: number) =>
  planRewind(
    { cluster: world.kafka.clusters.source, store: world.store },
    { sink: 'test.raw', topic: 'hybrid', partition, to, ttlMs: undefined, now: Date.now },
    signal
  )

/** `[from, to)` of every entry, by chain. */
async function ranges(): Promise<Record<string, [number, number][]>> {
  const found: Record<string, [number, number][]> = {}
  for await (const { path } of world.store.list('log/v1/', {}, signal)) {
    const parsed = parseLogPath(path)
    if (parsed?.file.type !== 'entry') continue
    const entry = await readRepaired(world.store, parsed.chain, parsed.file.from, signal)
    if (entry?.type !== 'entry') continue
    const { generation, partition } = parsed.chain
    const list = found[`g${generation}/${partition}`] ?? []
    expect(entry.chain).toBe(chainName(parsed.chain))
    if (list.length > 0) expect(entry.from).toBe(list.at(-1)?.[1])
    list.push([entry.from, entry.to])
    found[`g${generation}/${partition}`] = list
  }
  return found
}

test('a running sink meets a rewind and goes on where it says, and says what readers will see', async () => {
  world = await SinkWorld.start('s3')
  const random = seededRandom(3)
  await expect(plan('earliest')).rejects.toMatchObject({ code: 'arguments-invalid' })
  await world.produce(2_000, random)
  const sink = world.run()
  await world.untilCaughtUp(sink)
  const before = await ranges()
  const end = before['g1/1']?.at(-1)?.[1] ?? -1
  expect(end).toBeGreaterThan(100)

  await expect(plan(10, 9)).rejects.toMatchObject({ code: 'arguments-invalid' })
  await expect(plan(end + 1, 1)).rejects.toMatchObject({ code: 'arguments-invalid' })
  const [only, ...others] = await plan(40, 1)
  expect(others).toEqual([])
  expect(only?.text).toContain(`hybrid-1 is at ${end}, in generation 1`)
  expect(only?.text).toContain(`records at offsets [40, ${end}) will be there a second time`)
  expect(await ranges(), 'a plan changes nothing').toEqual(before)
  expect(await only?.apply(false, signal)).toContain('hybrid-1 goes on at 40, in generation 2')

  await world.produce(1_000, random)
  await world.untilCaughtUp(sink)
  await sink.until(({ ready }) => ready)
  await sink.drain()
  const after = await ranges()
  expect(after['g1/1']).toEqual(before['g1/1'])
  expect(after['g2/1']?.[0]?.[0]).toBe(40)
  expect(after['g2/1']?.at(-1)?.[1]).toBeGreaterThan(end)
  expect(Object.keys(after).sort()).toEqual(['g1/0', 'g1/1', 'g1/2', 'g1/3', 'g2/1'])
}, 60_000)

test('an entry that is lost with its records is data loss with the range, until it is abandoned', async () => {
  world = await SinkWorld.start('memory')
  const random = seededRandom(4)
  await world.produce(2_000, random)
  const committed = Promise.withResolvers<void>()
  const store = new WatchedStore(world.store, async (method, path, when) => {
    const parsed = parseLogPath(path)
    const isIts = parsed?.file.type === 'entry' && parsed.chain.partition === 0
    if (method !== 'create' || when !== 'after' || !isIts) return undefined
    const entry = await readRepaired(world.store, parsed.chain, 0, signal)
    if (entry?.type !== 'entry') throw new Error(`${path} is no entry`)
    for (const { preparation } of entry.files) await world.store.discard(preparation, signal)
    committed.resolve()
    return new Promise<never>(() => {})
  })
  const dying = world.run({ store })
  await committed.promise
  dying.kill()
  const admin = world.kafka.kafka('source').admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: ['hybrid'] })
  await admin.deleteTopicRecords({ topic: 'hybrid', partitions: [{ partition: 0, offset: '50' }] })
  await admin.disconnect()

  const losing = world.run()
  await losing.until(({ partitions }) =>
    partitions.some(
      ({ partition, state, reason }) =>
        partition === 0 && state === 'data-loss' && /offsets \[0, 50\) are not in Kafka/.test(reason ?? '')
    )
  )
  expect(losing.view().ready).toBe(false)
  losing.kill()
  const [lost] = await plan('earliest', 0)
  await expect(lost?.apply(false, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
  expect(await lost?.apply(true, signal)).toContain('hybrid-0 goes on at 50, in generation 2')

  const sink = world.run()
  await world.untilCaughtUp(sink)
  await sink.until(({ ready }) => ready)
  await sink.drain()
  expect((await ranges())['g2/0']?.[0]?.[0]).toBe(50)
}, 60_000)
