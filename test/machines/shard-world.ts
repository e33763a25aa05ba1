import { expect } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import { Fault } from '../../src/errors.ts'
import type { PartitionSpec } from '../../src/machines/ledger.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { Taken, WriterCommand, WriterReport } from '../../src/machines/shard-protocol.ts'
import type { Delivery, ShardSettings } from '../../src/machines/shard-setup.ts'
import { plainRules } from '../../src/machines/topic-rules.ts'

type State = SnapshotFrom<typeof shardMachine>
export type Event = { readonly type: string }

export const settings: ShardSettings = {
  delivery: 'exactly-once',
  commitIntervalMs: 500,
  commitIntervalMaxMs: 5_000,
  commitBytes: 200,
  quarantineMinMs: 1_000,
  quarantineMaxMs: 60_000
}
export const spec = (topic: string, more: Partial<PartitionSpec> = {}): PartitionSpec => ({
  topic,
  partition: 0,
  sourceId: `s-${topic}`,
  targetId: `t-${topic}`,
  logStart: 0,
  end: -1,
  targetTopic: topic,
  targetPartitions: 1,
  sourcePartitions: 1,
  targetMaxBytes: 1_000,
  rules: plainRules,
  ...more
})

/** The world around one shard: what its writer and the target know, kept beside the machine while it is walked. */
interface World {
  /** Committed positions. */
  readonly durable: Readonly<Record<string, number>>
  /** Where the writer expects the next slice, for partitions that are fetched. */
  readonly expected: Readonly<Record<string, number>>
  readonly fetched: readonly string[]
  /** Offsets up to which slices were taken since the last produce, are on their way, and are acknowledged. */
  readonly waiting: Readonly<Record<string, number>>
  readonly flying: Readonly<Record<string, number>>
  readonly acked: Readonly<Record<string, number>>
  /** Partitions with batches that wait in the writer, and with batches on their way. */
  readonly loaded: readonly string[]
  readonly sending: readonly string[]
  readonly inTransaction: readonly string[]
  readonly outstanding: 'add' | 'produce' | 'commit' | ''
  readonly adding: readonly string[]
  readonly committing: Readonly<Record<string, number>>
  readonly retries: readonly string[]
  readonly alive: 'no' | 'fencing' | 'restoring' | 'ready'
}

export const blank: World = {
  durable: {},
  expected: {},
  fetched: [],
  waiting: {},
  flying: {},
  acked: {},
  loaded: [],
  sending: [],
  inTransaction: [],
  outstanding: '',
  adding: [],
  committing: {},
  retries: [],
  alive: 'no'
}
export const LAST_OFFSET = 2
export const deliveries: readonly Delivery[] = ['exactly-once', 'at-least-once']
const doubt = new Fault('link-closed', 'link closed', { retryable: true })

export interface Step {
  readonly state: State
  readonly world: World
}

/** Applies one event to the machine, and what it commands to the world, asserting what must hold. */
export function step({ state, world }: Step, event: Event, change: (world: World) => World = (w) => w): Step {
  const [next, actions] = transition(shardMachine, state, event as never)
  expect(next.status, `${JSON.stringify(state.value)} + ${event.type}`).not.toBe('error')
  let after = change(world)
  const isLive = (s: State) => 'writer' in s.children && s.children.writer !== undefined
  const reinvoked = actions.some((action) => action.type === 'xstate.spawnChild')
  if (!isLive(next)) after = { ...lost(after, next), alive: 'no' }
  else if (reinvoked) after = { ...lost(after, next), alive: 'fencing' }
  for (const action of actions) {
    const { event: sent, targetId } = (action.params ?? {}) as unknown as { event: Event; targetId?: string }
    if (action.type === 'xstate.sendTo' && targetId === 'writer') after = obey(after, sent as WriterCommand)
    else if (action.type === 'xstate.sendTo') {
      const report = sent as unknown as {
        type: string
        partitions: { topic: string; position: number }[]
      }
      if (report.type === 'shard.drained') continue
      const keys = report.partitions.map(({ topic }) => tp(topic, 0))
      if (report.type === 'fetch.assign') {
        for (const { topic, position } of report.partitions) {
          expect(after.expected[tp(topic, 0)], 'writer and fetcher begin at the same offset').toBe(position)
        }
        after = { ...after, fetched: [...new Set([...after.fetched, ...keys])].sort() }
      } else after = { ...after, fetched: after.fetched.filter((key) => !keys.includes(key)) }
    }
    if (action.type === 'xstate.raise') {
      const raised = (action.params as unknown as { event: { type: string; key: string } }).event
      if (raised.type === 'partition.retry') {
        after = { ...after, retries: [...new Set([...after.retries, raised.key])].sort() }
      }
    }
  }
  const copying = Object.entries(next.context.ledger)
    .filter(([, { standing }]) => standing === 'copying')
    .map(([key]) => key)
    .sort()
  expect(after.fetched, 'what is copied is fetched, and nothing else').toEqual(copying)
  if (next.status === 'done') expect(after.outstanding, 'nothing is under way when it ends').toBe('')
  return { state: next, world: after }
}

/** The writer is gone: the target aborts what was not committed, if it was in a transaction. */
function lost(world: World, { context }: State): World {
  return {
    ...world,
    expected: {},
    waiting: {},
    flying: {},
    acked: context.delivery === 'at-least-once' ? world.acked : {},
    loaded: [],
    sending: [],
    inTransaction: [],
    outstanding: '',
    adding: [],
    committing: {}
  }
}

function obey(world: World, command: WriterCommand): World {
  expect(world.alive, `${command.type} needs a restored writer`).toBe('ready')
  switch (command.type) {
    case 'expect': {
      const expected = { ...world.expected }
      for (const { topic, partition, offset } of command.partitions) {
        const key = tp(topic, partition)
        const before = world.waiting[key] ?? world.flying[key] ?? world.acked[key] ?? world.durable[key] ?? 0
        expect(offset, 'copying goes on exactly where it stands').toBe(before)
        expected[key] = offset
      }
      return { ...world, expected }
    }
    case 'forget': {
      const keys = command.partitions.map(({ topic, partition }) => tp(topic, partition))
      return {
        ...world,
        expected: Object.fromEntries(Object.entries(world.expected).filter(([key]) => !keys.includes(key)))
      }
    }
    case 'take':
      return world
    default:
      expect(world.outstanding, 'one step of the transaction at a time').toBe('')
      return { ...carry(world, command), outstanding: command.type }
  }
}

function carry(world: World, command: Extract<WriterCommand, { type: 'add' | 'produce' | 'commit' }>): World {
  if (command.type === 'add') {
    return { ...world, adding: command.partitions.map(({ topic, partition }) => tp(topic, partition)) }
  }
  if (command.type === 'produce') {
    for (const key of world.loaded)
      expect(world.inTransaction, 'added before the first produce').toContain(key)
    return {
      ...world,
      flying: world.waiting,
      waiting: {},
      sending: world.loaded,
      loaded: []
    }
  }
  expect(world.inTransaction, 'never EndTxn with nothing added').toContain('positions')
  const committing: Record<string, number> = {}
  for (const { topic, partition, position } of command.positions) {
    const key = tp(topic, partition)
    expect(world.sending, 'nothing is on its way at a commit').toEqual([])
    const reached = world.loaded.includes(key) ? world.acked[key] : (world.waiting[key] ?? world.acked[key])
    expect(position.next, 'a position never runs ahead of its data').toBe(reached)
    expect(position.next, 'a position never goes back').toBeGreaterThanOrEqual(world.durable[key] ?? 0)
    committing[key] = position.next
  }
  expect(Object.keys(committing).length, 'a transaction without positions says nothing').toBeGreaterThan(0)
  const passedOver = Object.entries(world.waiting).filter(([key]) => !world.loaded.includes(key))
  return {
    ...world,
    committing,
    waiting: Object.fromEntries(Object.entries(world.waiting).filter(([key]) => world.loaded.includes(key))),
    acked: { ...world.acked, ...Object.fromEntries(passedOver) }
  }
}

export const key = ({ state, world }: Step) => {
  const { ledger, taken, sent, acked, positions, added, doubts } = state.context
  const brief = Object.entries(ledger).map(([name, e]) => [
    name,
    e.standing,
    e.taken,
    Math.min(e.failures, 1),
    e.spec.hold
  ])
  return JSON.stringify([
    state.value,
    state.status,
    brief,
    taken,
    sent,
    acked,
    positions,
    added,
    Math.min(doubts, 1),
    world
  ])
}

/** Every event that the world can bring about in this state. */
export function* moves(
  { state, world }: Step,
  options: { readonly topics: readonly string[] }
): Generator<Step> {
  const at = { state, world }
  const [first = 'a'] = options.topics
  const all = options.topics.map((topic) => spec(topic))
  yield step(at, { type: 'partitions.changed', partitions: all } as Event)
  yield step(at, { type: 'partitions.changed', partitions: all.slice(1) } as Event)
  yield step(at, {
    type: 'partitions.changed',
    partitions: [spec(first, { hold: 'missing' }), ...all.slice(1)]
  } as Event)
  yield step(at, { type: 'drain' })
  yield step(at, { type: 'slices.fetched', slices: [] } as Event)
  for (const retry of world.retries) {
    yield step(at, { type: 'partition.retry', key: retry } as Event, (w) => ({
      ...w,
      retries: w.retries.filter((other) => other !== retry)
    }))
  }
  if (state.matches('backoff')) yield step(at, { type: 'xstate.after.backoff.shard.backoff' })
  if (state.matches({ live: { copying: { clock: 'resting' } } })) {
    yield step(at, { type: 'xstate.after.commitInterval.shard.live.copying.clock.resting' })
  }
  if (world.alive === 'no') return
  const error = { type: 'xstate.error.actor.writer', error: doubt, actorId: 'writer' }
  yield step(at, error, (w) => ({ ...w, alive: 'no' }))
  yield* replies(at)
  for (const topic of options.topics) {
    const partition = tp(topic, 0)
    const from = world.expected[partition]
    if (from === undefined || from >= LAST_OFFSET) continue
    yield took(at, topic, from + 1, 150)
    yield took(at, topic, from + 1, 0)
    yield took(at, topic, from + 1, 0, 'held')
    const generation = state.context.ledger[partition]?.generation
    const fault = new Fault('offset-out-of-range', 'gone')
    yield step(at, { type: 'partition.faulted', topic, partition: 0, generation, fault } as Event)
  }
}

export function took(at: Step, topic: string, next: number, bytes: number, stop?: 'held'): Step {
  const partition = tp(topic, 0)
  const taken: Taken = {
    topic,
    partition: 0,
    from: next - 1,
    next,
    leaderEpoch: 0,
    end: 10,
    records: bytes === 0 ? 0 : 1,
    bytes,
    targets: bytes === 0 ? [] : [{ topic, partition: 0 }],
    ...(stop === undefined ? {} : { stop: { standing: stop, reason: 'decode:offset-gaps' } })
  }
  return step(at, { type: 'writer.took', taken: [taken] } as Event, (w) => ({
    ...w,
    expected: { ...w.expected, [partition]: next },
    waiting: { ...w.waiting, [partition]: next },
    loaded: bytes > 0 ? [...new Set([...w.loaded, partition])].sort() : w.loaded
  }))
}

export function* replies(at: Step): Generator<Step> {
  const { world } = at
  const say = (report: WriterReport, change: (w: World) => World) => step(at, report, change)
  if (world.alive === 'fencing') {
    yield say({ type: 'writer.waiting', on: 'markersPending', reason: 'b-0' }, (w) => w)
    yield say({ type: 'writer.fenced' }, (w) => ({ ...w, alive: 'restoring' }))
  }
  if (world.alive === 'restoring') {
    const positions = Object.fromEntries(
      Object.entries(world.durable).map(([name, next]) => [
        name,
        { next, leaderEpoch: 0, sourceId: `s-${name.slice(0, 1)}`, targetId: `t-${name.slice(0, 1)}` }
      ])
    )
    yield say({ type: 'writer.waiting', on: 'hangingTransaction', reason: '7' }, (w) => w)
    yield say({ type: 'writer.restored', positions }, (w) => ({ ...w, alive: 'ready' }))
  }
  const partitions = world.adding.map((name) => ({ topic: name.slice(0, 1), partition: 0 }))
  const failures = [...world.sending, ...world.loaded].slice(0, 1).map((name) => ({
    topic: name.slice(0, 1),
    partition: 0,
    fault: new Fault('kafka-not-enough-replicas', 'not enough replicas', { retryable: true })
  }))
  if (world.outstanding === 'add') {
    yield say({ type: 'writer.added', partitions }, (w) => ({
      ...w,
      outstanding: '',
      inTransaction: [...new Set([...w.inTransaction, 'positions', ...w.adding])].sort(),
      adding: []
    }))
    if (failures.length > 0) yield say({ type: 'writer.refused', failures }, (w) => ({ ...w, alive: 'no' }))
  }
  if (world.outstanding === 'produce') {
    yield say({ type: 'writer.produced' }, (w) => ({
      ...w,
      outstanding: '',
      acked: { ...w.acked, ...w.flying },
      flying: {},
      sending: []
    }))
    const refusal: WriterReport = { type: 'writer.refused', failures }
    const refused = { records: [{ offset: 0, reason: 'no key' }] }
    const learned = { ...refusal, failures: failures.map((one) => ({ ...one, refused })) }
    if (failures.length > 0 && at.state.context.delivery === 'exactly-once') {
      yield say(learned, (w) => ({ ...w, alive: 'no' }))
      yield say(refusal, (w) => ({ ...w, alive: 'no' }))
    } else if (failures.length > 0) {
      const { [world.sending[0] ?? '']: _, ...arrived } = world.flying
      const report = { type: 'writer.acknowledged', but: failures }
      const told = step(at, report, (w) => ({ ...w, acked: { ...w.acked, ...arrived }, flying: {} }))
      yield step(told, learned, (w) => ({ ...w, alive: 'no' }))
      yield step(told, refusal, (w) => ({ ...w, alive: 'no' }))
    }
  }
  if (world.outstanding === 'commit') {
    const committed = (w: World): World => ({ ...w, durable: { ...w.durable, ...w.committing } })
    yield say({ type: 'writer.committed', tookMs: 0 }, (w) => ({
      ...committed(w),
      outstanding: '',
      committing: {},
      inTransaction: [],
      acked: without(w.acked, w.committing),
      waiting: without(w.waiting, w.committing)
    }))
    // The reply was lost, but the target committed.
    yield step(at, { type: 'xstate.error.actor.writer', error: doubt, actorId: 'writer' } as Event, (w) => ({
      ...committed(w),
      alive: 'no'
    }))
  }
}

const without = (marks: Readonly<Record<string, number>>, committed: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(marks).filter(([name, next]) => (committed[name] ?? -1) < next))

export const ready = (...topics: string[]): Step => readyWith({}, ...topics)

export const readyWith = (more: Partial<ShardSettings>, ...topics: string[]): Step => {
  const [state] = initialTransition(shardMachine, { shard: 3, ...settings, ...more })
  const partitions = topics.map((topic) => spec(topic))
  let at = step({ state, world: blank }, { type: 'partitions.changed', partitions } as Event, (w) => ({
    ...w,
    alive: 'fencing'
  }))
  for (let round = 0; round < 2; round++) {
    const next = [...replies(at)].at(-1)
    if (next !== undefined) at = next
  }
  return at
}
