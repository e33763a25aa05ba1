import { expect, test, vi } from 'vitest'
import { createActor, createMachine, fromPromise, type SnapshotFrom, sendTo } from 'xstate'
import { readBookmark, writeBookmark } from '../../src/actors/hive/bookmark.ts'
import { type LogPiece, partitionsOf, readPiece } from '../../src/actors/hive/survey.ts'
import type { HivePartition } from '../../src/actors/hive/table.ts'
import type { Entry } from '../../src/actors/store/entry.ts'
import { Fault } from '../../src/errors.ts'
import {
  type AddInput,
  type HiveEvent,
  type HiveInput,
  hiveMachine,
  type NoteInput,
  type SurveyInput
} from '../../src/machines/hive.ts'
import { hourly, publishedEntry } from '../actors/hive/hive-fixtures.ts'
import { chainOf } from '../support/chain-fixtures.ts'
import { writeClosed, writeEntry, writeGenesis } from '../support/log-records.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'

const away = new Fault('hive-unreachable', 'Hive is away', { retryable: true })
const denied = new Fault('denied', 'no', { retryable: false })
const { signal } = new AbortController()

/** A log in memory, a Hive that may be away, and the machine between them. */
class HiveWorld {
  readonly store = new MemoryStore()
  /** Locations in the table. */
  readonly table = new Set<string>()
  readonly statements: (readonly HivePartition[])[] = []
  /** Calls that are still to fail, whatever they ask. */
  failures: Fault[] = []
  incarnation = 1
  /** What happens between a survey's reading and its answer. */
  meanwhile: (() => Promise<void>) | undefined
  pieceEntries = 3
  readonly published: Entry[] = []
  readonly #chains = [chainOf(0), chainOf(1)]
  readonly #ends = [0, 0]
  #actor = this.#start()

  async begin(): Promise<void> {
    for (const chain of this.#chains) await writeGenesis(this.store, chain, 0)
  }

  get snapshot(): SnapshotFrom<typeof hiveMachine> {
    return this.#actor.getSnapshot().children.hive?.getSnapshot() as SnapshotFrom<typeof hiveMachine>
  }

  get isSettled(): boolean {
    return this.#actor.getSnapshot().matches('settled')
  }

  restart(): void {
    this.#actor.stop()
    this.#actor = this.#start()
  }

  stop(): void {
    this.#actor.stop()
  }

  open(partition: number): void {
    this.send({ type: 'chain.opened', ...this.#nameOf(partition), position: 0, leaderEpoch: 0 })
  }

  /** Writes the next entry of a partition; the machine is told of it unless another member wrote it. */
  async publish(partition: number, hours: readonly number[], told = true): Promise<void> {
    const chain = this.#chains[partition] ?? chainOf()
    const entry = publishedEntry(chain, this.#ends[partition] ?? 0, hours)
    await writeEntry(this.store, chain, entry)
    this.#ends[partition] = entry.to
    this.published.push(entry)
    if (told) this.send({ type: 'chain.advanced', ...this.#nameOf(partition), entry })
  }

  async rewind(partition: number): Promise<void> {
    const chain = this.#chains[partition] ?? chainOf()
    const next = { ...chain, generation: chain.generation + 1 }
    await writeClosed(this.store, chain, this.#ends[partition] ?? 0, next.generation)
    await writeGenesis(this.store, next, 5)
    this.#chains[partition] = next
    this.#ends[partition] = 5
  }

  drop(): void {
    this.table.clear()
    this.incarnation++
  }

  /** Locations of everything that was published. */
  get wanted(): Set<string> {
    return new Set(
      this.published.flatMap(({ files }) => partitionsOf(hourly, files)).map((one) => one.location)
    )
  }

  async finish(): Promise<void> {
    this.send({ type: 'finish' })
    await vi.waitFor(() => expect(this.isSettled).toBe(true), { timeout: 20_000, interval: 1 })
  }

  until(check: () => void): Promise<void> {
    return vi.waitFor(check, { timeout: 20_000, interval: 1 })
  }

  send(event: HiveEvent): void {
    this.#actor.send(event)
  }

  #nameOf(partition: number) {
    return { topic: 'hybrid', topicId: 'topic-id-1', partition }
  }

  #start() {
    const input: HiveInput = {
      ...{ backoffMinMs: 1, backoffMaxMs: 4 },
      partitionsOf: (files) => partitionsOf(hourly, files)
    }
    const parent = createMachine({
      invoke: { src: this.#bound(), id: 'hive', input },
      on: { '*': { actions: sendTo('hive', ({ event }) => event) }, 'hive.settled': '.settled' },
      initial: 'running',
      states: { running: {}, settled: {} }
    })
    return createActor(parent).start()
  }

  #bound() {
    const call = () => {
      const fault = this.failures.shift()
      if (fault) throw fault
    }
    return hiveMachine.provide({
      actors: {
        ensure: fromPromise<string>(async () => {
          call()
          return String(this.incarnation)
        }),
        survey: fromPromise<LogPiece, SurveyInput>(async ({ input: { chain, incarnation, ...input } }) => {
          call()
          const from = input.from ?? (await readBookmark(this.store, 'test.raw', chain, incarnation, signal))
          const piece = await readPiece(this.store, hourly, { chain, from, limit: this.pieceEntries }, signal)
          const { meanwhile } = this
          this.meanwhile = undefined
          await meanwhile?.()
          return piece
        }),
        add: fromPromise<void, AddInput>(async ({ input: { partitions, incarnation } }) => {
          call()
          this.statements.push(partitions)
          for (const { location } of partitions) this.table.add(location)
          if (incarnation !== String(this.incarnation))
            throw new Fault('hive-table-changed', '', { retryable: true })
        }),
        note: fromPromise<void, NoteInput>(async ({ input: { bookmarks, incarnation } }) => {
          call()
          for (const { read, ...chain } of bookmarks) {
            if (read === undefined) continue
            this.#checkBookmark(chain.partition, read, incarnation)
            await writeBookmark(this.store, 'test.raw', chain, { ...read, incarnation }, signal)
          }
        })
      }
    })
  }

  /** What a bookmark says must be so when it is written. */
  #checkBookmark(partition: number, read: { generation: number; next: number }, incarnation: string): void {
    if (incarnation !== String(this.incarnation)) return
    for (const { chain, to, files } of this.published) {
      const [, generation, of] = /-g(\d+)\/(\d+)$/.exec(chain) ?? []
      const isBefore =
        Number(generation) < read.generation || (Number(generation) === read.generation && to <= read.next)
      if (Number(of) !== partition || !isBefore) continue
      for (const { location } of partitionsOf(hourly, files)) expect(this.table).toContain(location)
    }
  }
}

async function begin(): Promise<HiveWorld> {
  const world = new HiveWorld()
  await world.begin()
  return world
}

test('partitions of published files are added once each, whatever their chain', async () => {
  const world = await begin()
  world.open(0)
  world.open(1)
  await world.until(() => expect(world.snapshot.value).toBe('following'))
  for (const hours of [[1], [1, 2], [2]])
    for (const partition of [0, 1]) await world.publish(partition, hours)
  await world.until(() => expect(world.table).toEqual(world.wanted))
  expect(world.statements.flat()).toHaveLength(2)
  await world.finish()
  world.stop()
})

test('what is published while the log is being read is not missed', async () => {
  const world = await begin()
  world.meanwhile = () => world.publish(0, [3])
  world.open(0)
  await world.until(() => expect(world.wanted.size).toBe(1))
  await world.until(() => expect(world.table).toEqual(world.wanted))
  world.stop()
})

test('while Hive is away the sink goes on, and its log tells later what came meanwhile', async () => {
  const world = await begin()
  world.failures = Array.from({ length: 6 }, () => away)
  world.open(0)
  for (let hour = 0; hour < 20; hour++) await world.publish(0, [hour])
  await world.until(() => expect(world.table).toEqual(world.wanted))
  expect(world.snapshot.context).toMatchObject({ failures: 0, fault: undefined, counters: { hiveFaults: 6 } })
  world.stop()
})

test('a Hive that says no for good does not hold up a sink that ends', async () => {
  const world = await begin()
  world.failures = Array.from({ length: 10_000 }, () => denied)
  world.open(0)
  await world.publish(0, [1])
  await world.until(() => expect(world.snapshot.context.fault).toBe(denied))
  await world.finish()
  expect(world.table.size).toBe(0)
  world.stop()
})

test('the next start reads the log from the bookmark on, and nothing twice', async () => {
  const world = await begin()
  world.open(0)
  for (let hour = 0; hour < 5; hour++) await world.publish(0, [hour])
  await world.finish()
  await world.publish(0, [7], false)
  world.restart()
  world.statements.length = 0
  world.store.calls.length = 0
  world.open(0)
  await world.until(() => expect(world.table).toEqual(world.wanted))
  expect(world.statements.flat().map(({ values }) => values[2])).toEqual(['07'])
  const read = world.store.calls.filter((call) => /read .*\d{20}\.json/.test(call))
  expect(read.every((call) => Number(/\d{20}/.exec(call)?.[0]) >= 50)).toBe(true)
  world.stop()
})

test('without a table nothing is kept, and the sink is not held up', async () => {
  const actor = createActor(
    createMachine({
      invoke: { src: hiveMachine, id: 'hive', input: undefined },
      on: { '*': { actions: sendTo('hive', ({ event }) => event) }, 'hive.settled': '.settled' },
      initial: 'running',
      states: { running: {}, settled: {} }
    })
  ).start()
  actor.send({
    type: 'chain.opened',
    topic: 't',
    topicId: 'i',
    partition: 0,
    position: 0,
    leaderEpoch: 0
  } as never)
  const hive = actor.getSnapshot().children.hive?.getSnapshot() as SnapshotFrom<typeof hiveMachine>
  expect([hive.value, hive.context.chains]).toEqual(['off', {}])
  actor.send({ type: 'finish' } as never)
  expect(actor.getSnapshot().matches('settled')).toBe(true)
  actor.stop()
})

const seed = chooseSeed()

test(`everything that was published is in the table in the end, through faults, restarts, rewinds and drops (SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  const pick = (below: number) => Math.floor(random() * below)
  for (let run = 0; run < 15; run++) {
    const world = await begin()
    for (let step = 0; step < 60; step++) {
      const partition = pick(2)
      const choice = random()
      if (choice < 0.55) await world.publish(partition, [pick(24), pick(24)].slice(pick(3)), random() < 0.8)
      else if (choice < 0.7) world.open(partition)
      else if (choice < 0.8) world.failures = Array.from({ length: pick(4) }, () => away)
      else if (choice < 0.85) world.drop()
      else if (choice < 0.9) world.restart()
      else if (choice < 0.93) await world.rewind(partition)
      else await new Promise((resolve) => setImmediate(resolve))
    }
    world.failures = []
    world.restart()
    world.open(0)
    world.open(1)
    await world.finish()
    expect([...world.wanted].filter((location) => !world.table.has(location))).toEqual([])
    world.stop()
  }
})
