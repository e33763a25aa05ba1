import { expect, test } from 'vitest'
import {
  createActor,
  type EventObject,
  fromPromise,
  initialTransition,
  SimulatedClock,
  type SnapshotFrom,
  transition,
  waitFor
} from 'xstate'
import type { FoundChain } from '../../src/actors/store/discover.ts'
import { fromTask } from '../../src/actors/task.ts'
import { Fault } from '../../src/errors.ts'
import {
  type LoaderContext,
  type LoaderEvent,
  loaderMachine,
  type SessionCommand,
  type SessionReport
} from '../../src/machines/loader.ts'
import {
  type Chains,
  discovered,
  type Finding,
  positioned,
  surveyed,
  toSurvey
} from '../../src/machines/loader-chains.ts'
import { doneOf, failedOf, walk } from '../support/walk.ts'

const input = { pollIntervalMs: 1_000, batchEntries: 2, surveysPerDiscovery: 5 }
const away = new Fault('unreachable', 'the warehouse is away', { retryable: true })
const denied = new Fault('warehouse-denied', 'password refused')
const missing = new Fault('file-missing', 'a file is gone')
const corrupt = new Fault('file-corrupt', 'a file is another')
const totals = { rowsLoaded: 5, filesLoaded: 1, bytesLoaded: 100, nulReplaced: 0, invalidUtf8Replaced: 0 }

const found = (generation: number): FoundChain => ({
  chain: `s/t/id-g${generation}/0`,
  id: { sink: 's', topic: 't', topicId: 'id', generation, partition: 0 },
  start: 0
})

const entry = (from: number) => ({
  from,
  to: from + 10,
  files: [{ path: `f${from}`, bytes: 100, records: 5, sha256: '' }]
})

/** What a log may say about a chain at a position; the log of the walk ends at 20. */
function findingsFor(chain: string, position: number): Finding[] {
  const base = { chain, position, end: 20 }
  const nothing = { ...base, entries: [] }
  return [
    ...(position < 20 ? [{ ...base, entries: [entry(position)], next: { type: 'more' } as const }] : []),
    ...(position === 0 ? [{ ...base, entries: [entry(0), entry(10)], next: { type: 'end' } as const }] : []),
    { ...nothing, next: { type: 'end' } },
    { ...nothing, next: { type: 'unpublished', path: 'f' } },
    { ...nothing, next: { type: 'closed', generation: 2 } },
    { ...nothing, next: { type: 'lost', from: position, to: position + 10 } },
    { ...nothing, next: { type: 'unreadable', reason: 'no JSON' } }
  ]
}

type Snapshot = SnapshotFrom<typeof loaderMachine>
type Step = EventObject & Readonly<Record<string, unknown>>

const patience = { timeout: 20_000 }

/** Every event that can reach the machine in a state: answers to what it asked, and faults of what it runs. */
function eventsIn(snapshot: Snapshot): Step[] {
  const { chains, queue } = snapshot.context
  const events: Step[] = [{ type: 'drain' }]
  if (snapshot.matches('doubting')) return [...events, { type: 'xstate.after.backoff.loader.doubting' }]
  if (!snapshot.matches('working')) return events
  events.push(failedOf('session', away), failedOf('session', denied), {
    type: 'flow.changed',
    flow: 'throttled'
  })
  if (snapshot.matches({ working: 'connecting' })) events.push({ type: 'session.ready' })
  if (snapshot.matches({ working: 'discovering' })) {
    events.push(
      doneOf('discover', []),
      doneOf('discover', [found(1)]),
      doneOf('discover', [found(2), found(1)])
    )
    events.push(failedOf('discover', away), failedOf('discover', denied))
  }
  if (snapshot.matches({ working: 'positioning' })) {
    for (const position of [0, 10]) {
      const positions = new Map(chains.map(({ chain }) => [chain, position]))
      events.push({ type: 'positions.read', positions })
    }
  }
  if (snapshot.matches({ working: 'surveying' })) {
    const surveyable = toSurvey(chains, snapshot.context.surveys === 0)
    const choices = surveyable.map(({ chain, position }) => findingsFor(chain, position ?? 0))
    const longest = Math.max(1, ...choices.map(({ length }) => length))
    for (let choice = 0; choice < longest; choice++) {
      for (let other = 0; other < (choices.length > 1 ? longest : 1); other++) {
        const findings = choices.map((list, index) => list[(choice + index * other) % list.length])
        events.push(doneOf('survey', findings))
      }
    }
    events.push(failedOf('survey', away), failedOf('survey', denied))
  }
  if (snapshot.matches({ working: 'loading' }) || snapshot.matches({ working: 'finishing' })) {
    const head = queue[0]
    events.push({ type: 'batch.loaded', totals }, { type: 'batch.busy' })
    events.push({ type: 'batch.moved', position: head?.to ?? 0 }, { type: 'batch.moved', position: 0 })
    events.push({ type: 'batch.refused', fault: missing }, { type: 'batch.refused', fault: corrupt })
  }
  if (snapshot.matches({ working: 'idle' })) events.push({ type: 'xstate.after.poll.loader.working.idle' })
  return events
}

/** What decides about the future; reasons, faults, ends and counters are only shown. The walk has no other limit. */
function keyOf({ value, status, context }: Snapshot): string {
  const { queue, outlook, surveys } = context
  const chains = context.chains.map(({ chain, position, pace, status: { type } }) => [
    chain,
    position,
    pace,
    type
  ])
  const batches = queue.map(({ chain, from, to, rest }) => [chain, from, to, rest])
  return JSON.stringify([value, status, chains, batches, outlook, Math.min(surveys, 2)])
}

const positionsOf = ({ chains }: LoaderContext) =>
  new Map(chains.map(({ chain, position }) => [chain, position]))

/** What must hold between two states, whatever the event was. */
function checkStep(before: Snapshot, event: Step, after: Snapshot): void {
  const head = before.context.queue[0]
  const [was, is] = [positionsOf(before.context), positionsOf(after.context)]
  for (const [chain, position] of is) {
    if (position === was.get(chain)) continue
    // Only the warehouse's word moves a position.
    if (event.type === 'positions.read') continue
    expect(['batch.loaded', 'batch.moved']).toContain(event.type)
    expect(chain).toBe(head?.chain)
    if (event.type === 'batch.loaded') expect([was.get(chain), position]).toEqual([head?.from, head?.to])
  }
  for (const { chain, from, to, entries } of after.context.queue) {
    // What is to be loaded begins at the position, has no gap, and nothing of a generation before the last is loaded.
    expect(from).toBe(is.get(chain))
    expect([entries[0]?.from, entries.at(-1)?.to]).toEqual([from, to])
    for (const [index, each] of entries.entries())
      if (index > 0) expect(each.from).toBe(entries[index - 1]?.to)
    const generation = after.context.chains.find((each) => each.chain === chain)?.id.generation ?? 0
    const earlier = after.context.chains.filter(({ id }) => id.generation < generation)
    expect(earlier.every(({ status }) => status.type === 'closed')).toBe(true)
  }
  if (after.matches('doubting')) expect(after.context.queue).toEqual([])
  if (
    event.type === 'drain' &&
    !before.matches({ working: 'loading' }) &&
    !before.matches({ working: 'finishing' })
  ) {
    expect(after.status).toBe('done')
  }
  if (before.matches({ working: 'finishing' }) && event.type !== 'drain' && event.type !== 'flow.changed') {
    expect(after.status).toBe('done')
  }
  const isFatal = 'error' in event && event.error === denied && !before.matches({ working: 'finishing' })
  expect(after.status === 'error').toBe(isFatal)
  if (isFatal) expect(after.error).toBe(denied)
}

test('every reachable state keeps the invariants', () => {
  const values = new Set<string>()
  const { states, edges } = walk({
    machine: loaderMachine,
    input: { ...input, surveysPerDiscovery: 2 },
    key: keyOf,
    events: eventsIn,
    check: (after, before, event) => {
      values.add(JSON.stringify(after.value))
      if (before !== undefined && event !== undefined) checkStep(before, event, after)
    }
  })
  expect([...values].sort()).toMatchInlineSnapshot(`
    [
      ""doubting"",
      ""drained"",
      "{"working":"connecting"}",
      "{"working":"discovering"}",
      "{"working":"finishing"}",
      "{"working":"idle"}",
      "{"working":"loading"}",
      "{"working":"positioning"}",
      "{"working":"surveying"}",
    ]
  `)
  expect(edges).toBeGreaterThan(states.size)
})

test('a refused batch is taken apart until one entry is left to blame', () => {
  let [state] = initialTransition(loaderMachine, input)
  const play = (event: Step) => {
    ;[state] = transition(loaderMachine, state, event as LoaderEvent)
  }
  play({ type: 'session.ready' })
  play(doneOf('discover', [found(1)]))
  play({ type: 'positions.read', positions: new Map([[found(1).chain, 0]]) } as LoaderEvent)
  const finding = { chain: found(1).chain, position: 0, end: 20, next: { type: 'end' } }
  play(doneOf('survey', [{ ...finding, entries: [entry(0), entry(10)] }]))
  play({ type: 'batch.refused', fault: missing } as LoaderEvent)
  expect(state.value).toEqual({ working: 'surveying' })
  expect(state.context.chains[0]).toMatchObject({
    position: 0,
    pace: 'single',
    status: { type: 'following' }
  })
  play(doneOf('survey', [{ ...finding, entries: [entry(0)], next: { type: 'more' } }]))
  play({ type: 'batch.loaded', totals } as LoaderEvent)
  expect(state.value).toEqual({ working: 'surveying' })
  play(doneOf('survey', [{ ...finding, position: 10, entries: [entry(10)] }]))
  play({ type: 'batch.refused', fault: missing } as LoaderEvent)
  expect(state.value).toEqual({ working: 'idle' })
  expect(state.context.chains[0]).toMatchObject({
    position: 10,
    status: { type: 'data-loss', from: 10, to: 20 }
  })
})

test('what is lost or held is looked at again at a discovery, and only there', () => {
  const at = (chains: Chains) => positioned(chains, new Map([[found(1).chain, 5]]))
  const chains = at(discovered([], [found(1)]))
  const lost = surveyed(chains, [
    { chain: found(1).chain, position: 5, entries: [], end: 9, next: { type: 'lost', from: 5, to: 9 } }
  ])
  expect(lost[0]).toMatchObject({ position: 5, end: 9, status: { type: 'data-loss', from: 5, to: 9 } })
  expect(toSurvey(lost, false)).toEqual([])
  expect(toSurvey(lost, true)).toEqual(lost)
  expect(at(lost)[0]?.status.type).toBe('data-loss')
  expect(positioned(lost, new Map([[found(1).chain, 9]]))[0]?.status.type).toBe('following')
})

interface Bench {
  readonly commands: SessionCommand[]
  readonly answer: (report: SessionReport) => void
  readonly fail: (fault: Fault) => void
}

/** The machine with a session that a test answers for, and a log of one chain with one entry at every position. */
function bench() {
  const clock = new SimulatedClock()
  const sessions: Bench[] = []
  let aborted = 0
  const session = fromTask<void, undefined, SessionCommand, SessionReport>(
    ({ report, receive, signal }) =>
      new Promise((_, reject) => {
        const commands: SessionCommand[] = []
        sessions.push({ commands, answer: report, fail: reject })
        signal.addEventListener('abort', () => {
          aborted++
          reject(signal.reason)
        })
        receive((command) => commands.push(command))
        report({ type: 'session.ready' })
      })
  )
  const machine = loaderMachine.provide({
    actors: {
      session,
      discover: fromPromise<readonly FoundChain[]>(async () => [found(1)]),
      survey: fromPromise(async ({ input: chains }) =>
        chains.map(({ chain, position }): Finding => {
          return { chain, position, entries: [entry(position)], end: position + 10, next: { type: 'end' } }
        })
      )
    }
  })
  const actor = createActor(machine, { input, clock })
  actor.subscribe({ error: () => {} })
  actor.start()
  const none: Bench = { commands: [], answer: () => {}, fail: () => {} }
  const current = () => sessions.at(-1) ?? none
  /** Waits until the newest session, the n-th, was told this last. */
  const commanded = async (type: SessionCommand['type'], nth = 1) => {
    await expect.poll(() => [sessions.length, current().commands.at(-1)?.type], patience).toEqual([nth, type])
    return current().commands.at(-1)
  }
  return { actor, clock, sessions, current, commanded, aborted: () => aborted }
}

test('after a lost answer the position is read in a new session before anything is loaded', async () => {
  const { actor, clock, current, commanded, sessions } = bench()
  await commanded('read.positions')
  current().answer({ type: 'positions.read', positions: new Map([[found(1).chain, 0]]) })
  expect(await commanded('load')).toMatchObject({ batch: { from: 0, to: 10 } })
  current().fail(away) // The transaction was committed, and its answer lost.
  await waitFor(actor, (snapshot) => snapshot.matches('doubting'))
  clock.increment(249)
  expect(actor.getSnapshot().value).toBe('doubting')
  clock.increment(1)
  await commanded('read.positions', 2)
  current().answer({ type: 'positions.read', positions: new Map([[found(1).chain, 10]]) })
  expect(await commanded('load', 2)).toMatchObject({ batch: { from: 10, to: 20 } })
  expect(sessions).toHaveLength(2)
  actor.stop()
})

test('a drain lets the running transaction end, and takes no other', async () => {
  const { actor, current, commanded, aborted } = bench()
  await commanded('read.positions')
  current().answer({ type: 'positions.read', positions: new Map([[found(1).chain, 0]]) })
  await commanded('load')
  actor.send({ type: 'drain' })
  actor.send({ type: 'drain' })
  expect(actor.getSnapshot()).toMatchObject({ status: 'active', value: { working: 'finishing' } })
  current().answer({ type: 'batch.loaded', totals })
  expect(actor.getSnapshot()).toMatchObject({ status: 'done', value: 'drained' })
  expect(actor.getSnapshot().context).toMatchObject({ counters: { rowsLoaded: 5, transactionsCommitted: 1 } })
  await expect.poll(aborted, patience).toBe(1)
})

test('faults back off exponentially to 30 s and never give up; a round that ends well forgets them', async () => {
  const { actor, clock, current, commanded, sessions } = bench()
  for (const [index, delay] of [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
    await expect.poll(() => sessions.length, patience).toBe(index + 1)
    current().fail(away)
    await waitFor(actor, (snapshot) => snapshot.matches('doubting'))
    clock.increment(delay - 1)
    expect(actor.getSnapshot().value).toBe('doubting')
    clock.increment(1)
    expect(actor.getSnapshot().value).not.toBe('doubting')
  }
  await commanded('read.positions', 10)
  current().answer({ type: 'positions.read', positions: new Map([[found(1).chain, 0]]) })
  await commanded('load', 10)
  current().answer({ type: 'batch.busy' })
  expect(actor.getSnapshot()).toMatchObject({
    value: { working: 'idle' },
    context: { failures: 0, fault: undefined }
  })
  actor.stop()
})

test('a fault that cannot be retried escalates as it is, and stops the rest', async () => {
  const { actor, current, commanded, aborted } = bench()
  await commanded('read.positions')
  current().fail(denied)
  await expect.poll(() => actor.getSnapshot().status, patience).toBe('error')
  expect(actor.getSnapshot().error).toBe(denied)
  expect(aborted()).toBe(0)
})
