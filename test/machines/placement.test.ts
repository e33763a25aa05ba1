import { expect, test } from 'vitest'
import { initialTransition, transition } from 'xstate'
import type { PartitionSpec, Position } from '../../src/machines/ledger.ts'
import { growthHold, hashedOver } from '../../src/machines/placement.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { Taken, WriterCommand } from '../../src/machines/shard-protocol.ts'
import { plainRules, type TopicRules } from '../../src/machines/topic-rules.ts'
import { settings, spec } from './shard-world.ts'

/** Where the records of a partition go, and what becomes of it when the target grows. */

const hashing = (more: Partial<PartitionSpec> = {}, rules: Partial<TopicRules> = {}): PartitionSpec =>
  spec('a', {
    ...{ sourcePartitions: 2, targetPartitions: 4, rules: { ...plainRules, partitioning: 'hash', ...rules } },
    ...more
  })
const accepting = (more: Partial<PartitionSpec>) => hashing(more, { hashGrowth: 'accept' })

type State = ReturnType<typeof transition<typeof shardMachine>>[0]

/** A shard that copies `one`, with a position where there is one. */
function copying(one: PartitionSpec, position?: Partial<Position>) {
  let [state] = initialTransition(shardMachine, { shard: 3, ...settings })
  ;[state] = transition(shardMachine, state, { type: 'partitions.changed', partitions: [one] })
  ;[state] = transition(shardMachine, state, { type: 'writer.fenced' })
  const at = { next: 3, leaderEpoch: 0, sourceId: 's-a', targetId: 't-a', ...position }
  const positions = position === undefined ? {} : { 'a-0': at }
  return told(state, { type: 'writer.restored', positions })
}

/** The next state, and what the writer is told on the way. */
function told(before: State, event: Parameters<typeof transition<typeof shardMachine>>[2]) {
  const [state, actions] = transition(shardMachine, before, event)
  const commands = actions.flatMap(({ params }) => {
    const { event: sent } = (params ?? {}) as { event?: WriterCommand }
    return sent !== undefined && ['add', 'expect', 'forget', 'commit'].includes(sent.type) ? [sent] : []
  })
  return { state, commands, entry: state.context.ledger['a-0'] }
}

/** After a commit: the next one waits for the interval. */
function rested(before: State): State {
  let { state } = told(before, { type: 'writer.took', taken: [taken([1])] })
  state = told(state, { type: 'writer.added', partitions: [{ topic: 'a', partition: 1 }] }).state
  state = told(state, { type: 'writer.produced' }).state
  return told(state, { type: 'writer.committed', tookMs: 1 }).state
}

const look = (state: State, one: PartitionSpec) =>
  told(state, { type: 'partitions.changed', partitions: [one] })

const taken = (targets: readonly number[]): Taken => ({
  ...{ topic: 'a', partition: 0, from: 3, next: 7, leaderEpoch: 0, end: 9, records: 4, bytes: 50 },
  targets: targets.map((partition) => ({ topic: 'a', partition }))
})

test('keys are hashed where the rules want it and the numbers of partitions differ', () => {
  expect(hashedOver(hashing())).toBe(4)
  expect(hashedOver(hashing({ sourcePartitions: 4 }))).toBeUndefined()
  expect(hashedOver(spec('a', { sourcePartitions: 2, targetPartitions: 4 }))).toBeUndefined()
  const before = (targetPartitions: number, targetId = 't-a') => ({ targetPartitions, targetId })
  expect(growthHold(hashing(), before(3))).toMatch(/^topic a had 3 partitions on the target and has 4: keys/)
  expect(
    growthHold(hashing({ sourcePartitions: 4 }), before(3)),
    'also when both have as many now'
  ).toBeDefined()
  const free = [before(4), before(0), before(3, 'another topic'), undefined]
  for (const one of free) expect(growthHold(hashing(), one)).toBeUndefined()
  expect(growthHold(accepting({}), before(3))).toBeUndefined()
  expect(growthHold(hashing({ targetPartitions: 0 }), before(3)), 'it is being looked for').toBeUndefined()
})

test('a partition of the source is added with all partitions of the target that its batches go to', () => {
  const { state, commands } = copying(hashing(), {})
  expect(commands).toMatchObject([{ type: 'expect', partitions: [{ offset: 3, hashedOver: 4 }] }])
  const first = told(rested(state), { type: 'writer.took', taken: [{ ...taken([1, 3]), from: 7, next: 8 }] })
  const sources = [{ topic: 'a', partition: 0 }]
  expect(first.commands).toEqual([
    { type: 'add', partitions: [1, 3].map((partition) => ({ topic: 'a', partition, sources })) }
  ])
  const added = [1, 3].map((partition) => ({ topic: 'a', partition }))
  let next = told(first.state, { type: 'writer.added', partitions: added }).state
  expect(next.matches({ live: { copying: { pipeline: 'producing' } } })).toBe(true)
  next = told(next, { type: 'writer.took', taken: [{ ...taken([3, 0]), from: 8, next: 9 }] }).state
  const more = told(next, { type: 'writer.produced' })
  expect(more.commands, 'only what is not in the transaction yet').toEqual([
    { type: 'add', partitions: [{ topic: 'a', partition: 0, sources }] }
  ])
})

test('a target that has grown since the last commit holds its partitions, unless keys may move', () => {
  expect(copying(hashing(), { targetPartitions: 4 }).entry?.standing).toBe('copying')
  const held = copying(hashing({ targetPartitions: 8 }), { targetPartitions: 4 })
  expect(held.entry).toMatchObject({ standing: 'held', reason: expect.stringContaining('had 4 partitions') })
  expect(look(held.state, hashing({ targetPartitions: 8 })).entry?.standing, 'and stays so').toBe('held')
  const accepted = copying(accepting({ targetPartitions: 8 }), { targetPartitions: 4 })
  expect(accepted.commands).toMatchObject([{ type: 'expect', partitions: [{ hashedOver: 8 }] }])
})

test('a target that grows while keys are placed holds its partitions; what is on its way is committed as it was', () => {
  const { state } = copying(hashing(), { targetPartitions: 4 })
  let at = told(state, { type: 'writer.took', taken: [taken([1])] }).state
  const grown = hashing({ targetPartitions: 8 })
  const held = look(at, grown)
  expect(held.entry?.standing).toBe('held')
  expect(held.commands).toMatchObject([{ type: 'forget' }])
  at = look(held.state, hashing({ targetPartitions: 0, hold: 'it is being looked for' })).state
  at = look(at, grown).state
  expect(at.context.ledger['a-0']).toMatchObject({
    standing: 'held',
    reason: expect.stringContaining('had 4 partitions on the target and has 8')
  })
  at = told(at, { type: 'writer.added', partitions: [{ topic: 'a', partition: 1 }] }).state
  const { commands } = told(at, { type: 'writer.produced' })
  expect(commands).toMatchObject([
    { type: 'commit', positions: [{ position: { next: 7, targetPartitions: 4 } }] }
  ])
})

test('where keys may move, a partition goes on from where it is over what the target has now', () => {
  const { state } = copying(accepting({}), { targetPartitions: 4 })
  const at = told(state, { type: 'writer.took', taken: [taken([1])] }).state
  const { entry, commands } = look(at, accepting({ targetPartitions: 8 }))
  expect(entry).toMatchObject({ standing: 'copying', generation: 2 })
  expect(commands).toMatchObject([
    { type: 'forget', partitions: [{ topic: 'a', partition: 0 }] },
    { type: 'expect', partitions: [{ offset: 7, generation: 2, hashedOver: 8 }] }
  ])
})
