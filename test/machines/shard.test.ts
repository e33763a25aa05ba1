import { expect, test } from 'vitest'
import { initialTransition, transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import { NO_END, type Refused } from '../../src/machines/refused.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { Expectation, Taken, WriterCommand } from '../../src/machines/shard-protocol.ts'
import type { Delivery } from '../../src/machines/shard-setup.ts'
import { seededRandom } from '../support/random.ts'
import {
  blank,
  deliveries,
  type Event,
  key,
  LAST_OFFSET,
  moves,
  ready,
  readyWith,
  replies,
  type Step,
  settings,
  spec,
  step,
  took
} from './shard-world.ts'

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

/** A walk through all states takes seconds, and on a machine that is busy many of them. */
const PATIENCE_MS = 240_000

test.each(deliveries)(
  'every reachable state of a shard with one partition keeps the invariants, %s',
  { timeout: PATIENCE_MS },
  (delivery) => {
    const { seen, edges } = explore(['a'], 100_000, delivery)
    console.log(`${seen.size} states, ${edges} edges`)
    expect(seen.size).toBeLessThan(100_000)
    expect([...seen.values()].some(({ world }) => world.durable['a-0'] === LAST_OFFSET)).toBe(true)
  }
)

test.each(deliveries)('random walks of a shard with two partitions keep the invariants, %s', (delivery) => {
  const random = seededRandom()
  for (let walk = 0; walk < 60; walk++) {
    const [state] = initialTransition(shardMachine, { shard: 3, ...settings, delivery })
    let at: Step = { state, world: blank }
    for (let steps = 0; steps < 60 && at.state.status === 'active'; steps++) {
      const next = [...moves(at, { topics: ['a', 'b'] })]
      at = next[Math.floor(random() * next.length)] ?? at
    }
  }
})

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

test('a quarantined partition stays away until the others have come back, however short its quarantine', () => {
  const limits = { quarantineMinMs: 10, quarantineMaxMs: 10 }
  let at = readyWith(limits, 'a', 'b')
  const failures = [{ topic: 'a', partition: 0, fault: new Fault('kafka-broken', 'no', { retryable: true }) }]
  const waits: number[][] = []
  for (let round = 0; round < 9; round++) {
    at = first(took(at, 'a', 1, 150))
    const refused = { type: 'writer.refused', failures } as unknown as Event
    const [, actions] = transition(shardMachine, at.state, refused as never)
    const delays = actions.flatMap(({ params }) => {
      const { event, delay } = (params ?? {}) as {
        readonly event?: { type: string }
        readonly delay?: number
      }
      return event !== undefined && delay !== undefined ? [{ type: event.type, delay }] : []
    })
    const of = (type: string) => delays.find((each) => each.type.startsWith(type))?.delay ?? Number.NaN
    waits.push([of('partition.retry'), of('xstate.after.backoff')])
    at = recovered(step(at, refused, (w) => ({ ...w, alive: 'no' })))
    at = step(at, { type: 'partition.retry', key: 'a-0' } as Event)
  }
  for (const [retry = 0, backoff = 0] of waits) expect(retry).toBe(2 * backoff)
  expect(waits.at(-1), 'as long as it gets').toEqual([10_000, 5_000])
})

/** The last of the replies that may come. */
const answered = (at: Step): Step => [...replies(at)].at(-1) ?? at
const first = (at: Step): Step => [...replies(at)][0] ?? at

/** The target's answer to what is on its way: it refuses a batch of `a`. */
const refusing = (at: Step, refused: Refused): Step => {
  const fault = new Fault('kafka-invalid-record', 'invalid record (87)')
  const failures = [{ topic: 'a', partition: 0, fault, refused }]
  return step(at, { type: 'writer.refused', failures } as Event, (w) => ({ ...w, alive: 'no' }))
}

/** Behind the backoff, fenced and restored. */
function recovered(at: Step): Step {
  let back = step(at, { type: 'xstate.after.backoff.shard.backoff' })
  for (let round = 0; round < 2; round++) back = [...replies(back)].at(-1) ?? back
  return back
}

const toldOf = (before: Step, event: Event): Expectation[] => {
  const [, actions] = transition(shardMachine, before.state, event as never)
  return actions.flatMap(({ params }) => {
    const { event: sent } = (params ?? {}) as { event?: WriterCommand }
    return sent?.type === 'expect' ? [...sent.partitions] : []
  })
}

test('a refused batch is cut smaller in each try, at once and without blame, until it is past', () => {
  let at = took(ready('a', 'b'), 'a', 1, 150)
  at = first(at)
  expect(at.world.outstanding).toBe('produce')
  const suspicion = (recordsMax: number) => ({ records: [], suspicion: { from: 0, until: 1, recordsMax } })
  for (const parts of [7, 1]) {
    const refused = refusing(at, suspicion(parts))
    expect(refused.state.matches('backoff')).toBe(true)
    expect(refused.state.context).toMatchObject({ doubts: 0, fault: { code: 'kafka-invalid-record' } })
    expect(refused.world.retries, 'no quarantine').toEqual([])
    let back = step(refused, { type: 'xstate.after.backoff.shard.backoff' })
    back = [...replies(back)].at(-1) ?? back
    const [told] = toldOf(back, { type: 'writer.restored', positions: {} } as Event)
    expect(told).toMatchObject({ topic: 'a', offset: 0, refused: suspicion(parts) })
    at = first(took([...replies(back)].at(-1) ?? back, 'a', 1, 150))
  }
  expect(at.state.context.ledger['a-0']?.standing).toBe('copying')
  at = first(first(at))
  expect(at.world.durable).toEqual({ 'a-0': 1 })
  expect(at.state.context.ledger['a-0']?.refused).toBeUndefined()
})

test('a record that is known to be refused stops its partition when everything before it is on its way', () => {
  let at = first(took(ready('a', 'b'), 'a', 1, 150))
  const record = { offset: 1, reason: 'the record at offset 1: no key' }
  at = recovered(refusing(at, { records: [record] }))
  expect(at.world.fetched).toEqual(['a-0', 'b-0'])
  const stop = { standing: 'rejected', reason: record.reason } as const
  const place = { topic: 'a', partition: 0 }
  const taken = {
    ...place,
    from: 0,
    next: 1,
    leaderEpoch: 0,
    end: 10,
    records: 1,
    bytes: 50,
    targets: [place]
  }
  at = step(at, { type: 'writer.took', taken: [{ ...taken, stop }] } as Event, (w) => ({
    ...w,
    expected: { ...w.expected, 'a-0': 1 },
    waiting: { 'a-0': 1 },
    loaded: ['a-0']
  }))
  expect(at.state.context.ledger['a-0']).toMatchObject({ standing: 'rejected', reason: record.reason })
  expect(at.world.fetched).toEqual(['b-0'])
  at = first(first(first(at)))
  expect(at.world.durable).toEqual({ 'a-0': 1 })
})

test('what was refused for its size is tried again when the target has another limit', () => {
  const at = first(took(ready('a'), 'a', 1, 150))
  const refused = { records: [], suspicion: { from: 0, until: NO_END, recordsMax: 2 } }
  const known = recovered(refusing(at, refused))
  expect(known.state.context.ledger['a-0']?.refused).toEqual(refused)
  const partitions = [spec('a', { targetMaxBytes: 2_000 })]
  const [next] = transition(shardMachine, known.state, { type: 'partitions.changed', partitions })
  expect(next.context.ledger['a-0']?.refused).toBeUndefined()
  const stop = { standing: 'rejected', reason: 'too large' } as const
  const taken: Taken = {
    ...{
      topic: 'a',
      partition: 0,
      from: 0,
      next: 0,
      leaderEpoch: 0,
      end: 1,
      records: 0,
      bytes: 0,
      targets: []
    },
    stop
  }
  const [stopped] = transition(shardMachine, known.state, { type: 'writer.took', taken: [taken] })
  const look = (targetMaxBytes: number) => {
    const event = { type: 'partitions.changed', partitions: [spec('a', { targetMaxBytes })] } as const
    return transition(shardMachine, stopped, event)[0].context.ledger['a-0']?.standing
  }
  expect([look(1_000), look(2_000)]).toEqual(['rejected', 'copying'])
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
  let at = took(ready('a'), 'a', 1, 150)
  while (at.world.durable['a-0'] === undefined) at = first(at)
  // The clock rests: without the drain, what is taken now would wait.
  at = step(took(at, 'a', 2, 150), { type: 'drain' })
  for (let round = 0; at.state.status === 'active' && round < 10; round++) {
    const next =
      [...replies(at)].find(({ state }) => !state.matches('backoff') && !state.matches('drained')) ??
      [...replies(at)][0]
    if (next === undefined) break
    at = next
  }
  expect(at.state.status).toBe('done')
  expect(at.world.durable).toEqual({ 'a-0': 2 })
})

test('at least once, an error takes nothing back that was acknowledged, and copying goes on behind it', () => {
  let at = readyWith({ delivery: 'at-least-once' }, 'a', 'b')
  at = took(took(at, 'a', 1, 50), 'b', 1, 50)
  while (at.world.durable['b-0'] === undefined) at = first(at)
  at = took(took(at, 'a', 2, 50), 'b', 2, 50)
  while (at.world.acked['b-0'] === undefined) at = first(at)
  expect(at.world.acked, 'the interval is not over').toEqual({ 'a-0': 2, 'b-0': 2 })
  at = first(took(took(took(at, 'a', 3, 50), 'b', 3, 50), 'a', 4, 50))
  expect(at.world.sending).toEqual(['a-0', 'b-0'])
  const refused = answered(at)
  expect(refused.state.matches('backoff')).toBe(true)
  expect(refused.state.context.ledger['a-0']?.standing, 'the one that failed').toBe('quarantined')
  let back = step(refused, { type: 'xstate.after.backoff.shard.backoff' })
  for (let round = 0; round < 2; round++) back = answered(back)
  expect(back.world.expected, 'b goes on behind what arrived').toEqual({ 'b-0': 3 })
  back = first(back)
  expect(back.world.committing, 'what was acknowledged becomes durable').toEqual({ 'a-0': 3, 'b-0': 3 })
  const retried = step(first(back), { type: 'partition.retry', key: 'a-0' } as Event)
  expect(retried.world.expected['a-0'], 'resent from the end of what was acknowledged').toBe(3)
})

/** The reply to a commit that is on its way. */
const committedIn = (at: Step, tookMs: number): Step => {
  expect(at.world.outstanding).toBe('commit')
  return step(at, { type: 'writer.committed', tookMs } as Event, (w) => ({
    ...w,
    ...{ outstanding: '', committing: {}, inTransaction: [], acked: {} },
    durable: { ...w.durable, ...w.committing }
  }))
}

test('what comes after a pause is committed at once, and the next not before the interval is over', () => {
  let at = first(first(took(ready('a'), 'a', 1, 50)))
  at = committedIn(at, 1)
  at = first(first(took(at, 'a', 2, 50)))
  expect(at.world.acked, 'waits').toEqual({ 'a-0': 2 })
  at = step(at, { type: 'xstate.after.commitInterval.shard.live.copying.clock.resting' })
  expect(at.world.committing).toEqual({ 'a-0': 2 })
})

test('slow commits stretch the interval up to its limit, and the bytes of a transaction with it', () => {
  let at = ready('a')
  const delayAfter = (tookMs: number, next: number): unknown => {
    at = first(first(took(at, 'a', next, 50)))
    const event = { type: 'writer.committed', tookMs } as never
    const [, actions] = transition(shardMachine, at.state, event)
    at = step(committedIn(at, tookMs), {
      type: 'xstate.after.commitInterval.shard.live.copying.clock.resting'
    })
    const clock = actions.find(({ params }) => JSON.stringify(params).includes('commitInterval'))
    return (clock?.params as { readonly delay?: unknown } | undefined)?.delay
  }
  expect(delayAfter(100, 1), 'quick enough').toBe(500)
  expect(delayAfter(950, 2), 'four times the mean of 50 and 950').toBe(2_000)
  expect(delayAfter(60_000, 3)).toBe(5_000)
})
