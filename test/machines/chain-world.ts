import { type ExecutableActionsFrom, initialTransition, type SnapshotFrom, transition } from 'xstate'
import type { Chunk } from '../../src/actors/store/chunk.ts'
import type { Entry } from '../../src/actors/store/entry.ts'
import { Fault } from '../../src/errors.ts'
import { chainMachine } from '../../src/machines/chain.ts'
import type { ChainContext } from '../../src/machines/chain-setup.ts'

/**
 * A chain machine and the world it acts on, reduced to what the protocol is about: the log, what is published, where the
 * head points, what is prepared. `moves` lists everything that can happen next, including replies that get lost, a rival
 * that commits first, and a write of ours that lands late. Each effect asserts that the machine may have it.
 */
export interface World {
  /** The log, in order. */
  readonly entries: readonly LogEntry[]
  readonly published: readonly string[]
  /** How many entries the head calls published. */
  readonly head: number
  readonly prepared: readonly string[]
  /** Commits without an answer: they may still land. */
  readonly inFlight: readonly LogEntry[]
  readonly builder: { readonly from: number; readonly next: number; readonly cutting: boolean } | undefined
  readonly closed: boolean
  readonly attempts: number
  /** Chunks cut and not settled. */
  readonly held: readonly number[]
}

interface LogEntry {
  readonly from: number
  readonly to: number
  readonly nonce: string
}

export interface Situation {
  readonly state: SnapshotFrom<typeof chainMachine>
  readonly world: World
}

export interface Move {
  readonly name: string
  readonly play: () => Situation
}

const delays = {
  rotateAgeMs: 1,
  rotateAgeMaxMs: 3,
  rotateBytesMin: 2,
  backoffMinMs: 1,
  backoffMaxMs: 9,
  patienceMs: 9
}
const input = { topic: 't', partition: 0, topicId: 'x', ...delays }
const OFFSETS_MAX = 2
const ATTEMPTS_MAX = 2
const PIPELINE = '0.chain.work.running.pipeline.'
const endOf = (world: World) => world.entries.at(-1)?.to ?? 0
const faults = {
  retryable: new Fault('store-unavailable', 'x', { retryable: true }),
  known: new Fault('log-corrupt', 'x'),
  blocked: new Fault('publish-blocked', 'x'),
  deadly: new Fault('dead-letters-exceeded', 'x'),
  gone: new Fault('prepared-gone', 'x'),
  lost: new Fault('records-lost', 'x')
}

export function firstSituation(): Situation {
  const [state, actions] = initialTransition(chainMachine, input)
  const world: World = {
    entries: [],
    published: [],
    head: 0,
    prepared: [],
    inFlight: [],
    builder: undefined,
    closed: false,
    attempts: 0,
    held: []
  }
  return { state, world: perform(world, actions) }
}

/** Everything that can happen in this situation, but for the passing of time in states without a timer. */
export function moves({ state, world }: Situation): Move[] {
  const list: Move[] = []
  const play = (name: string, event: object, next: World = world) =>
    list.push({ name, play: () => step(state, event, next) })
  const has = (id: string) => state.children[id as never] !== undefined
  const done = (id: string, output?: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id })
  const failed = (id: string, error: unknown) => ({ type: `xstate.error.actor.${id}`, error, actorId: id })
  const fails = (id: string, next = world, kinds: readonly (keyof typeof faults)[] = ['retryable']) => {
    for (const kind of kinds) play(`${id} fails: ${kind}`, failed(id, faults[kind]), next)
  }

  play('drain', { type: 'drain' })
  play('rotate', { type: 'rotate' })
  if (world.builder === undefined) play('stale slice', { type: 'records.sliced', slice: {} })
  play('fetch faulted', { type: 'fetch.faulted', fault: new Fault('offset-out-of-range', 'x') })
  for (const timer of [
    'age.chain.work.running.intake.growing',
    'furtherAge.chain.work.running.intake.small',
    'backoff.reopening',
    'patience.publishBlocked',
    'patience.dataLoss',
    'patience.tooManyDead',
    'patience.held',
    'patience.chain.work.running.pipeline.idle'
  ]) {
    const name = timer.slice(timer.lastIndexOf('.') + 1)
    if (JSON.stringify(state.value).includes(name)) play(timer, { type: `xstate.after.${timer}` })
  }
  if (has('0.chain.work.opening')) {
    const last = world.entries.at(-1)
    const output = { end: endOf(world), last, published: world.head === world.entries.length }
    play('opened', done('0.chain.work.opening', output))
    fails('0.chain.work.opening', world, ['retryable', 'known', 'blocked'])
  }
  if (has('0.dataLoss')) play('measured', done('0.dataLoss', { logStart: 1, logEnd: 2 }))
  if (has('0.dataLoss')) fails('0.dataLoss')
  builderMoves(world, play)
  pipelineMoves({ state, world }, play, { has, done, fails })
  worldMoves({ state, world }, list)
  return list
}

type Play = (name: string, event: object, next?: World) => void
interface Tools {
  readonly has: (id: string) => boolean
  readonly done: (id: string, output?: unknown) => object
  readonly fails: (id: string, next?: World, kinds?: readonly (keyof typeof faults)[]) => void
}

function builderMoves(world: World, play: Play): void {
  const { builder } = world
  if (builder === undefined) return
  const { from, next, cutting } = builder
  const draft = (at: number) => ({
    type: 'chunk.grew',
    next: at,
    bytes: at - from,
    memoryBytes: at - from,
    records: at - from,
    files: 1,
    firstMs: 0,
    end: 9
  })
  play('builder faults', { type: 'builder.faulted', fault: faults.retryable })
  play('too many dead letters', { type: 'builder.faulted', fault: faults.deadly })
  play('watermark moves', draft(next))
  play('caught up', { ...draft(next), end: next })
  if (!world.closed && next < OFFSETS_MAX) {
    play('grows', draft(next + 1), { ...world, builder: { from, next: next + 1, cutting } })
  }
  if (next > from) play('filled', { type: 'chunk.filled' })
  if (!cutting || world.attempts === ATTEMPTS_MAX) return
  const id = world.attempts + 1
  const chunk = { id, from, to: next }
  const cut = { ...world, builder: { from: next, next, cutting: false }, held: [...world.held, id] }
  play('cut', { type: 'chunk.cut', chunk: chunk as Chunk }, { ...cut, attempts: id })
}

function pipelineMoves({ state, world }: Situation, play: Play, { has, done, fails }: Tools): void {
  const { chunk, entry } = state.context
  const id = (name: string) => `${PIPELINE}${name}`
  if (has(id('preparing')) && chunk) {
    const made = { from: chunk.from, to: chunk.to, nonce: `own-${chunk.id}` }
    const output = made as unknown as Entry
    play('prepared', done(id('preparing'), output), { ...world, prepared: [...world.prepared, made.nonce] })
    fails(id('preparing'))
  }
  if (has(id('committing')) && entry) {
    const landed = land(world, entry)
    const wins = landed.entries.some(({ nonce }) => nonce === entry.nonce)
    play(wins ? 'won' : 'lost', done(id('committing'), wins ? 'won' : 'lost'), landed)
    fails(id('committing'), landed)
    fails(id('committing'), { ...world, inFlight: [...world.inFlight, entry] })
  }
  if (has(id('publishing')) && entry) {
    ensure(
      world.entries.some(({ nonce }) => nonce === entry.nonce),
      'publishes what is not committed'
    )
    const next = { ...world, published: [...new Set([...world.published, entry.nonce])] }
    const isThere = world.prepared.includes(entry.nonce) || world.published.includes(entry.nonce)
    if (isThere) {
      play('published', done(id('publishing')), next)
      fails(id('publishing'), world, ['retryable', 'blocked'])
      fails(id('publishing'), next)
    } else fails(id('publishing'), world, ['gone'])
  }
  if (has(id('looking'))) {
    const isEnd = endOf(world) === state.context.opened?.end
    play('looked', done(id('looking'), isEnd))
    fails(id('looking'))
  }
  if (has(id('repairing')) && entry) {
    ensure(!world.published.includes(entry.nonce), 'repairs what is published')
    const next = { ...world, prepared: [...new Set([...world.prepared, entry.nonce])] }
    play('repaired', done(id('repairing')), next)
    fails(id('repairing'), world, ['retryable', 'blocked', 'lost'])
    fails(id('repairing'), next)
  }
  if (has(id('heading')) && entry) {
    ensure(world.published.includes(entry.nonce), 'the head names what is not published')
    const index = world.entries.findIndex(({ nonce }) => nonce === entry.nonce)
    play('headed', done(id('heading')), { ...world, head: index + 1 })
    fails(id('heading'))
    fails(id('heading'), { ...world, head: index + 1 })
  }
  if (has('0.discarding') && entry) {
    ensure(!world.entries.some(({ nonce }) => nonce === entry.nonce), 'discards what an entry names')
    ensure(!world.inFlight.some(({ nonce }) => nonce === entry.nonce), 'discards what an entry may name')
    const next = { ...world, prepared: world.prepared.filter((nonce) => nonce !== entry.nonce) }
    play('discarded', done('0.discarding'), next)
    fails('0.discarding')
  }
}

/** What happens behind the machine's back. */
function worldMoves({ state, world }: Situation, list: Move[]): void {
  const change = (name: string, next: World) => list.push({ name, play: () => ({ state, world: next }) })
  for (const late of world.inFlight) {
    const inFlight = world.inFlight.filter((other) => other !== late)
    change('a late commit lands', { ...land(world, late), inFlight })
  }
  const last = world.entries.at(-1)?.nonce
  if (last !== undefined && world.prepared.includes(last) && !world.published.includes(last)) {
    const prepared = world.prepared.filter((nonce) => nonce !== last)
    change('its prepared bytes go', { ...world, prepared })
  }
  const settled = world.head === world.entries.length && world.published.length === world.entries.length
  if (settled && world.attempts < ATTEMPTS_MAX && endOf(world) < OFFSETS_MAX) {
    const nonce = `rival-${world.entries.length}`
    const entries = [...world.entries, { from: endOf(world), to: endOf(world) + 1, nonce }]
    change('a rival commits', { ...world, entries, prepared: [...world.prepared, nonce] })
  }
}

/** A create-only write of an entry takes effect. */
function land(world: World, entry: LogEntry): World {
  if (world.entries.some(({ from }) => from === entry.from)) return world
  ensure(entry.from === endOf(world), `the entry from ${entry.from} leaves a gap or overlaps`)
  const last = world.entries.at(-1)
  ensure(!last || world.published.includes(last.nonce), 'commits before the entry before is published')
  ensure(
    world.head === world.entries.length,
    'commits before the head says that the entry before is published'
  )
  ensure(world.prepared.includes(entry.nonce), 'commits what is not prepared')
  const { from, to, nonce } = entry
  return { ...world, entries: [...world.entries, { from, to, nonce }] }
}

function step(state: Situation['state'], event: object, world: World): Situation {
  const [next, actions] = transition(chainMachine, state, event as never)
  const performed = perform(world, actions)
  checkState(next.context, next, performed)
  return { state: next, world: performed }
}

/** What the machine's actions do to the world: only commands to the builder do anything at once. */
function perform(world: World, actions: readonly ExecutableActionsFrom<typeof chainMachine>[]): World {
  let after = world
  for (const action of actions) {
    if (action.type !== 'xstate.sendTo') continue
    const command = (action.params as { event: { type: string; position?: number; id?: number } }).event
    const { builder } = after
    if (command.type === 'begin') {
      const from = command.position ?? -1
      after = { ...after, builder: { from, next: from, cutting: false } }
    }
    if (command.type === 'halt') after = { ...after, builder: undefined }
    if (command.type === 'close') after = { ...after, closed: true }
    if (command.type === 'settle') after = { ...after, held: after.held.filter((id) => id !== command.id) }
    if (command.type === 'cut') {
      ensure(builder !== undefined && builder.next > builder.from, 'cuts an empty chunk')
      if (builder) after = { ...after, builder: { ...builder, cutting: true } }
    }
  }
  return after
}

function checkState(context: ChainContext, state: Situation['state'], world: World): void {
  const pipeline = pipelineOf(state.value)
  ensure(state.status !== 'error', `escalates ${String(state.error)}`)
  ensure(world.held.length === (context.chunk ? 1 : 0), 'credits are held for no chunk, or none for one')
  if (pipeline === 'committing') {
    ensure(context.opened !== undefined && context.entry !== undefined, 'commits nothing')
  }
  if (pipeline === 'idle') ensure(context.entry === undefined, 'is idle with an entry on its way')
}

export function pipelineOf(value: unknown): string | undefined {
  const work = (value as { work?: unknown }).work
  const running = typeof work === 'object' && work ? (work as { running?: unknown }).running : undefined
  return running ? String((running as { pipeline?: unknown }).pipeline) : undefined
}

/** What tells situations apart: the machine's state, and the world but for names. */
export function keyOf({ state, world }: Situation): string {
  const { position, draft, chunk, entry, kept } = state.context
  const short = [position, draft.next, chunk?.id, entry?.nonce, kept !== undefined]
  return JSON.stringify([state.value, state.status, short, world])
}

function ensure(holds: boolean, broken: string): void {
  if (!holds) throw new Error(`the machine ${broken}`)
}
