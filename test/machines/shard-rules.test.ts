import { expect, test } from 'vitest'
import { initialTransition, transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import { begin, halt, type PartitionSpec, reconcile, retry } from '../../src/machines/ledger.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { Taken, WriterCommand } from '../../src/machines/shard-protocol.ts'
import { failing, type Policies, plainRules } from '../../src/machines/topic-rules.ts'
import { targetStops } from '../../src/machines/verdict.ts'
import { ready, settings, spec } from './shard-world.ts'

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
    ...{ topic: 'a', partition: 0, from: 0, next: 5, leaderEpoch: 0, end: 5, records: 5, bytes: 50 },
    targets: [{ topic: 'a', partition: 0 }]
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
