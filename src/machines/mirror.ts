import { assign, enqueueActions, fromPromise, sendTo, setup } from 'xstate'
import type {
  FetchAssignment,
  FetchedSlice,
  FetcherCommand,
  FetcherInput,
  FetcherReport
} from '../actors/kafka/fetcher.ts'
import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import { type FlowEvent, flowMachine } from './flow.ts'
import type { PartitionSpec } from './ledger.ts'
import { type MembershipInput, type MembershipReport, membershipMachine } from './membership.ts'
import { shardMachine } from './shard.ts'
import type { ShardReport } from './shard-protocol.ts'
import type { ShardSettings } from './shard-setup.ts'

/**
 * One mirror: a member of a group that hands out shards, one fetcher for all of them, and a shard machine for each.
 *
 * Positions belong to the shards; this machine only decides which shards live, tells them what both clusters hold, and
 * carries fetched slices to them. Draining goes in order: intake stops, the shards commit what they have, the group is
 * left.
 */
export interface MirrorInput {
  readonly shard: ShardSettings
  readonly membership: MembershipInput
  readonly fetcher: FetcherInput
  readonly flow: { readonly limitBytes: number }
}

/** A partition that the mirror copies, and the shard it belongs to. */
export interface PlacedPartition extends PartitionSpec {
  readonly shard: number
}

export interface TopologyReport {
  readonly type: 'topology.seen'
  readonly partitions: readonly PlacedPartition[]
  /** What an operator should know about topics, for example that the target cannot keep timestamps. */
  readonly notes: readonly string[]
}

export interface MirrorContext extends MirrorInput {
  /** Shards that the group has given us, and that live as children. */
  readonly shards: readonly number[]
  readonly partitions: readonly PlacedPartition[]
  /** Shard by `tp(topic, partition)`. */
  readonly placement: ReadonlyMap<string, number>
  readonly notes: readonly string[]
  readonly failures: number
  readonly fault: Fault | undefined
}

export type MirrorEvent =
  | { readonly type: 'drain' }
  | TopologyReport
  | MembershipReport
  | FetcherReport
  | ShardReport
  | FlowEvent

export const shardId = (shard: number) => `shard-${shard}`

const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 5_000
const unbound = () => Promise.reject(new Error('actor not provided'))

const partitionsOf = (context: MirrorContext, shard: number) =>
  context.partitions.filter((partition) => partition.shard === shard)

export const mirrorMachine = setup({
  types: {
    context: {} as MirrorContext,
    events: {} as MirrorEvent,
    input: {} as MirrorInput
  },
  actors: {
    /** Creates the position topic and checks that it is ours. */
    prepare: fromPromise<void>(unbound),
    /** Looks at both clusters again and again, and creates missing target topics. */
    topology: fromTask<void, undefined, never, TopologyReport>(unbound),
    fetcher: fromTask<void, FetcherInput, FetcherCommand, FetcherReport>(unbound),
    meter: fromTask<void, undefined, never, FlowEvent>(unbound),
    membership: membershipMachine,
    flow: flowMachine,
    shard: shardMachine
  },
  guards: {
    isRetryable: ({ event }) => 'error' in event && toFault(event.error).retryable,
    hasNoShards: ({ context }) => context.shards.length === 0
  },
  actions: {
    keepFailure: assign({
      failures: ({ context }) => context.failures + 1,
      fault: (_, { error }: { readonly error: unknown }) => toFault(error)
    }),
    clearFailure: assign({ failures: 0, fault: undefined }),
    keepFault: assign({ fault: (_, { fault }: { readonly fault: Fault | undefined }) => fault }),
    place: assign(({ context: _ }, { partitions, notes }: Pick<TopologyReport, 'partitions' | 'notes'>) => ({
      partitions,
      notes,
      placement: new Map(partitions.map(({ topic, partition, shard }) => [tp(topic, partition), shard]))
    })),
    informShards: enqueueActions(({ context, enqueue }) => {
      for (const shard of context.shards) {
        enqueue.sendTo(shardId(shard), {
          type: 'partitions.changed',
          partitions: partitionsOf(context, shard)
        })
      }
    }),
    /** Starts the shards that are new and stops those that are no longer ours, at once: their new owner fences. */
    own: enqueueActions(({ context, enqueue }, { shards }: { readonly shards: readonly number[] }) => {
      for (const shard of context.shards) {
        if (shards.includes(shard)) continue
        enqueue.stopChild(shardId(shard))
        enqueue.sendTo('fetcher', { type: 'release', partitions: partitionsOf(context, shard) })
      }
      enqueue.assign({ shards })
      for (const shard of shards) {
        if (context.shards.includes(shard)) continue
        enqueue.spawnChild('shard', { id: shardId(shard), input: { shard, ...context.shard } })
        enqueue.sendTo(shardId(shard), {
          type: 'partitions.changed',
          partitions: partitionsOf(context, shard)
        })
      }
    }),
    /** Slices go to the shards that own them; what nobody owns any longer is given back. */
    deliver: enqueueActions(
      ({ context, enqueue }, { slices }: { readonly slices: readonly FetchedSlice[] }) => {
        const owned = new Map<number, FetchedSlice[]>(context.shards.map((shard) => [shard, []]))
        const orphans: FetchedSlice[] = []
        for (const slice of slices) {
          const shard = context.placement.get(tp(slice.topic, slice.partition))
          const mine = shard === undefined ? undefined : owned.get(shard)
          ;(mine ?? orphans).push(slice)
        }
        for (const [shard, mine] of owned) {
          if (mine.length > 0) enqueue.sendTo(shardId(shard), { type: 'slices.fetched', slices: mine })
        }
        enqueue(() => {
          for (const { lease } of orphans) lease.release()
        })
      }
    ),
    deliverFault: enqueueActions(
      ({ context, enqueue }, event: Extract<FetcherReport, { type: 'partition.faulted' }>) => {
        const shard = context.placement.get(tp(event.topic, event.partition))
        if (shard !== undefined && context.shards.includes(shard)) enqueue.sendTo(shardId(shard), event)
      }
    ),
    /** A shard that was stopped meanwhile has no say any more. */
    assignFetches: enqueueActions(
      ({ context, enqueue }, { partitions }: { readonly partitions: readonly FetchAssignment[] }) => {
        const mine = partitions.filter(({ topic, partition }) => {
          const shard = context.placement.get(tp(topic, partition))
          return shard !== undefined && context.shards.includes(shard)
        })
        if (mine.length > 0) enqueue.sendTo('fetcher', { type: 'assign', partitions: mine })
      }
    ),
    releaseFetches: sendTo(
      'fetcher',
      (_, { partitions }: { readonly partitions: readonly TopicPartition[] }) => ({
        type: 'release',
        partitions
      })
    ),
    stopFetching: sendTo('fetcher', { type: 'stop' }),
    drainShards: enqueueActions(({ context, enqueue }) => {
      for (const shard of context.shards) enqueue.sendTo(shardId(shard), { type: 'drain' })
    }),
    forgetShard: enqueueActions(({ context, enqueue }, { shard }: { readonly shard: number }) => {
      enqueue.stopChild(shardId(shard))
      enqueue.assign({ shards: context.shards.filter((other) => other !== shard) })
    }),
    leaveGroup: sendTo('membership', { type: 'leave' }),
    passToFlow: sendTo('flow', ({ event }) => event)
  },
  delays: {
    backoff: ({ context }) => Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(context.failures, 10))
  }
}).createMachine({
  id: 'mirror',
  context: ({ input }) => ({
    ...input,
    shards: [],
    partitions: [],
    placement: new Map(),
    notes: [],
    failures: 0,
    fault: undefined
  }),
  initial: 'preparing',
  states: {
    preparing: {
      on: { drain: 'done' },
      invoke: {
        src: 'prepare',
        onDone: { target: 'running', actions: 'clearFailure' },
        onError: {
          guard: 'isRetryable',
          target: 'unprepared',
          actions: { type: 'keepFailure', params: ({ event }) => event }
        }
      }
    },
    unprepared: { on: { drain: 'done' }, after: { backoff: 'preparing' } },
    running: {
      invoke: [
        { src: 'fetcher', id: 'fetcher', input: ({ context }) => context.fetcher },
        { src: 'topology', id: 'topology' },
        { src: 'membership', id: 'membership', input: ({ context }) => context.membership, onDone: 'done' },
        { src: 'flow', id: 'flow', input: ({ context }) => context.flow },
        { src: 'meter', id: 'meter' }
      ],
      on: {
        'topology.seen': { actions: [{ type: 'place', params: ({ event }) => event }, 'informShards'] },
        'records.fetched': { actions: { type: 'deliver', params: ({ event }) => event } },
        'partition.faulted': { actions: { type: 'deliverFault', params: ({ event }) => event } },
        'fetch.assign': { actions: { type: 'assignFetches', params: ({ event }) => event } },
        'fetch.release': { actions: { type: 'releaseFetches', params: ({ event }) => event } },
        'membership.lost': {
          actions: [
            { type: 'own', params: { shards: [] } },
            { type: 'keepFault', params: ({ event }) => event }
          ]
        },
        'budget.changed': { actions: 'passToFlow' }
      },
      initial: 'joining',
      states: {
        joining: {
          on: {
            drain: 'draining',
            assignment: {
              target: 'copying',
              actions: [
                { type: 'own', params: ({ event }) => event },
                { type: 'keepFault', params: { fault: undefined } }
              ]
            }
          }
        },
        copying: {
          on: {
            drain: 'draining',
            assignment: {
              actions: [
                { type: 'own', params: ({ event }) => event },
                { type: 'keepFault', params: { fault: undefined } }
              ]
            },
            'membership.lost': {
              target: 'joining',
              actions: [
                { type: 'own', params: { shards: [] } },
                { type: 'keepFault', params: ({ event }) => event }
              ]
            }
          }
        },
        /** Intake has ended; the shards commit what they hold. The group goes on counting us in. */
        draining: {
          entry: ['stopFetching', 'drainShards'],
          always: { guard: 'hasNoShards', target: 'leaving' },
          on: {
            'shard.drained': { actions: { type: 'forgetShard', params: ({ event }) => event } },
            'fetch.assign': {},
            'fetch.release': {},
            // Only losses count now.
            assignment: {
              actions: {
                type: 'own',
                params: ({ context, event }) => ({
                  shards: context.shards.filter((shard) => event.shards.includes(shard))
                })
              }
            }
          }
        },
        leaving: { entry: 'leaveGroup', on: { 'fetch.assign': {}, 'fetch.release': {} } }
      }
    },
    done: { type: 'final' }
  }
})
