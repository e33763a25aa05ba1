import { expect, test } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { Fault } from '../../src/errors.ts'
import type { PartitionSpec } from '../../src/machines/ledger.ts'
import { shardMachine } from '../../src/machines/shard.ts'
import type { ShardSettings } from '../../src/machines/shard-setup.ts'
import { plainRules } from '../../src/machines/topic-rules.ts'

/** How long a shard waits before it tries again. */

type State = SnapshotFrom<typeof shardMachine>

const settings: ShardSettings = {
  delivery: 'exactly-once',
  commitIntervalMs: 500,
  commitIntervalMaxMs: 500,
  commitBytes: 200,
  quarantineMinMs: 1_000,
  quarantineMaxMs: 10_000
}
const spec: PartitionSpec = {
  ...{ topic: 'a', partition: 0, sourceId: undefined, targetId: undefined, logStart: 0, end: -1 },
  ...{ targetTopic: 'a', targetPartitions: 1, sourcePartitions: 1, targetMaxBytes: 1_000, rules: plainRules }
}
const restored = [{ type: 'writer.fenced' }, { type: 'writer.restored', positions: {} }]
const transaction = [
  {
    type: 'writer.took',
    taken: [
      {
        topic: 'a',
        partition: 0,
        from: 0,
        next: 1,
        leaderEpoch: 0,
        end: 9,
        records: 1,
        bytes: 300,
        targets: [{ topic: 'a', partition: 0 }]
      }
    ]
  },
  { type: 'writer.added', partitions: [{ topic: 'a', partition: 0 }] },
  { type: 'writer.produced' },
  { type: 'writer.committed', tookMs: 1 }
]

function play(state: State, events: readonly { readonly type: string }[]): State {
  return events.reduce<State>((at, event) => transition(shardMachine, at, event as never)[0], state)
}

function copying(): State {
  const [first] = initialTransition(shardMachine, { shard: 3, ...settings })
  return play(first, [{ type: 'partitions.changed', partitions: [spec] } as { type: string }, ...restored])
}

/** Plays the event, and tells how long the machine waits until it sends itself an event of this type. */
function waitAfter(state: State, event: { readonly type: string }, until: string) {
  const [next, actions] = transition(shardMachine, state, event as never)
  const waits = actions.flatMap(({ type, params }) => {
    const { event: later, delay } = params as unknown as { event?: { type: string }; delay?: number }
    return type === 'xstate.raise' && later?.type === until ? [delay] : []
  })
  expect(waits, event.type).toHaveLength(1)
  return { next, wait: waits[0] }
}

test('a partition that fails again and again is left alone for twice as long each time, until it is committed', () => {
  const retry = { type: 'partition.retry', key: 'a-0' }
  const waits: unknown[] = []
  let state = copying()
  const fail = () => {
    const generation = state.context.ledger['a-0']?.generation
    const fault = new Fault('kafka-storage-error', 'x', { retryable: true })
    const event = { type: 'partition.faulted', topic: 'a', partition: 0, generation, fault }
    const { next, wait } = waitAfter(state, event, retry.type)
    waits.push(wait)
    state = play(next, [retry])
    expect(state.context.ledger['a-0']?.standing).toBe('copying')
  }
  for (let failures = 0; failures < 5; failures++) fail()
  state = play(state, transaction)
  expect(state.context.positions['a-0']?.next).toBe(1)
  fail()
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 1_000])
})

test('a shard whose transactions fail again and again waits twice as long each time, until one is committed', () => {
  const error = new Fault('link-closed', 'link closed', { retryable: true })
  const doubt = { type: 'xstate.error.actor.writer', actorId: 'writer', error }
  const backoff = 'xstate.after.backoff.shard.backoff'
  const waits: unknown[] = []
  let state = copying()
  const fail = () => {
    const { next, wait } = waitAfter(state, doubt, backoff)
    waits.push(wait)
    state = play(next, [{ type: backoff }, ...restored])
    expect(state.matches({ live: 'copying' })).toBe(true)
  }
  for (let doubts = 0; doubts < 9; doubts++) fail()
  state = play(state, transaction)
  expect(state.context.positions['a-0']?.next).toBe(1)
  fail()
  expect(waits).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 50])
})
