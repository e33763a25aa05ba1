import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parseLogPath, sinkDataPrefix, sinkDeadPrefix } from '../../src/actors/store/names.ts'
import { seededRandom } from '../support/random.ts'
import { SinkProcess, untilPublished } from '../support/sink-process.ts'
import type { SinkWorld } from '../support/sink-world.ts'
import { WatchedStore } from '../support/watched-store.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { holds } from './lacking.ts'

const { signal } = new AbortController()
type Defer = ReturnType<typeof cleanups>

const SINK = 'test.raw'

/** Two who write one chain in one process, so that their moments can be chosen: every offset is there once, and nothing waits. */
export function sinkRaces(name: string, start: () => Promise<SinkWorld>, seed: number): void {
  describe(`rivals of a sink on ${name}`, () => {
    const { begin, verify } = worlds(start, seed)

    if (holds(`sinks on ${name}`, AT_ONCE)) {
      test(AT_ONCE, async () => {
        const { world, random } = await begin()
        await world.produce(1_500, random)
        const meet = meetings(2)
        const store = new WatchedStore(world.store, async (method, path, moment) => {
          if (method === 'create' && moment === 'before' && isFirstEntry(path)) await meet(path)
        })
        const one = world.run({ role: 'hdfs-sink', workerId: 'one', store })
        const two = world.run({ role: 's3-sink', workerId: 'two', store })
        await Promise.all([one, two].map((sink) => world.untilCaughtUp(sink)))
        const lost = [one, two].map((sink) => sink.view().counters.commitsLost ?? 0)
        await Promise.all([one.drain(), two.drain()])
        expect((lost[0] ?? 0) + (lost[1] ?? 0), 'one of each partition').toBeGreaterThanOrEqual(4)
        await expectNothingWaits(world)
        await verify()
      }, 60_000)
    }

    test('a zombie that wakes up in the middle of its commit loses, and leaves nothing', async () => {
      const { world, random } = await begin()
      await world.produce(2_000, random)
      const asleep = Promise.withResolvers<void>()
      const woken = Promise.withResolvers<void>()
      const store = new WatchedStore(world.store, async (method, path, moment) => {
        if (method !== 'create' || moment !== 'before' || !isFirstEntry(path)) return
        asleep.resolve()
        await woken.promise
      })
      const zombie = world.run({ role: 's3-sink', workerId: 'zombie', store })
      await asleep.promise
      const owner = world.run({ role: 'hdfs-sink', workerId: 'owner' })
      await world.untilCaughtUp(owner)
      woken.resolve()
      await zombie.until(({ counters }) => (counters.commitsLost ?? 0) > 0)
      await world.untilCaughtUp(zombie)
      await Promise.all([zombie.drain(), owner.drain()])
      await expectNothingWaits(world)
      await verify()
    }, 60_000)
  })
}

/** A process that is stopped in its work, replaced, and continued: for stores that others can reach. */
export function sinkTakeOver(name: string, start: () => Promise<SinkWorld>, seed: number): void {
  describe(`processes with a sink on ${name}`, () => {
    const { begin, verify, defer } = worlds(start, seed)

    test('one that stands still (SIGSTOP) while another takes over adds nothing when it wakes', async () => {
      const { world, random } = await begin()
      const { place } = world
      if (place === undefined) throw new Error(`${name} cannot be reached by others`)
      const open = () => {
        const { brokers } = world.kafka.brokers.source
        const sink = new SinkProcess({ brokers, place, topic: 'hybrid', keys: KEYS })
        defer(() => sink.remove())
        return sink
      }
      const zombie = open()
      await zombie.until('all partitions are its own', ({ partitions }) => partitions.length === 4)
      const other = open()
      await other.until('the other one has its share', ({ partitions }) => partitions.length > 0)
      for (let round = 0; round < 3; round++) {
        // What it gets may be done before anybody looks: more comes until it is met at work.
        do await world.produce(500, random)
        while (!(await zombie.state())?.partitions.some(isAtWork))
        zombie.signal('SIGSTOP')
        await world.produce(1_000, random)
        await untilPublished([other], await endsOf(world))
        zombie.signal('SIGCONT')
        await world.produce(1_000, random)
        await untilPublished([zombie, other], await endsOf(world))
      }
      for (const { worker } of [zombie, other]) expect(await worker.stop(), worker.said()).toBe(0)
      await verify()
    }, 240_000)
  })
}

const AT_ONCE = 'two instances that commit one range at the same moment: one wins'
const KEYS = `rotate_age = "100ms"
rotate_bytes = "128KiB"
refresh_interval = "1s"
session_timeout = "3s"`

const isAtWork = ({ state }: { readonly state: string }) => state !== 'idle' && state !== 'opening'

/** A world for each test of a suite, and what its readers say in the end. */
function worlds(start: () => Promise<SinkWorld>, seed: number) {
  const defer = cleanups()
  let world: SinkWorld
  afterEach(() => world?.stop())
  return {
    defer,
    begin: async () => {
      world = await start()
      return { world, random: seededRandom(seed) }
    },
    verify: () => verify(world, defer)
  }
}

/** Whoever comes to a place waits until so many are there. */
function meetings(count: number): (place: string) => Promise<void> {
  const places = new Map<string, { arrived: number; readonly all: PromiseWithResolvers<void> }>()
  return (place) => {
    const found = places.get(place) ?? { arrived: 0, all: Promise.withResolvers<void>() }
    places.set(place, found)
    if (++found.arrived === count) found.all.resolve()
    return found.all.promise
  }
}

function isFirstEntry(path: string): boolean {
  const file = parseLogPath(path)?.file
  return file?.type === 'entry' && file.from === 0
}

/** By partition. */
async function endsOf({ kafka }: SinkWorld): Promise<ReadonlyMap<number, number>> {
  const ends = await kafka.ends('source', ['hybrid'])
  return new Map([...ends].map(([part, end]) => [Number(part.slice(part.lastIndexOf('-') + 1)), end]))
}

/** No bytes wait to be published. */
async function expectNothingWaits({ store }: SinkWorld): Promise<void> {
  const prefixes = {
    data: sinkDataPrefix(SINK),
    dead: sinkDeadPrefix(SINK),
    log: 'log/v1/',
    chain: `${SINK}/`
  }
  for await (const leftover of store.leftovers(prefixes, signal)) {
    expect.unreachable(`${JSON.stringify(leftover)} was left behind`)
  }
}

/** What is published holds each offset once, to us and to pyarrow. */
async function verify(world: SinkWorld, defer: Defer): Promise<void> {
  await world.verify()
  if (!hasPython) return
  const { rows } = JSON.parse(
    await pythonTool('read_lake.py', [JSON.stringify(await placeOf(world, defer))])
  ) as {
    readonly rows: Readonly<Record<string, readonly (readonly [offset: number, id: string])[]>>
  }
  for (const [partition, expected] of world.expected.entries()) {
    const ids = expected.filter((id) => id !== undefined)
    expect(rows[partition]?.map(([, id]) => id) ?? [], `partition ${partition}`).toEqual(ids)
  }
}

/** What is in memory is laid into a directory. */
async function placeOf({ place, store }: SinkWorld, defer: Defer): Promise<object> {
  const data = sinkDataPrefix(SINK)
  if (place?.type === 's3') return { ...place, data: `${place.prefix}/${data}` }
  if (place?.type === 'hdfs') return { ...place, data: `${place.path}/${data}` }
  const directory = mkdtempSync(join(tmpdir(), 'causeway-lake-'))
  defer(() => rm(directory, { recursive: true }))
  for await (const { path } of store.list(data, {}, signal)) {
    mkdirSync(join(directory, dirname(path)), { recursive: true })
    writeFileSync(join(directory, path), (await store.read(path, signal)) ?? '')
  }
  return { type: 'local', data: directory }
}
