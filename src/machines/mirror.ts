import {
  type AnyActorRef,
  assign,
  enqueueActions,
  fromPromise,
  type ParameterizedObject,
  type SnapshotFrom,
  sendTo,
  setup
} from 'xstate'
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
import { type MembershipInput, type MembershipReport, membershipMachine } from './membership.ts'
import type { PlacedPartition, TopologyReport, TopologySeen } from './mirror-protocol.ts'
import type { OffsetsCommand, OffsetsReport } from './offsets-protocol.ts'
import { shardMachine } from './shard.ts'
import type { PartitionFaulted, ShardCommand, ShardReport } from './shard-protocol.ts'
import type { ShardSettings } from './shard-setup.ts'

/**
 * One mirror: a member of a group that hands out shards, one fetcher for all of them, and a shard machine for each.
 *
 * Positions belong to the shards; this machine only decides which shards live, tells them what both clusters hold, and
 * carries fetched slices to them. Draining goes in order: intake stops, the shards commit what they have, what is known of
 * offsets is written down, the group is left.
 */
export interface MirrorInput {
  readonly shard: ShardSettings
  readonly membership: MembershipInput
  readonly fetcher: FetcherInput
  readonly flow: { readonly limitBytes: number }
}

export interface MirrorContext extends MirrorInput {
  /** Shards that the group has given us, and that live as children. */
  readonly shards: readonly number[]
  readonly partitions: readonly PlacedPartition[]
  /** Shard by `tp(topic, partition)`. */
  readonly placement: ReadonlyMap<string, number>
  readonly notes: readonly string[]
  /** What of the offsets for consumers does not work. */
  readonly offsetNotes: readonly string[]
  /** Both clusters were looked at, at least once. */
  readonly hasLooked: boolean
  /** Why the last look failed. */
  readonly lookFault: Fault | undefined
  readonly failures: number
  readonly fault: Fault | undefined
}

export type MirrorEvent =
  | { readonly type: 'drain' }
  | TopologyReport
  | MembershipReport
  | FetcherReport
  | ShardReport
  | OffsetsReport
  | FlowEvent

export const shardId = (shard: number) => `shard-${shard}`

const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 5_000
/** How long what is known of offsets may take to be written down before the group is left all the same. */
const SETTLING_MS = 3_000
const unbound = () => Promise.reject(new Error('actor not provided'))

const partitionsOf = (context: MirrorContext, shard: number) =>
  context.partitions.filter((partition) => partition.shard === shard)

const partitionsFor = (context: MirrorContext, shard: number): ShardCommand => ({
  type: 'partitions.changed',
  partitions: partitionsOf(context, shard)
})

/** The living shard that a partition belongs to. */
const ownerOf = (context: MirrorContext, { topic, partition }: TopicPartition): number | undefined => {
  const shard = context.placement.get(tp(topic, partition))
  return shard !== undefined && context.shards.includes(shard) ? shard : undefined
}

/** What the actor that looks after offsets is told of our place in the group. */
function seatOf(self: AnyActorRef, shards: readonly number[]): OffsetsCommand {
  const children = self.getSnapshot().children as Readonly<Record<string, AnyActorRef | undefined>>
  const member: SnapshotFrom<typeof membershipMachine> | undefined = children.membership?.getSnapshot()
  if (member === undefined) return { type: 'seat.lost' }
  const { group, memberId, instanceId, generation } = member.context
  return { type: 'seat.taken', seat: { group, memberId, instanceId, generation }, shards }
}

/** A defect of what nothing depends on is told, too. */
function why({ error }: { readonly error: unknown }): string {
  const { code, message } = toFault(error)
  return `offsets for consumers are not looked after: ${message} (${code})`
}

interface ToShard {
  readonly shard: number
  readonly command: ShardCommand
  readonly [name: string]: unknown
}

/** The simple actions that the compound ones are made of. */
type Simple =
  | { type: 'tellShard'; params: ToShard }
  | { type: 'tellFetcher'; params: FetcherCommand }
  | { type: 'keepShards'; params: { readonly shards: readonly number[] } }
  | { type: 'giveBack'; params: { readonly slices: readonly FetchedSlice[] } }

type ShardActor = { src: 'shard'; logic: typeof shardMachine; id: string | undefined }

/** An action made of the named ones: what it does shows in a pure transition. */
const compound = <Params extends ParameterizedObject['params'] | undefined>(
  collect: Parameters<
    typeof enqueueActions<
      MirrorContext,
      MirrorEvent,
      Params,
      MirrorEvent,
      ShardActor,
      Simple,
      never,
      never,
      never
    >
  >[0]
) =>
  enqueueActions<MirrorContext, MirrorEvent, Params, MirrorEvent, ShardActor, Simple, never, never, never>(
    collect
  )

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
    /** Looks after offsets for consumers. Nothing depends on it, and it never fails. */
    offsets: fromTask<void, undefined, OffsetsCommand, OffsetsReport>(unbound),
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
    place: assign((_, { partitions, notes }: Pick<TopologySeen, 'partitions' | 'notes'>) => ({
      partitions,
      notes,
      placement: new Map(partitions.map(({ topic, partition, shard }) => [tp(topic, partition), shard])),
      hasLooked: true,
      lookFault: undefined
    })),
    keepLookFault: assign({ lookFault: (_, { fault }: { readonly fault: Fault }) => fault }),
    keepShards: assign({ shards: (_, { shards }: { readonly shards: readonly number[] }) => shards }),
    tellShard: sendTo(
      (_, { shard }: ToShard) => shardId(shard),
      (_, { command }: ToShard) => command
    ),
    tellFetcher: sendTo('fetcher', (_, command: FetcherCommand) => command),
    giveBack: (_, { slices }: { readonly slices: readonly FetchedSlice[] }) => {
      for (const { lease } of slices) lease.release()
    },
    informShards: compound<undefined>(({ context, enqueue }) => {
      for (const shard of context.shards) {
        enqueue({ type: 'tellShard', params: { shard, command: partitionsFor(context, shard) } })
      }
    }),
    drainShards: compound<undefined>(({ context, enqueue }) => {
      for (const shard of context.shards) {
        enqueue({ type: 'tellShard', params: { shard, command: { type: 'drain' } } })
      }
    }),
    /** Starts the shards that are new and stops those that are no longer ours, at once: their new owner fences. */
    own: compound<{ readonly shards: readonly number[] }>(({ context, enqueue }, { shards }) => {
      for (const shard of context.shards) {
        if (shards.includes(shard)) continue
        enqueue.stopChild(shardId(shard))
        enqueue({
          type: 'tellFetcher',
          params: { type: 'release', partitions: partitionsOf(context, shard) }
        })
      }
      enqueue({ type: 'keepShards', params: { shards } })
      for (const shard of shards) {
        if (context.shards.includes(shard)) continue
        enqueue.spawnChild('shard', { id: shardId(shard), input: { shard, ...context.shard } })
        enqueue({ type: 'tellShard', params: { shard, command: partitionsFor(context, shard) } })
      }
    }),
    /** Slices go to the shards that own them; what nobody owns any longer is given back. */
    deliver: compound<{ readonly slices: readonly FetchedSlice[] }>(({ context, enqueue }, { slices }) => {
      const byShard = Map.groupBy(slices, (slice) => ownerOf(context, slice))
      for (const [shard, mine] of byShard) {
        if (shard === undefined) enqueue({ type: 'giveBack', params: { slices: mine } })
        else
          enqueue({ type: 'tellShard', params: { shard, command: { type: 'slices.fetched', slices: mine } } })
      }
    }),
    deliverFault: compound<PartitionFaulted>(({ context, enqueue }, command) => {
      const shard = ownerOf(context, command)
      if (shard !== undefined) enqueue({ type: 'tellShard', params: { shard, command } })
    }),
    /** A shard that was stopped meanwhile has no say any more. */
    assignFetches: compound<{ readonly partitions: readonly FetchAssignment[] }>(
      ({ context, enqueue }, { partitions }) => {
        const mine = partitions.filter((partition) => ownerOf(context, partition) !== undefined)
        if (mine.length > 0) enqueue({ type: 'tellFetcher', params: { type: 'assign', partitions: mine } })
      }
    ),
    forgetShard: compound<{ readonly shard: number }>(({ context, enqueue }, { shard }) => {
      enqueue.stopChild(shardId(shard))
      enqueue({ type: 'keepShards', params: { shards: context.shards.filter((other) => other !== shard) } })
    }),
    keepOffsetNotes: assign({
      offsetNotes: (_, { notes }: { readonly notes: readonly string[] }) => notes
    }),
    /** Offsets are committed to the group in the name of our place in it. */
    tellSeat: sendTo(
      'offsets',
      ({ self }, { shards }: { readonly shards: readonly number[] }): OffsetsCommand => seatOf(self, shards)
    ),
    tellSeatLost: sendTo('offsets', { type: 'seat.lost' }),
    finishOffsets: sendTo('offsets', { type: 'finish' }),
    leaveGroup: sendTo('membership', { type: 'leave' }),
    passToFlow: sendTo('flow', ({ event }) => event)
  },
  delays: {
    settling: SETTLING_MS,
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
    offsetNotes: [],
    hasLooked: false,
    lookFault: undefined,
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
        { src: 'meter', id: 'meter' },
        {
          src: 'offsets',
          id: 'offsets',
          onError: { actions: { type: 'keepOffsetNotes', params: ({ event }) => ({ notes: [why(event)] }) } }
        }
      ],
      on: {
        'topology.seen': { actions: [{ type: 'place', params: ({ event }) => event }, 'informShards'] },
        'topology.failed': { actions: { type: 'keepLookFault', params: ({ event }) => event } },
        'records.fetched': { actions: { type: 'deliver', params: ({ event }) => event } },
        'partition.faulted': { actions: { type: 'deliverFault', params: ({ event }) => event } },
        'fetch.assign': { actions: { type: 'assignFetches', params: ({ event }) => event } },
        'fetch.release': {
          actions: {
            type: 'tellFetcher',
            params: ({ event }) => ({ type: 'release', partitions: event.partitions })
          }
        },
        'membership.lost': {
          actions: [
            { type: 'own', params: { shards: [] } },
            'tellSeatLost',
            { type: 'keepFault', params: ({ event }) => event }
          ]
        },
        'offsets.noted': { actions: { type: 'keepOffsetNotes', params: ({ event }) => event } },
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
                { type: 'tellSeat', params: ({ event }) => event },
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
                { type: 'tellSeat', params: ({ event }) => event },
                { type: 'keepFault', params: { fault: undefined } }
              ]
            },
            'membership.lost': {
              target: 'joining',
              actions: [
                { type: 'own', params: { shards: [] } },
                'tellSeatLost',
                { type: 'keepFault', params: ({ event }) => event }
              ]
            }
          }
        },
        /** Intake has ended; the shards commit what they hold. The group goes on counting us in. */
        draining: {
          entry: [{ type: 'tellFetcher', params: { type: 'stop' } }, 'drainShards'],
          always: { guard: 'hasNoShards', target: 'settling' },
          on: {
            'shard.drained': { actions: { type: 'forgetShard', params: ({ event }) => event } },
            'fetch.assign': {},
            'fetch.release': {},
            // Only losses count now.
            assignment: {
              actions: [
                {
                  type: 'own',
                  params: ({ context, event }) => ({
                    shards: context.shards.filter((shard) => event.shards.includes(shard))
                  })
                },
                { type: 'tellSeat', params: ({ event }) => event }
              ]
            }
          }
        },
        settling: {
          entry: 'finishOffsets',
          on: { 'offsets.settled': 'leaving', 'fetch.assign': {}, 'fetch.release': {} },
          after: { settling: 'leaving' }
        },
        leaving: { entry: 'leaveGroup', on: { 'fetch.assign': {}, 'fetch.release': {} } }
      }
    },
    done: { type: 'final' }
  }
})
