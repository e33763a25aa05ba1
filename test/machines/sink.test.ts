import { expect, test } from 'vitest'
import {
  type AnyMachineSnapshot,
  type EventObject,
  initialTransition,
  type SnapshotFrom,
  transition
} from 'xstate'
import { ByteBudget } from '../../src/actors/budget.ts'
import type { Cluster } from '../../src/actors/kafka/cluster.ts'
import { Fault } from '../../src/errors.ts'
import { sinkMachine } from '../../src/machines/sink.ts'
import {
  chainId,
  changesOf,
  type Holding,
  type PlacedPartition,
  toClose,
  toRotate
} from '../../src/machines/sink-chains.ts'
import { doneOf, failedOf, walk } from '../support/walk.ts'

const input = {
  chain: {
    ...{ rotateAgeMs: 1, rotateAgeMaxMs: 1, rotateBytesMin: 0 },
    ...{ backoffMinMs: 1, backoffMaxMs: 1, patienceMs: 1 }
  },
  membership: { group: 'g', instanceId: 'i', shards: 2, sessionTimeoutMs: 1 },
  fetcher: { cluster: {} as Cluster, budget: new ByteBudget(1) },
  flow: { limitBytes: 100 },
  filesOpenMax: 10
}

const placed = (partition: number, topicId = 'id'): PlacedPartition => ({
  ...{ topic: 't', partition, topicId, idSource: 'kafka', shard: partition }
})
const both = [placed(0), placed(1)]
const recreated = [placed(0, 'new'), placed(1)]
const retryable = new Fault('store-unavailable', 'x', { retryable: true })
const PROBE = '0.sink.probing'

type State = SnapshotFrom<typeof sinkMachine>
const seen = (partitions: readonly PlacedPartition[]) => ({ type: 'topology.seen', partitions, notes: [] })
const assigned = (...shards: number[]) => ({ type: 'assignment', generation: 1, shards })

/** The reports of a chain, as long as it is one of the sink's, and one of a chain that is not. */
function reportsOf(state: State): EventObject[] {
  const chains = [...Object.values(state.context.chains), placed(7)]
  return chains.flatMap(({ topic, partition, topicId }) => {
    const of = { topic, partition, topicId }
    return [
      { type: 'chain.opened', ...of, position: 0, leaderEpoch: -1 },
      { type: 'chain.closed', ...of },
      { type: 'chain.throttled', ...of },
      { type: 'chain.ended', ...of }
    ]
  })
}

function eventsOf(snapshot: AnyMachineSnapshot): EventObject[] {
  const state = snapshot as State
  const invoked = (id: string) => state.children[id as never] !== undefined
  return [
    ...(invoked(PROBE) ? [doneOf(PROBE, undefined), failedOf(PROBE, retryable)] : []),
    ...(invoked('membership') ? [doneOf('membership', undefined)] : []),
    { type: 'drain' },
    seen([]),
    seen(both),
    seen(recreated),
    ...[[], [0], [0, 1]].map((shards) => assigned(...shards)),
    { type: 'membership.lost', fault: retryable } as EventObject,
    { type: 'offsets.settled' },
    { type: 'budget.changed', usedBytes: 90 } as EventObject,
    { type: 'files.exceeded' },
    { type: 'xstate.after.backoff.sink.unproven' },
    { type: 'xstate.after.patience.sink.running.settling' },
    ...reportsOf(state)
  ]
}

function keyOf(snapshot: AnyMachineSnapshot): string {
  const { value, status, context } = snapshot as State
  const { shards, chains, fetches, partitions } = context
  const lives = Object.entries(chains).map(([id, { life }]) => `${id} ${life}`)
  const fetched = Object.values(fetches).map(({ chain }) => chain)
  return JSON.stringify([value, status, shards, lives.sort(), fetched.sort(), partitions?.map(chainId)])
}

function check(snapshot: AnyMachineSnapshot): void {
  const state = snapshot as State
  expect(state.status, String(state.error)).not.toBe('error')
  if (!state.matches('running')) return
  const { chains, fetches, shards } = state.context
  const children = Object.keys(state.children).filter((id) => id.includes('@'))
  expect(children.sort(), 'each chain has its actor').toEqual(Object.keys(chains).sort())
  for (const { chain } of Object.values(fetches)) expect(chains[chain], 'fetched for nobody').toBeDefined()
  for (const { shard } of Object.values(chains)) expect(shards, 'a chain of a shard we lost').toContain(shard)
  if (state.matches({ running: 'settling' })) expect(Object.keys(chains)).toEqual([])
}

test('every reachable state has the chains of its shards and fetches for nobody else', () => {
  const { states, edges } = walk({ machine: sinkMachine, input, events: eventsOf, key: keyOf, check })
  console.log(`${states.size} states, ${edges} edges`)
  expect([...states].some((key) => key.includes('done'))).toBe(true)
})

test('a store without conditional writes escalates', () => {
  const error = new Fault('store-without-conditional-writes', 'x')
  const [first] = initialTransition(sinkMachine, input)
  const [next] = transition(sinkMachine, first, failedOf(PROBE, error) as never)
  expect(next).toMatchObject({ status: 'error', error })
})

test('chains follow the shards: lost ones stop, gone topics finish, new ones start', () => {
  const open = (partition: PlacedPartition) => ({ ...partition, life: 'open' as const })
  const chains = Object.fromEntries(both.map((one) => [chainId(one), open(one)]))
  expect(changesOf(chains, both, [0, 1])).toEqual({ start: [], stop: [], close: [] })
  expect(changesOf(chains, both, [1])).toEqual({ start: [], stop: [open(placed(0))], close: [] })
  expect(changesOf(chains, recreated, [0, 1])).toEqual({
    ...{ start: [placed(0, 'new')], stop: [], close: [open(placed(0))] }
  })
  expect(changesOf({}, both, [0])).toEqual({ start: [placed(0)], stop: [], close: [] })
})

test('slices go to the chain they were fetched for; those of a fetch that is over are given back', () => {
  let [state] = initialTransition(sinkMachine, input)
  const opened = { type: 'chain.opened', topic: 't', topicId: 'id', position: 0, leaderEpoch: -1 }
  for (const event of [
    doneOf(PROBE, undefined),
    seen(both),
    assigned(0, 1),
    { ...opened, partition: 0 },
    { ...opened, partition: 1 },
    // Opened anew: what was fetched for the opening before may begin anywhere.
    { ...opened, partition: 0 }
  ]) {
    ;[state] = transition(sinkMachine, state, event as never)
  }
  const released: string[] = []
  const slice = (partition: number, generation: number) => ({
    ...{ topic: 't', partition, generation },
    lease: { bytes: 1, release: () => released.push(`${partition} of ${generation}`) }
  })
  const slices = [slice(0, 1), slice(1, 2), slice(0, 3), slice(7, 3)]
  const [, actions] = transition(sinkMachine, state, { type: 'records.fetched', slices } as never)
  const delivered: unknown[] = []
  for (const { type, exec, info, params } of actions) {
    if (type === 'xstate.sendTo') delivered.push((params as unknown as { event: unknown }).event)
    else exec?.(info, params)
  }
  expect(delivered).toEqual([1, 2].map((index) => ({ type: 'records.sliced', slice: slices[index] })))
  expect(released).toEqual(['0 of 1', '7 of 3'])
})

test('the largest growing chunks are cut first, and only while chunks hold much of the budget', () => {
  const holding = (chain: string, growingBytes: number, leavingBytes = 0): Holding => ({
    ...{ chain, growingBytes, growingFiles: 0, leavingBytes }
  })
  expect(toRotate([holding('a', 20), holding('b', 30)], 100)).toEqual([])
  expect(toRotate([holding('a', 20), holding('b', 31)], 100)).toEqual(['b'])
  expect(toRotate([holding('a', 25), holding('b', 25), holding('c', 25)], 100)).toEqual(['a', 'b'])
  expect(toRotate([holding('a', 10), holding('b', 0, 60)], 100)).toEqual([])
  expect(toRotate([holding('a', 0)], 0)).toEqual([])
})

test('those with most files are cut first, and only while there are too many', () => {
  const holding = (chain: string, growingFiles: number): Holding => ({
    ...{ chain, growingFiles, growingBytes: 1, leavingBytes: 0 }
  })
  const holdings = [holding('a', 3), holding('b', 5), holding('c', 0), holding('d', 2)]
  expect(toClose(holdings, 10)).toEqual([])
  expect(toClose(holdings, 9)).toEqual(['b'])
  expect(toClose(holdings, 5)).toEqual(['b', 'a'])
  expect(toClose(holdings, 1)).toEqual(['b', 'a', 'd'])
})
