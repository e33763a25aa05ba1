import { expect, test } from 'vitest'
import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import type { FetcherInput } from '../../src/actors/kafka/fetcher.ts'
import { Fault } from '../../src/errors.ts'
import { type MirrorInput, mirrorMachine } from '../../src/machines/mirror.ts'
import type { PlacedPartition } from '../../src/machines/mirror-protocol.ts'
import { plainRules } from '../../src/machines/topic-rules.ts'

type State = SnapshotFrom<typeof mirrorMachine>
interface Sent {
  readonly to: string
  readonly type: string
  readonly partitions?: readonly { readonly topic: string }[]
}

const input: MirrorInput = {
  shard: {
    delivery: 'exactly-once',
    commitIntervalMaxMs: 5_000,
    commitIntervalMs: 500,
    commitBytes: 1,
    quarantineMinMs: 1,
    quarantineMaxMs: 2
  },
  membership: { group: 'g', instanceId: 'i', shards: 3, sessionTimeoutMs: 10_000 },
  fetcher: {} as FetcherInput,
  flow: { limitBytes: 100 }
}
const placed = (topic: string, shard: number): PlacedPartition => ({
  topic,
  partition: 0,
  shard,
  sourceId: undefined,
  targetId: undefined,
  logStart: 0,
  end: -1,
  highWatermark: -1,
  targetTopic: topic,
  targetPartitions: 1,
  sourcePartitions: 1,
  targetMaxBytes: 1,
  rules: plainRules
})
const seen = {
  type: 'topology.seen',
  partitions: [placed('a', 0), placed('b', 1)],
  notes: []
} as const

let released = 0
const slice = (topic: string) => ({ topic, partition: 0, lease: { release: () => released++ } })
const fetched = { type: 'records.fetched', slices: [slice('a'), slice('b'), slice('stranger')] }
const doubt = new Fault('unreachable', 'no broker', { retryable: true })

const alphabet: readonly { readonly type: string }[] = [
  { type: 'drain' },
  { type: 'offsets.settled' },
  { type: 'offsets.noted', notes: ['a note'] } as { type: string },
  seen,
  { ...seen, partitions: [placed('a', 0)] } as { type: string },
  fetched,
  { type: 'partition.faulted', topic: 'a', partition: 0, generation: 1, fault: doubt } as { type: string },
  ...[[], [0], [1], [0, 1]].map((shards) => ({ type: 'assignment', generation: 1, shards })),
  { type: 'membership.lost', fault: doubt } as { type: string },
  { type: 'fetch.assign', partitions: [{ topic: 'a', partition: 0, position: 0 }] } as { type: string },
  { type: 'fetch.release', partitions: [{ topic: 'a', partition: 0 }] } as { type: string },
  { type: 'shard.drained', shard: 0 } as { type: string },
  { type: 'shard.drained', shard: 1 } as { type: string },
  { type: 'budget.changed', usedBytes: 99 } as { type: string },
  ...['prepare', 'fetcher', 'membership'].map((id) => ({ type: `xstate.done.actor.${id}`, actorId: id })),
  { type: 'xstate.error.actor.0.mirror.preparing', actorId: '0.mirror.preparing', error: doubt } as {
    type: string
  },
  { type: 'xstate.done.actor.0.mirror.preparing', actorId: '0.mirror.preparing' } as { type: string },
  { type: 'xstate.after.backoff.mirror.unprepared' }
]

function play(state: State, event: { readonly type: string }) {
  const [next, actions] = transition(mirrorMachine, state, event as never)
  const sent = actions
    .filter(({ type }) => type === 'xstate.sendTo')
    .map(({ params }) => params as unknown as { targetId: string; event: Omit<Sent, 'to'> })
    .map(({ targetId, event }): Sent => ({ ...event, to: targetId }))
  return { next, sent }
}

const liveShards = (state: State) =>
  Object.keys(state.children)
    .filter((id) => id.startsWith('shard-'))
    .sort()

test('every reachable state of a mirror keeps the invariants', () => {
  const key = ({ value, status, children, context }: State, stopped: boolean) =>
    JSON.stringify([
      value,
      status,
      Object.keys(children).sort(),
      context.shards,
      context.partitions,
      context.failures > 0,
      stopped
    ])
  const [first] = initialTransition(mirrorMachine, input)
  const reached = new Map([[key(first, false), { state: first as State, stopped: false }]])
  let edges = 0
  for (const { state, stopped } of reached.values()) {
    if (state.status !== 'active') continue
    for (const event of alphabet) {
      const actorId = 'actorId' in event ? String(event.actorId) : undefined
      if (actorId !== undefined && !(actorId in state.children)) continue
      edges++
      const where = `${JSON.stringify(state.value)} + ${event.type}`
      const { next, sent } = play(state, event)
      expect(next.status, where).not.toBe('error')
      const owned = next.context.shards.map((shard) => `shard-${shard}`).sort()
      if (next.matches('running')) expect(liveShards(next), `${where}: what is owned lives`).toEqual(owned)
      const stopsNow = sent.some(({ to, type }) => to === 'fetcher' && type === 'stop')
      for (const message of sent) {
        if (message.type === 'slices.fetched') expect(owned, where).toContain(message.to)
        if (message.type === 'drain')
          expect(stopped || stopsNow, `${where}: intake ends before a shard drains`).toBe(true)
        if (message.type === 'leave') expect(owned, `${where}: the group is left last`).toEqual([])
        if (message.type === 'assign') {
          expect(stopped, `${where}: nothing is fetched after the stop`).toBe(false)
          expect(next.context.shards, where).toContain(0)
        }
      }
      const id = key(next, stopped || stopsNow)
      if (!reached.has(id)) reached.set(id, { state: next, stopped: stopped || stopsNow })
    }
  }
  console.log(`${reached.size} states, ${edges} edges`)
  expect([...reached.values()].some(({ state }) => state.status === 'done')).toBe(true)
  expect(reached.size).toBeLessThan(5_000)
})

function running(): State {
  let [state] = initialTransition(mirrorMachine, input)
  for (const event of [
    { type: 'xstate.done.actor.0.mirror.preparing', actorId: '0.mirror.preparing' },
    seen,
    { type: 'assignment', generation: 1, shards: [0, 1] }
  ]) {
    state = play(state, event).next
  }
  return state
}

test('a shard that the group took away is stopped at once and no longer fetched', () => {
  const { next, sent } = play(running(), { type: 'assignment', generation: 2, shards: [1] } as {
    type: string
  })
  expect(liveShards(next)).toEqual(['shard-1'])
  expect(sent.map(({ to, type, partitions }) => [to, type, partitions?.map(({ topic }) => topic)])).toEqual([
    ['fetcher', 'release', ['a']],
    ['offsets', 'seat.lost', undefined]
  ])
})

test('slices go to their shards, and those of nobody are given back', () => {
  const one = play(running(), { type: 'assignment', generation: 2, shards: [1] } as { type: string }).next
  const [, actions] = transition(mirrorMachine, one, fetched as never)
  const targets = actions.flatMap(({ type, params }) =>
    type === 'xstate.sendTo' ? [(params as unknown as { targetId: string }).targetId] : []
  )
  expect(targets).toEqual(['shard-1'])
  released = 0
  for (const { type, exec, info, params } of actions) if (type !== 'xstate.sendTo') exec?.(info, params)
  expect(released).toBe(2)
})

test('a new shard learns its partitions as soon as it lives', () => {
  const { sent } = play(running(), { type: 'assignment', generation: 2, shards: [0, 1, 2] } as {
    type: string
  })
  expect(sent).toEqual([
    { to: 'shard-2', type: 'partitions.changed', partitions: [] },
    // The membership machine of this test never joined.
    { to: 'offsets', type: 'seat.lost' }
  ])
})
