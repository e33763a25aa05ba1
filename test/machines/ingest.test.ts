import { expect, test } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import { type IngestCommand, ingestMachine } from '../../src/machines/ingest.ts'

type State = SnapshotFrom<typeof ingestMachine>
type Event = { readonly type: string }

/** What writer and target know, kept beside the machine while it is walked. Lines are counted. */
interface World {
  readonly alive: 'no' | 'fencing' | 'restoring' | 'ready'
  /** Lines given to the writer that it has not answered for, that it holds, that are in the transaction. */
  readonly given: number
  readonly held: number
  readonly inBatch: number
  readonly read: number
  readonly durable: number
  readonly outstanding: string
  /** The steps of the transaction so far. */
  readonly steps: readonly string[]
}
interface Step {
  readonly state: State
  readonly world: World
}

const LINES = 3
const doubt = new Fault('link-closed', 'link closed', { retryable: true })
const blank: World = {
  alive: 'no',
  given: 0,
  held: 0,
  inBatch: 0,
  read: 0,
  durable: 0,
  outstanding: '',
  steps: []
}
const input = { commitIntervalMs: 500, batchBytes: 2, flow: { limitBytes: 100 } }
const held = (lines: number) => ({ lines, bytes: lines })

function step({ state, world }: Step, event: Event, change: (world: World) => World = (w) => w): Step {
  const where = `${JSON.stringify(state.value)} + ${event.type}`
  const [next, actions] = transition(ingestMachine, state, event as never)
  expect(next.status, where).not.toBe('error')
  const before = change(world)
  let after = before
  const writerStarts = actions.some(
    ({ type, params }) =>
      type === 'xstate.spawnChild' && (params as unknown as { id: string }).id === 'writer'
  )
  const lost = { given: 0, held: 0, inBatch: 0, outstanding: '', steps: [] }
  if (next.children.writer === undefined) after = { ...after, ...lost, alive: 'no' }
  else if (writerStarts) after = { ...after, ...lost, alive: 'fencing' }
  for (const { type, params } of actions) {
    const spawned = params as unknown as { id: string; input?: { cursor?: { line: number } } }
    if (type === 'xstate.spawnChild' && spawned.id === 'feed') {
      expect(spawned.input?.cursor?.line ?? 0, `${where}: the feed starts at the durable cursor`).toBe(
        after.durable
      )
      after = { ...after, read: after.durable }
    }
    if (type === 'xstate.sendTo') {
      const command = (params as unknown as { event: IngestCommand }).event
      expect(after.alive, `${where}: ${command.type} needs a restored writer`).toBe('ready')
      after = obey(after, command)
    }
  }
  if (next.status === 'done') {
    expect(after.outstanding, where).toBe('')
    if (before.alive === 'ready') expect(before.held, `${where}: a drain commits what was taken`).toBe(0)
  }
  return { state: next, world: after }
}

function obey(world: World, command: IngestCommand): World {
  if (command.type === 'take') return world
  expect(world.outstanding, 'one step of the transaction at a time').toBe('')
  const steps = [...world.steps, command.type]
  expect(['add', 'add,produce', 'add,produce,commit']).toContain(steps.join())
  if (command.type === 'add') expect(world.held, 'never a transaction with nothing in it').toBeGreaterThan(0)
  return { ...world, steps, outstanding: command.type }
}

function* moves(at: Step): Generator<Step> {
  const { state, world } = at
  yield step(at, { type: 'drain' })
  for (const name of [
    'xstate.after.backoff.ingest.running.backoff',
    'xstate.after.backoff.ingest.running.unprepared'
  ]) {
    yield step(at, { type: name })
  }
  yield step(at, { type: 'xstate.after.commitInterval.ingest.running.live.carrying.clock.ticking' })
  for (const id of Object.keys(state.children)) {
    if (!id.endsWith('preparing')) continue
    yield step(at, { type: `xstate.done.actor.${id}`, actorId: id } as Event)
    yield step(at, { type: `xstate.error.actor.${id}`, actorId: id, error: doubt } as Event)
  }
  if (world.alive === 'no') return
  const broken = (id: string) => ({ type: `xstate.error.actor.${id}`, actorId: id, error: doubt })
  yield step(at, broken('writer'), (w) => ({ ...w, alive: 'no' }))
  yield* replies(at)
  if (state.children.feed === undefined) return
  yield step(at, broken('feed'), (w) => ({ ...w, alive: 'no' }))
  if (world.read === LINES) yield step(at, { type: 'feed.ended' })
  else {
    yield step(at, { type: 'feed.chunk', chunk: {} } as Event, (w) => ({
      ...w,
      read: w.read + 1,
      given: w.given + 1
    }))
  }
}

function* replies(at: Step): Generator<Step> {
  const { world } = at
  if (world.given > 0) {
    yield step(at, { type: 'writer.took', held: held(world.held + 1) } as Event, (w) => ({
      ...w,
      given: w.given - 1,
      held: w.held + 1
    }))
  }
  if (world.alive === 'fencing') {
    yield step(at, { type: 'writer.waiting', on: 'markersPending', reason: 'x' } as Event)
    yield step(at, { type: 'writer.fenced' }, (w) => ({ ...w, alive: 'restoring' }))
  }
  if (world.alive === 'restoring') {
    const cursor = world.durable === 0 ? undefined : { line: world.durable }
    yield step(at, { type: 'writer.waiting', on: 'hangingTransaction', reason: 'x' } as Event)
    yield step(at, { type: 'writer.restored', cursor } as Event, (w) => ({ ...w, alive: 'ready' }))
  }
  if (world.outstanding === 'add') {
    yield step(at, { type: 'writer.added', held: held(0) } as Event, (w) => ({
      ...w,
      inBatch: w.held,
      held: 0,
      outstanding: ''
    }))
  }
  if (world.outstanding === 'produce') {
    yield step(at, { type: 'writer.produced' }, (w) => ({ ...w, outstanding: '' }))
  }
  if (world.outstanding === 'commit') {
    const durable = world.durable + world.inBatch
    const cursor = { line: durable }
    yield step(at, { type: 'writer.committed', cursor } as Event, (w) => ({
      ...w,
      durable,
      inBatch: 0,
      outstanding: '',
      steps: []
    }))
    const broken = { type: 'xstate.error.actor.writer', actorId: 'writer', error: doubt }
    yield step(at, broken, (w) => ({ ...w, durable, alive: 'no' }))
  }
}

test('every reachable state of an ingest keeps the invariants', () => {
  const key = ({ state, world }: Step) => {
    const { held: h, cursor, doubts } = state.context
    return JSON.stringify([state.value, state.status, h, cursor, Math.min(doubts, 1), world])
  }
  const [state] = initialTransition(ingestMachine, input)
  const first: Step = { state, world: blank }
  const seen = new Map([[key(first), first]])
  let edges = 0
  for (const at of seen.values()) {
    if (at.state.status !== 'active') continue
    for (const next of moves(at)) {
      edges++
      if (!seen.has(key(next))) seen.set(key(next), next)
      expect(seen.size).toBeLessThan(20_000)
    }
  }
  console.log(`${seen.size} states, ${edges} edges`)
  const finished = [...seen.values()].filter(({ state }) =>
    state.matches({ running: { live: { carrying: { pipeline: 'finished' } } } })
  )
  expect(finished.length).toBeGreaterThan(0)
  for (const { world } of finished)
    expect(world.durable + world.given, 'finished means that everything is committed').toBe(LINES)
})

test('a source that cannot go on escalates with its code', () => {
  let [state] = initialTransition(ingestMachine, input)
  const prepare = Object.keys(state.children).find((id) => id.endsWith('preparing')) ?? ''
  const error = new Fault('x-unauthorized', 'the token was refused')
  for (const event of [
    { type: `xstate.done.actor.${prepare}`, actorId: prepare },
    { type: 'writer.fenced' },
    { type: 'writer.restored', cursor: undefined },
    { type: 'xstate.error.actor.feed', actorId: 'feed', error }
  ]) {
    ;[state] = transition(ingestMachine, state, event as never)
  }
  expect(state.status).toBe('error')
  expect(state.error).toBe(error)
})
