import { expect, test } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import { Fault } from '../../src/errors.ts'
import { begin, halt, type PartitionSpec, reconcile, retry } from '../../src/machines/ledger.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { Taken, WriterCommand, WriterReport } from '../../src/machines/shard-protocol.ts'
import type { Delivery, ShardSettings } from '../../src/machines/shard-setup.ts'
import { failing, type Policies, plainRules } from '../../src/machines/topic-rules.ts'
import { targetStops } from '../../src/machines/verdict.ts'

type State = SnapshotFrom<typeof shardMachine>
type Event = { readonly type: string }

const settings: ShardSettings = {
  delivery: 'exactly-once',
  commitIntervalMs: 500,
  commitIntervalMaxMs: 5_000,
  commitBytes: 200,
  quarantineMinMs: 1_000,
  quarantineMaxMs: 60_000
}
const spec = (topic: string, more: Partial<PartitionSpec> = {}): PartitionSpec => ({
  topic,
  partition: 0,
  sourceId: `s-${topic}`,
  targetId: `t-${topic}`,
  logStart: 0,
  end: -1,
  targetTopic: topic,
  targetPartitions: 1,
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

const blank: World = {
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
const LAST_OFFSET = 2
const deliveries: readonly Delivery[] = ['exactly-once', 'at-least-once']
const doubt = new Fault('link-closed', 'link closed', { retryable: true })

interface Step {
  readonly state: State
  readonly world: World
}

/** Applies one event to the machine, and what it commands to the world, asserting what must hold. */
function step({ state, world }: Step, event: Event, change: (world: World) => World = (w) => w): Step {
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

const key = ({ state, world }: Step) => {
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
function* moves({ state, world }: Step, options: { readonly topics: readonly string[] }): Generator<Step> {
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
  if (state.matches({ live: { copying: { clock: 'ticking' } } })) {
    yield step(at, { type: 'xstate.after.commitInterval.shard.live.copying.clock.ticking' })
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

function took(at: Step, topic: string, next: number, bytes: number, stop?: 'held'): Step {
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
    ...(stop === undefined ? {} : { stop: { standing: stop, reason: 'decode:offset-gaps' } })
  }
  return step(at, { type: 'writer.took', taken: [taken] } as Event, (w) => ({
    ...w,
    expected: { ...w.expected, [partition]: next },
    waiting: { ...w.waiting, [partition]: next },
    loaded: bytes > 0 ? [...new Set([...w.loaded, partition])].sort() : w.loaded
  }))
}

function* replies(at: Step): Generator<Step> {
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
    if (failures.length > 0 && at.state.context.delivery === 'exactly-once') {
      yield say(refusal, (w) => ({ ...w, alive: 'no' }))
    } else if (failures.length > 0) {
      const { [world.sending[0] ?? '']: _, ...arrived } = world.flying
      const report = { type: 'writer.acknowledged', but: failures }
      const told = step(at, report, (w) => ({ ...w, acked: { ...w.acked, ...arrived }, flying: {} }))
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

function explore(topics: readonly string[], limit: number, delivery: Delivery) {
  const [state] = initialTransition(shardMachine, { shard: 3, ...settings, delivery })
  const first: Step = { state, world: blank }
  const seen = new Map([[key(first), first]])
  let edges = 0
  for (const at of seen.values()) {
    if (at.state.status !== 'active') continue
    for (const next of moves(at, { topics })) {
      edges++
      const id = key(next)
      if (!seen.has(id) && seen.size < limit) seen.set(id, next)
    }
  }
  return { seen, edges }
}

test.each(deliveries)(
  'every reachable state of a shard with one partition keeps the invariants, %s',
  (delivery) => {
    const { seen, edges } = explore(['a'], 100_000, delivery)
    console.log(`${seen.size} states, ${edges} edges`)
    expect(seen.size).toBeLessThan(100_000)
    expect([...seen.values()].some(({ world }) => world.durable['a-0'] === LAST_OFFSET)).toBe(true)
  }
)

test.each(deliveries)('random walks of a shard with two partitions keep the invariants, %s', (delivery) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed}`)
  const random = lehmer(seed)
  for (let walk = 0; walk < 60; walk++) {
    const [state] = initialTransition(shardMachine, { shard: 3, ...settings, delivery })
    let at: Step = { state, world: blank }
    for (let steps = 0; steps < 60 && at.state.status === 'active'; steps++) {
      const next = [...moves(at, { topics: ['a', 'b'] })]
      at = next[Math.floor(random() * next.length)] ?? at
    }
  }
})

function lehmer(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

const ready = (...topics: string[]): Step => readyWith({}, ...topics)

const readyWith = (more: Partial<ShardSettings>, ...topics: string[]): Step => {
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

test('a batch that cannot pass holds its partition alone, and what came before it is committed', () => {
  let at = took(ready('a', 'b'), 'a', 1, 150)
  at = took(at, 'b', 1, 0, 'held')
  expect(at.state.context.ledger['b-0']).toMatchObject({ standing: 'held', reason: 'decode:offset-gaps' })
  expect(at.state.context.ledger['a-0']?.standing).toBe('copying')
  expect(at.world.outstanding).toBe('add')
})

test('a partition that the target fails is quarantined while the shard goes on without it', () => {
  const at = took(ready('a', 'b'), 'a', 1, 150)
  const refused = [...replies(at)].at(-1)
  if (refused === undefined) throw new Error('no refusal')
  expect(refused.state.matches('backoff')).toBe(true)
  expect(refused.state.context.ledger['a-0']?.standing).toBe('quarantined')
  expect(refused.world.retries).toEqual(['a-0'])
  let back = step(refused, { type: 'xstate.after.backoff.shard.backoff' })
  for (let round = 0; round < 2; round++) back = [...replies(back)].at(-1) ?? back
  expect(back.world.fetched).toEqual(['b-0'])
  const retried = step(back, { type: 'partition.retry', key: 'a-0' } as Event)
  expect(retried.world.fetched).toEqual(['a-0', 'b-0'])
})

test('a position below the start of the source log, or of another topic, stops its partition', () => {
  const [state] = initialTransition(shardMachine, { shard: 3, ...settings })
  const partitions = [spec('a', { logStart: 7 }), spec('b', { sourceId: 'another' }), spec('c')]
  const position = (topic: string) => ({
    next: 3,
    leaderEpoch: 0,
    sourceId: `s-${topic}`,
    targetId: `t-${topic}`
  })
  let [next] = transition(shardMachine, state, { type: 'partitions.changed', partitions })
  ;[next] = transition(shardMachine, next, { type: 'writer.fenced' })
  const positions = { 'a-0': position('a'), 'b-0': position('b'), 'c-0': position('c') }
  ;[next] = transition(shardMachine, next, { type: 'writer.restored', positions })
  expect(next.context.ledger['a-0']).toMatchObject({
    standing: 'data-loss',
    reason: 'offsets 3 to 6 left the source before they were copied'
  })
  expect(next.context.ledger['b-0']?.standing).toBe('topic-reset')
  expect(next.context.ledger['c-0']?.standing).toBe('copying')
})

const allowing = (policies: Partial<Policies>) => ({
  rules: { ...plainRules, policies: { ...failing, ...policies } }
})

/** A shard that copies from position 3 of each topic, as far as the world lets it. */
function restored(partitions: readonly PartitionSpec[]) {
  const [state] = initialTransition(shardMachine, { shard: 3, ...settings })
  const positions = Object.fromEntries(
    partitions.map(({ topic }) => [
      `${topic}-0`,
      { next: 3, leaderEpoch: 0, sourceId: `s-${topic}`, targetId: `t-${topic}` }
    ])
  )
  let [next] = transition(shardMachine, state, { type: 'partitions.changed', partitions })
  ;[next] = transition(shardMachine, next, { type: 'writer.fenced' })
  return transition(shardMachine, next, { type: 'writer.restored', positions })
}

test('rules let a partition go on behind what is lost, or from the start of a new topic, and the jump is told', () => {
  const partitions = [
    spec('a', { logStart: 7, ...allowing({ dataLoss: 'skip' }) }),
    spec('b', { sourceId: 'another', logStart: 1, ...allowing({ topicReset: 'restart' }) }),
    spec('c', { logStart: 7, ...allowing({ topicReset: 'restart' }) }),
    spec('d', { logStart: 7, hold: 'no place', ...allowing({ dataLoss: 'skip' }) })
  ]
  const [next, actions] = restored(partitions)
  const standings = Object.values(next.context.ledger).map(({ standing }) => standing)
  expect(standings).toEqual(['copying', 'copying', 'data-loss', 'held'])
  const expectations = actions.flatMap(({ params }) => {
    const { event } = (params ?? {}) as { event?: WriterCommand }
    return event?.type === 'expect' ? event.partitions : []
  })
  expect(expectations).toMatchObject([
    { topic: 'a', offset: 7, jump: { from: 3, to: 7 } },
    { topic: 'b', offset: 1, jump: { from: 3, to: 1 } }
  ])
})

test('a batch that the target calls damaged is looked for where the rules let it be left out', () => {
  const damage = new Fault('source-corrupt', 'damaged')
  const refused = (policies: Partial<Policies>, times: number) => {
    let ledger = halt(
      begin(
        reconcile({}, [spec('a', allowing(policies))], {}, () => false),
        {}
      ),
      []
    )
    for (let n = 0; n < times; n++) {
      const stops = targetStops([{ topic: 'a', partition: 0, fault: damage }])
      ledger = begin(retry(halt(ledger, stops), 'a-0'), {})
    }
    return ledger['a-0']
  }
  expect(refused({}, 1)).toMatchObject({ standing: 'source-corrupt' })
  expect(refused({ sourceCorrupt: 'skip' }, 1)).toMatchObject({ standing: 'copying', isCareful: true })
  expect(refused({ sourceCorrupt: 'skip' }, 2), 'care has not helped').toMatchObject({
    standing: 'source-corrupt'
  })
})

test('what was copied of a topic is committed under its own id, although another has taken its place', () => {
  const { state } = ready('a')
  const took: Taken = {
    ...{ topic: 'a', partition: 0, from: 0, next: 5, leaderEpoch: 0, end: 5, records: 5, bytes: 50 }
  }
  let [next] = transition(shardMachine, state, { type: 'writer.took', taken: [took] })
  const partitions = [spec('a', { sourceId: 'another' })]
  ;[next] = transition(shardMachine, next, { type: 'partitions.changed', partitions })
  expect(next.context.ledger['a-0']).toMatchObject({ standing: 'topic-reset', spec: { sourceId: 's-a' } })
})

test('a topic that was created anew is copied from its start when all of the former one is committed', () => {
  const [state] = restored([spec('a', allowing({ topicReset: 'restart' }))])
  const anew = { ...allowing({ topicReset: 'restart' }), sourceId: 'another' }
  const look = (now: typeof state) =>
    transition(shardMachine, now, { type: 'partitions.changed', partitions: [spec('a', anew)] })[0]
  const reset = look(state)
  expect(reset.context.ledger['a-0']?.standing).toBe('topic-reset')
  const again = look(reset)
  expect(again.context.ledger['a-0']).toMatchObject({ standing: 'copying', jump: { from: 3, to: 0 } })
})

test('an error that no retry can help escalates with its code', () => {
  const { state } = ready('a')
  const error = new Fault('claim-mismatch', 'another mirror')
  const [next] = transition(shardMachine, state, {
    type: 'xstate.error.actor.writer',
    error,
    actorId: 'writer'
  } as never)
  expect(next.status).toBe('error')
  expect(next.error).toBe(error)
})

test('drain produces and commits what was taken, then ends', () => {
  let at = step(took(ready('a'), 'a', 1, 150), { type: 'drain' })
  for (let round = 0; at.state.status === 'active' && round < 10; round++) {
    const next =
      [...replies(at)].find(({ state }) => !state.matches('backoff') && !state.matches('drained')) ??
      [...replies(at)][0]
    if (next === undefined) break
    at = next
  }
  expect(at.state.status).toBe('done')
  expect(at.world.durable).toEqual({ 'a-0': 1 })
})

/** The last of the replies that may come. */
const answered = (at: Step): Step => [...replies(at)].at(-1) ?? at
const first = (at: Step): Step => [...replies(at)][0] ?? at

test('at least once, an error takes nothing back that was acknowledged, and copying goes on behind it', () => {
  let at = readyWith({ delivery: 'at-least-once' }, 'a', 'b')
  at = took(took(at, 'a', 1, 50), 'b', 1, 50)
  for (let round = 0; round < 3; round++) at = first(at)
  expect(at.world.acked).toEqual({ 'a-0': 1, 'b-0': 1 })
  at = first(took(took(took(at, 'a', 2, 50), 'b', 2, 50), 'a', 3, 50))
  expect(at.world.sending).toEqual(['a-0', 'b-0'])
  const refused = answered(at)
  expect(refused.state.matches('backoff')).toBe(true)
  expect(refused.state.context.ledger['a-0']?.standing, 'the one that failed').toBe('quarantined')
  let back = step(refused, { type: 'xstate.after.backoff.shard.backoff' })
  for (let round = 0; round < 2; round++) back = answered(back)
  expect(back.world.expected, 'b goes on behind what arrived').toEqual({ 'b-0': 2 })
  back = step(back, { type: 'xstate.after.commitInterval.shard.live.copying.clock.ticking' })
  back = first(back)
  expect(back.world.committing, 'what was acknowledged becomes durable').toEqual({ 'a-0': 2, 'b-0': 2 })
  const retried = step(first(back), { type: 'partition.retry', key: 'a-0' } as Event)
  expect(retried.world.expected['a-0'], 'resent from the end of what was acknowledged').toBe(2)
})

test('slow commits stretch the interval up to its limit, and the bytes of a transaction with it', () => {
  const commit = (at: Step, tookMs: number, next: number) => {
    let open = first(first(took(at, 'a', next, 50)))
    open = step(open, { type: 'xstate.after.commitInterval.shard.live.copying.clock.ticking' })
    expect(open.world.outstanding).toBe('commit')
    return step(open, { type: 'writer.committed', tookMs } as Event, (w) => ({
      ...w,
      ...{ outstanding: '', committing: {}, inTransaction: [], acked: {} },
      durable: { ...w.durable, ...w.committing }
    }))
  }
  const delayOf = (at: Step): unknown => {
    const taken = {
      topic: 'a',
      partition: 0,
      from: 8,
      next: 9,
      leaderEpoch: 0,
      end: 10,
      records: 1,
      bytes: 50
    }
    const [, actions] = transition(shardMachine, at.state, { type: 'writer.took', taken: [taken] } as never)
    const clock = actions.find(({ params }) => JSON.stringify(params).includes('commitInterval'))
    return (clock?.params as { readonly delay?: unknown } | undefined)?.delay
  }
  let at = ready('a')
  expect(delayOf(at)).toBe(500)
  at = commit(at, 100, 1)
  expect(delayOf(at), 'quick enough').toBe(500)
  at = commit(at, 950, 2)
  expect(delayOf(at), 'four times the mean of 50 and 950').toBe(2_000)
  at = commit(at, 60_000, 3)
  expect(delayOf(at)).toBe(5_000)
})
