import { assign, enqueueActions, fromPromise, type SnapshotFrom, sendTo, setup } from 'xstate'
import type {
  FetchAssignment,
  FetchedSlice,
  FetcherCommand,
  FetcherInput,
  FetcherReport
} from '../actors/kafka/fetcher.ts'
import { tp } from '../actors/kafka/topic-partition.ts'
import type { DeadTopicCommand } from '../actors/store/dead-topic.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import { chainMachine } from './chain.ts'
import type { ChainReport } from './chain-events.ts'
import { type FlowEvent, flowMachine } from './flow.ts'
import { type HiveEvent, hiveMachine } from './hive.ts'
import { membershipMachine } from './membership.ts'
import {
  type Chains,
  chainId,
  changesOf,
  childOf,
  type Fetches,
  holdingsOf,
  type PlacedPartition,
  toClose,
  toRotate,
  without
} from './sink-chains.ts'
import type {
  CommitterCommand,
  CommitterReport,
  FilesReport,
  SinkCounters,
  SinkEvent,
  SinkInput,
  TopologyReport
} from './sink-events.ts'

export interface SinkContext extends SinkInput {
  readonly shards: readonly number[]
  /** `undefined` before the first look at the cluster. */
  readonly partitions: readonly PlacedPartition[] | undefined
  readonly notes: readonly string[]
  readonly chains: Chains
  readonly fetches: Fetches
  readonly fetchGeneration: number
  readonly counters: SinkCounters
  readonly failures: number
  readonly fault: Fault | undefined
}

const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 5_000
const unbound = () => Promise.reject(new Error('actor not provided'))

type Report<Type extends ChainReport['type']> = Extract<ChainReport, { type: Type }>

/** What the states of a sink (`sink.ts`) are made of: its actors, guards, actions and delays. */
export const sinkSetup = setup({
  types: {
    context: {} as SinkContext,
    events: {} as SinkEvent,
    input: {} as SinkInput
  },
  actors: {
    /** Proves that the store can do conditional writes. */
    probe: fromPromise<void>(unbound),
    /** Looks at the cluster again and again. */
    topology: fromTask<void, undefined, never, TopologyReport>(unbound),
    fetcher: fromTask<void, FetcherInput, FetcherCommand, FetcherReport>(unbound),
    meter: fromTask<void, undefined, never, FlowEvent | FilesReport>(unbound),
    /** Takes offsets for lag tools. */
    committer: fromTask<void, undefined, CommitterCommand, CommitterReport>(unbound),
    membership: membershipMachine,
    flow: flowMachine,
    hive: hiveMachine,
    /** Looks after logs and leftovers; nothing waits for it. */
    keeper: fromTask<void, undefined, never, never>(() => new Promise(() => {})),
    /** Writes dead letters to a topic, where one is wanted. */
    letters: fromTask<void, undefined, DeadTopicCommand, never>(() => new Promise(() => {})),
    chain: chainMachine
  },
  guards: {
    isRetryable: (_, { error }: { readonly error: unknown }) => toFault(error).retryable,
    hasNoChains: ({ context }) => Object.keys(context.chains).length === 0
  },
  actions: {
    /** Bound by the role: a machine has no log. */
    logFault: (_, _params: { readonly fault: Fault; readonly where: string }) => {},
    keepFailure: assign({
      failures: ({ context }) => context.failures + 1,
      fault: (_, { error }: { readonly error: unknown }) => toFault(error)
    }),
    keepFault: assign({ fault: (_, { fault }: { readonly fault: Fault | undefined }) => fault }),
    clearFailure: assign({ failures: 0, fault: undefined }),
    look: assign((_, { partitions, notes }: Pick<TopologyReport, 'partitions' | 'notes'>) => ({
      partitions,
      notes
    })),
    own: assign({ shards: (_, { shards }: { readonly shards: readonly number[] }) => shards }),
    keepOnly: assign({
      shards: ({ context }, { shards }: { readonly shards: readonly number[] }) =>
        context.shards.filter((shard) => shards.includes(shard))
    }),
    /** Starts and ends chains until they are those of our shards. */
    reconcile: enqueueActions(({ context, enqueue }, { mayStart }: { readonly mayStart: boolean }) => {
      const { start, stop, close } = changesOf(context.chains, context.partitions ?? [], context.shards)
      const chains = { ...context.chains }
      const fetches = { ...context.fetches }
      for (const chain of stop) {
        const [id, key] = [chainId(chain), tp(chain.topic, chain.partition)]
        enqueue.stopChild(id)
        delete chains[id]
        if (fetches[key]?.chain !== id) continue
        delete fetches[key]
        enqueue.sendTo('fetcher', { type: 'release', partitions: [chain] })
      }
      for (const chain of mayStart ? close : []) {
        chains[chainId(chain)] = { ...chain, life: 'closing' }
        enqueue.sendTo(chainId(chain), { type: 'drain' })
      }
      for (const partition of mayStart ? start : []) {
        const id = chainId(partition)
        const { topic, partition: number, topicId } = partition
        chains[id] = { ...partition, life: 'open' }
        enqueue.spawnChild('chain', { id, input: { topic, partition: number, topicId, ...context.chain } })
      }
      enqueue.assign({ chains, fetches })
    }),
    /** Slices go to the chain they were fetched for; what nobody waits for any longer is given back. */
    deliver: enqueueActions(
      ({ context, enqueue }, { slices }: { readonly slices: readonly FetchedSlice[] }) => {
        const orphans: FetchedSlice[] = []
        for (const slice of slices) {
          const fetch = context.fetches[tp(slice.topic, slice.partition)]
          const wanted = fetch !== undefined && fetch.generation === slice.generation
          if (wanted) enqueue.sendTo(fetch.chain, { type: 'records.sliced', slice })
          else orphans.push(slice)
        }
        enqueue(() => {
          for (const { lease } of orphans) lease.release()
        })
      }
    ),
    deliverFault: enqueueActions(
      ({ context, enqueue }, event: Extract<FetcherReport, { type: 'partition.faulted' }>) => {
        const fetch = context.fetches[tp(event.topic, event.partition)]
        if (fetch === undefined || fetch.generation !== event.generation) return
        enqueue.sendTo(fetch.chain, { type: 'fetch.faulted', fault: event.fault })
      }
    ),
    beginFetch: enqueueActions(({ context, enqueue }, event: Report<'chain.opened'>) => {
      const id = chainId(event)
      const chain = context.chains[id]
      if (chain?.life !== 'open') return
      const generation = context.fetchGeneration + 1
      const { topic, partition, position, leaderEpoch } = event
      const assignment: FetchAssignment = {
        ...{ topic, partition, position, generation },
        ...(leaderEpoch >= 0 && { leaderEpoch }),
        ...(chain.idSource === 'kafka' && { topicId: chain.topicId })
      }
      enqueue.assign({
        fetchGeneration: generation,
        fetches: { ...context.fetches, [tp(topic, partition)]: { chain: id, generation } }
      })
      enqueue.sendTo('fetcher', { type: 'assign', partitions: [assignment] })
    }),
    endFetch: enqueueActions(({ context, enqueue }, event: ChainReport) => {
      const key = tp(event.topic, event.partition)
      if (context.fetches[key]?.chain !== chainId(event)) return
      enqueue.assign({ fetches: without(context.fetches, key) })
      enqueue.sendTo('fetcher', { type: 'release', partitions: [event] })
    }),
    holdFetch: enqueueActions(
      ({ context, enqueue }, event: Report<'chain.throttled'> | Report<'chain.relaxed'>) => {
        if (context.fetches[tp(event.topic, event.partition)]?.chain !== chainId(event)) return
        const type = event.type === 'chain.throttled' ? 'pause' : 'resume'
        enqueue.sendTo('fetcher', { type, partitions: [event] })
      }
    ),
    count: assign({
      counters: ({ context: { counters } }, { entry }: Report<'chain.advanced'>) => ({
        ...counters,
        recordsRead: counters.recordsRead + entry.counts.read,
        recordsKept: counters.recordsKept + entry.counts.kept,
        recordsFiltered: counters.recordsFiltered + entry.counts.filtered,
        recordsDead: counters.recordsDead + entry.counts.dead,
        entriesPublished: counters.entriesPublished + 1,
        filesPublished: counters.filesPublished + entry.files.length,
        bytesPublished: counters.bytesPublished + entry.files.reduce((sum, { bytes }) => sum + bytes, 0)
      })
    }),
    countOne: assign({
      counters: ({ context: { counters } }, { name }: { readonly name: 'commitsLost' | 'faults' }) => ({
        ...counters,
        [name]: counters[name] + 1
      })
    }),
    noteOffset: enqueueActions(({ self, enqueue }, event: Report<'chain.advanced'>) => {
      const member = childOf(self, 'membership') as SnapshotFrom<typeof membershipMachine> | undefined
      if (member === undefined || member.context.generation < 0) return
      const { group, memberId, instanceId, generation, node } = member.context
      const offset = { topic: event.topic, partition: event.partition, offset: event.entry.to }
      enqueue.sendTo('committer', {
        type: 'note',
        seat: { group, memberId, instanceId, generation, node },
        offset
      })
    }),
    forget: enqueueActions(({ context, enqueue }, event: Report<'chain.ended'>) => {
      const id = chainId(event)
      if (context.chains[id] === undefined) return
      enqueue.stopChild(id)
      enqueue.assign({ chains: without(context.chains, id) })
    }),
    drainChains: enqueueActions(({ context, enqueue }) => {
      for (const id of Object.keys(context.chains)) enqueue.sendTo(id, { type: 'drain' })
    }),
    /** While memory is short. Below that a fetch, which asks for a fraction of the budget, finds its credits. */
    relieve: enqueueActions(({ context, self, enqueue }) => {
      const flow = childOf(self, 'flow') as SnapshotFrom<typeof flowMachine> | undefined
      if (flow === undefined || flow.value === 'flowing') return
      const holdings = holdingsOf(self, Object.keys(context.chains))
      for (const id of toRotate(holdings, context.flow.limitBytes)) enqueue.sendTo(id, { type: 'rotate' })
    }),
    closeFiles: enqueueActions(({ context, self, enqueue }) => {
      const holdings = holdingsOf(self, Object.keys(context.chains))
      for (const id of toClose(holdings, context.filesOpenMax)) enqueue.sendTo(id, { type: 'rotate' })
    }),
    passToFlow: sendTo('flow', (_, event: FlowEvent) => event),
    passToHive: sendTo('hive', (_, event: HiveEvent) => event),
    passToLetters: sendTo('letters', (_, event: DeadTopicCommand) => event),
    finishHive: sendTo('hive', { type: 'finish' }),
    finishCommits: sendTo('committer', { type: 'finish' }),
    leaveGroup: sendTo('membership', { type: 'leave' })
  },
  delays: {
    backoff: ({ context }) => Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(context.failures, 10)),
    patience: 3_000,
    hivePatience: 10_000
  }
})
