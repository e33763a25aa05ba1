import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type EntryFile, parseEntry } from '../../src/actors/store/entry.ts'
import { parseLogPath } from '../../src/actors/store/names.ts'
import type { Store } from '../../src/actors/store/store.ts'
import type { FaultAction } from '../../src/embedded/faults.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import type { SinkWorld, Step } from '../support/sink-world.ts'
import { WatchedStore } from '../support/watched-store.ts'
import { sinkRaces, sinkTakeOver } from './sink-races.ts'

const { signal } = new AbortController()
const steps: readonly Step[] = ['prepare', 'commit', 'publish', 'head', 'open']
/** The steps of an entry, as calls to the store. */
const named: readonly (readonly [method: string, path: RegExp])[] = [
  ['prepare', /./],
  ['create', /\/\d{20}\.json$/],
  ['publish', /./],
  ['replace', /head\.json$/]
]
const PACE_MS = 500
const LIVES = 12
const TWEETS = 20_000

/** What a sink promises, on a backend: whatever is killed or lost on the way, each offset is published once. */
export function sinkConformance(name: string, start: () => Promise<SinkWorld>): void {
  const seed = chooseSeed()

  describe(`a sink on ${name}`, () => {
    let world: SinkWorld
    afterEach(() => world?.stop())
    const begin = async () => {
      world = await start()
      return seededRandom(seed)
    }

    test('publishes each offset once, whenever it is killed', async () => {
      const random = await begin()
      for (let life = 0; life < LIVES; life++) {
        // Fewer than the calls of one life: four chains open, and each publishes at least one entry.
        let calls = 1 + Math.floor(random() * 25)
        const when = random() < 0.5 ? 'before' : 'after'
        const dying = Promise.withResolvers<void>()
        const store = new WatchedStore(world.store, (_, __, moment) => {
          if (moment !== when || --calls !== 0) return undefined
          dying.resolve()
          return new Promise<never>(() => {})
        })
        const sink = world.run({ store })
        const producing = world.produce(Math.ceil(TWEETS / LIVES), random)
        await dying.promise
        sink.kill()
        expect(sink.failure()).toBeUndefined()
        await producing
      }
      const sink = world.run()
      await world.untilCaughtUp(sink)
      await sink.drain()
      await world.verify()
      expect(world.kafka.budget.usedBytes).toBe(0)
    }, 60_000)

    test('publishes each offset once, killed before and after each step', async () => {
      const random = await begin()
      for (const [method, path] of named) {
        for (const when of ['before', 'after'] as const) {
          const dying = Promise.withResolvers<void>()
          const store = new WatchedStore(world.store, (called, at, moment) => {
            if (called !== method || moment !== when || !path.test(at)) return undefined
            dying.resolve()
            return new Promise<never>(() => {})
          })
          const sink = world.run({ store })
          let isDying = false
          const died = dying.promise.then(() => {
            isDying = true
          })
          // What a chance aborts brings no file: more comes until there is one.
          while (!isDying) {
            await world.produce(300, random)
            await Promise.race([died, delay(PACE_MS)])
          }
          sink.kill()
        }
      }
      const sink = world.run()
      await world.untilCaughtUp(sink)
      await sink.drain()
      await world.verify()
    }, 120_000)

    test('makes files anew from Kafka whose prepared bytes are gone', async () => {
      const random = await begin()
      let gone = 0
      const store = new WatchedStore(world.store, async (method, path, moment) => {
        const isCommitted = method === 'create' && moment === 'after' && isEntry(path)
        if (!isCommitted || random() < 0.5) return
        for (const { preparation } of await filesOf(world.store, path)) {
          if (random() < 0.7) continue
          await world.store.discard(preparation, signal)
          gone++
        }
      })
      const sink = world.run({ store })
      for (let round = 0; round < 20 && gone < 5; round++) {
        await world.produce(1_000, random)
        await world.untilCaughtUp(sink)
      }
      await sink.until(({ ready }) => ready)
      await sink.drain()
      expect(gone).toBeGreaterThanOrEqual(5)
      expect(await repairsIn(world.store)).toBeGreaterThan(0)
      await world.verify()
      expect(world.kafka.budget.usedBytes).toBe(0)
    }, 120_000)

    test('publishes each offset once, whatever replies are lost', async () => {
      const random = await begin()
      const sink = world.run()
      await sink.until(({ ready }) => ready)
      const actions: readonly FaultAction[] = [{ type: 'lose-reply' }, { type: 'fail-before' }]
      for (let round = 0; round < 3; round++) {
        for (const step of steps) {
          for (const action of actions)
            world.inject(step, action, { after: Math.floor(random() * 4), times: 1 })
        }
        await world.produce(1_500, random)
        await world.untilCaughtUp(sink)
      }
      await sink.until(({ ready }) => ready)
      await sink.drain()
      await world.verify()
    }, 60_000)
  })
  sinkRaces(name, start, seed)
  sinkTakeOver(name, start, seed)
}

const isEntry = (path: string) => parseLogPath(path)?.file.type === 'entry'

async function filesOf(store: Store, path: string): Promise<readonly EntryFile[]> {
  const content = await store.read(path, signal)
  const entry = content && parseEntry(content, path)
  return entry?.type === 'entry' ? entry.files : []
}

async function repairsIn(store: Store): Promise<number> {
  let repairs = 0
  for await (const { path } of store.list('log/v1/', {}, signal)) {
    if (parseLogPath(path)?.file.type === 'repair') repairs++
  }
  return repairs
}
