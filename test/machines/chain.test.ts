import { expect, test } from 'vitest'
import { transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import { chainMachine } from '../../src/machines/chain.ts'
import { firstSituation, keyOf, type Move, moves, type Situation } from './chain-world.ts'

const SITUATIONS_MAX = 40_000

/** Plays moves by their names, in order. */
function playThrough(names: readonly (string | RegExp)[]): Situation {
  let situation = firstSituation()
  for (const name of names) {
    const list = moves(situation)
    const fits = (move: Move) => (typeof name === 'string' ? move.name === name : name.test(move.name))
    const move = list.find(fits)
    if (!move) throw new Error(`no move ${name} in ${JSON.stringify(situation.state.value)}`)
    situation = move.play()
  }
  return situation
}

/** A walk through all states takes seconds, and on a machine that is busy many of them. */
const PATIENCE_MS = 240_000

test('every reachable situation keeps the promise of the commit log', { timeout: PATIENCE_MS }, () => {
  const first = firstSituation()
  const seen = new Map([[keyOf(first), first]])
  const states = new Set<string>()
  let edges = 0
  let ended = 0
  let longest = 0
  for (const situation of seen.values()) {
    states.add(JSON.stringify(situation.state.value))
    longest = Math.max(longest, situation.world.entries.length)
    if (situation.state.status !== 'active') {
      expect(situation.state.status).toBe('done')
      ended++
      continue
    }
    for (const move of moves(situation)) {
      edges++
      let next: Situation
      try {
        next = move.play()
      } catch (error) {
        throw new Error(`${JSON.stringify(situation.state.value)} + ${move.name}: ${String(error)}`, {
          cause: error
        })
      }
      const key = keyOf(next)
      if (!seen.has(key)) seen.set(key, next)
    }
    if (seen.size > SITUATIONS_MAX) throw new Error(`more than ${SITUATIONS_MAX} situations`)
  }
  console.log(`${seen.size} situations, ${states.size} states, ${edges} edges, ${ended} ends`)
  expect(ended).toBeGreaterThan(0)
  expect(longest).toBeGreaterThanOrEqual(2)
})

const opened = ['opened']
const grown = [...opened, 'grows', 'filled']
const committing = [...grown, 'cut', 'prepared']

test('a chunk goes through preparing, committing, publishing and heading while the next one grows', () => {
  const { state, world } = playThrough([...committing, 'won', 'grows', 'published', 'headed'])
  expect(state.value).toEqual({ life: 'open', work: { running: { intake: 'growing', pipeline: 'idle' } } })
  expect(world).toMatchObject({ head: 1, published: ['own-1'], held: [] })
  expect(state.context).toMatchObject({ position: 1, failures: 0 })
})

test('a full chunk waits, its fetch paused, while the last one is on its way', () => {
  const { state } = playThrough([...committing, 'grows', 'filled'])
  expect(state.value).toMatchObject({ work: { running: { intake: 'waiting', pipeline: 'committing' } } })
})

test('who loses the commit discards its own bytes and opens the chain anew after a pause', () => {
  const lost = playThrough([...grown, 'cut', 'prepared', 'a rival commits', 'lost'])
  expect(lost.state.value).toMatchObject({ work: 'discarding' })
  const { state, world } = playThrough([...grown, 'cut', 'prepared', 'a rival commits', 'lost', 'discarded'])
  expect(state.value).toMatchObject({ work: 'reopening' })
  expect(world.prepared).toEqual(['rival-0'])
})

test('a commit without an answer discards nothing', () => {
  const { state, world } = playThrough([...committing, /committing fails/])
  expect(state.value).toMatchObject({ work: 'reopening' })
  expect(world.prepared).toEqual(['own-1'])
})

test('an entry that was committed but not published is published before anything else', () => {
  const { state } = playThrough([
    ...committing,
    'won',
    /publishing fails: retryable/,
    'backoff.reopening',
    'opened'
  ])
  expect(state.value).toMatchObject({ work: { running: { pipeline: 'publishing' } } })
  expect(state.context).toMatchObject({ position: 1, entry: { nonce: 'own-1' } })
})

test('failures are counted until the chain moves on', () => {
  const prepareFails = [...grown, 'cut', /preparing fails: retryable/, 'backoff.reopening', 'opened']
  expect(playThrough(prepareFails).state.context.failures).toBe(1)
  const again = [...prepareFails, 'grows', 'filled', 'cut']
  expect(playThrough([...again, /preparing fails: retryable/]).state.context.failures).toBe(2)
  const { context } = playThrough([...again, 'prepared', 'won', /publishing fails: retryable/]).state
  expect(context.failures).toBe(1)
})

test('a publication that is refused for good is a state of its own, and is tried again', () => {
  const blocked = [...committing, 'won', /publishing fails: blocked/]
  const { state } = playThrough(blocked)
  expect(state.value).toMatchObject({ work: 'publishBlocked' })
  expect(state.context.fault?.code).toBe('publish-blocked')
  const again = playThrough([...blocked, 'patience.publishBlocked', 'opened'])
  expect(again.state.value).toMatchObject({ work: { running: { pipeline: 'publishing' } } })
})

test('a chain that had nothing to commit for a while meets who has gone on without it', () => {
  const idle = 'patience.chain.work.running.pipeline.idle'
  const stays = playThrough([...opened, idle, 'looked']).state.value
  expect(stays).toMatchObject({ work: { running: { pipeline: 'idle' } } })
  const { state } = playThrough([...opened, 'a rival commits', idle, 'looked'])
  expect(state.value).toMatchObject({ work: 'reopening' })
})

const gone = [...committing, 'won', 'its prepared bytes go', /publishing fails: gone/]

test('an entry whose prepared bytes are gone is repaired, then published', () => {
  const { state } = playThrough(gone)
  expect(state.value).toMatchObject({ work: { running: { pipeline: 'repairing' } } })
  expect(state.context.fault?.code).toBe('prepared-gone')
  const repaired = [...gone, 'repaired', 'backoff.reopening', 'opened', 'published', 'headed']
  expect(playThrough(repaired).world).toMatchObject({ head: 1, published: ['own-1'] })
})

test('what cannot be repaired is a state: blocked, or lost', () => {
  expect(playThrough([...gone, /repairing fails: blocked/]).state.value).toMatchObject({
    work: 'publishBlocked'
  })
  const { state } = playThrough([...gone, /repairing fails: lost/])
  expect(state.value).toMatchObject({ work: 'dataLoss' })
  expect(state.context.fault?.code).toBe('records-lost')
})

test('offsets that Kafka no longer has are a state with their range, never a jump', () => {
  const { state, world } = playThrough([...opened, 'fetch faulted', 'measured'])
  expect(state.value).toMatchObject({ work: 'dataLoss' })
  expect(state.context).toMatchObject({ position: 0, kept: { logStart: 1, logEnd: 2 } })
  expect(world.entries).toEqual([])
})

test('a chunk that is old but small waits for more, until it is worth its files or too old', () => {
  const intakeOf = (names: readonly string[]) => playThrough(names).state.value
  const small = [...opened, 'grows', 'age.chain.work.running.intake.growing']
  expect(intakeOf(small)).toMatchObject({ work: { running: { intake: 'small' } } })
  for (const end of ['grows', 'furtherAge.chain.work.running.intake.small', 'rotate', 'filled', 'drain']) {
    expect(intakeOf([...small, end]), end).toMatchObject({ work: { running: { intake: 'cutting' } } })
  }
  expect(intakeOf([...opened, 'grows', 'grows', 'age.chain.work.running.intake.growing'])).toMatchObject({
    work: { running: { intake: 'cutting' } }
  })
})

test('too many dead letters are a state of its own: nothing of the chunk is kept, and it is read again', () => {
  const stopped = [...opened, 'grows', 'too many dead letters']
  const { state, world } = playThrough(stopped)
  expect(state.value).toMatchObject({ work: 'tooManyDead' })
  expect(state.context.fault?.code).toBe('dead-letters-exceeded')
  expect(world).toMatchObject({ entries: [], prepared: [], builder: undefined })
  const again = playThrough([...stopped, 'patience.tooManyDead', 'opened'])
  expect(again.state.context.position).toBe(0)
})

test('drain publishes what was taken in, then ends', () => {
  const { state, world } = playThrough([
    ...opened,
    'grows',
    'drain',
    'cut',
    'prepared',
    'won',
    'published',
    'headed'
  ])
  expect(state.status).toBe('done')
  expect(world.head).toBe(1)
})

test('drain does not leave a committed entry unpublished because one try failed', () => {
  const failed = [...committing, 'drain', 'won', /publishing fails: retryable/]
  expect(playThrough(failed).state.value).toMatchObject({ work: 'reopening' })
  const { state, world } = playThrough([...failed, 'backoff.reopening', 'opened', 'published', 'headed'])
  expect(state.status).toBe('done')
  expect(world.head).toBe(1)
})

test('a defect of ours escalates with its code', () => {
  const { state } = playThrough(opened)
  const error = new Fault('unknown', 'defect')
  const [next] = transition(chainMachine, state, {
    type: 'xstate.error.actor.builder',
    error,
    actorId: 'builder'
  } as never)
  expect(next).toMatchObject({ status: 'error', error })
})
