import { type AnyActorRef, assign, cancel, enqueueActions, fromPromise, raise, sendTo, setup } from 'xstate'
import { fromTask } from '../actors/task.ts'
import { Fault } from '../errors.ts'

/**
 * One member of one Kafka group. The group hands out shards; what a shard means is the parent's business.
 *
 * A member keeps its shards while the group rebalances and gives up only those that SyncGroup's answer no longer holds.
 * It loses all of them when the group went on without it: unknown member (25), older generation (22), or a whole session
 * timeout without an acknowledged heartbeat. A lost connection alone changes nothing: the member finds the coordinator
 * again and goes on heartbeating in the same generation.
 */
export interface MembershipInput {
  readonly group: string
  /** `group.instance.id`: stable over restarts, so that a restarted member takes its shards back in milliseconds. */
  readonly instanceId: string
  /** How many shards the group hands out; all members must agree. */
  readonly shards: number
  readonly sessionTimeoutMs: number
}

/** What the parent of the membership machine gets. */
export type MembershipReport =
  /** Shards absent from `shards` must stop now; those that stay were never interrupted. */
  | { readonly type: 'assignment'; readonly generation: number; readonly shards: readonly number[] }
  /** All shards are lost; the machine joins anew by itself. A fault that cannot be retried ends it in error instead. */
  | { readonly type: 'membership.lost'; readonly fault: Fault }

/** What the parent may send. After `leave` the machine ends as `done`. */
export type MembershipCommand = { readonly type: 'leave' }

/** A seat in the group: what every request must name. */
export interface Seat {
  readonly group: string
  readonly instanceId: string
  readonly memberId: string
  readonly generation: number
}

export interface JoinInput extends MembershipInput {
  readonly node: number
  /** Empty for a member that has none yet. */
  readonly memberId: string
  /** Shards held, told to the leader so that it moves as few as it can. */
  readonly owned: readonly number[]
}

export interface GroupMember {
  readonly memberId: string
  readonly owned: readonly number[]
}

export interface Joined {
  readonly memberId: string
  readonly generation: number
  /** All members when this one leads and has to assign, empty otherwise. */
  readonly members: readonly GroupMember[]
}

export interface SyncInput extends Seat {
  readonly node: number
  readonly shards: number
  readonly sessionTimeoutMs: number
  readonly members: readonly GroupMember[]
}

export interface HeartbeatInput extends Seat {
  readonly node: number
  readonly sessionTimeoutMs: number
}

export interface LeaveInput extends Seat {
  readonly node: number
}

export type HeartbeatReport = { readonly type: 'heartbeat.acked' }

type MembershipEvent = MembershipCommand | HeartbeatReport | { readonly type: 'session.expired' }

interface MembershipContext extends MembershipInput {
  /** The coordinator's node id; -1 before it was found. */
  readonly node: number
  /** Empty while the coordinator knows us by no id. */
  readonly memberId: string
  /** -1 while the member has no seat in a finished generation. */
  readonly generation: number
  /** What JoinGroup said, until SyncGroup has answered. */
  readonly joined: Joined
  /** Shards the parent believes to be ours. */
  readonly owned: readonly number[]
  /** Failures in a row. */
  readonly failures: number
}

const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 2_000
const notJoined: Joined = { memberId: '', generation: -1, members: [] }
const unbound = () => Promise.reject(new Error('actor not provided'))

const faultOf = (error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('unknown', String(error), { cause: error })

const codeIs =
  (...codes: readonly string[]) =>
  (_: unknown, params: { readonly error: unknown }) =>
    codes.includes(faultOf(params.error).code)

const errorOf = ({ event }: { readonly event: { readonly error: unknown } }) => ({ error: event.error })

/** Reports go to the parent, and nowhere where there is none. */
const parent = ({ self }: { readonly self: AnyActorRef }): AnyActorRef => self._parent ?? self

export const membershipMachine = setup({
  types: {
    context: {} as MembershipContext,
    events: {} as MembershipEvent,
    input: {} as MembershipInput
  },
  actors: {
    /** The node id of the group's coordinator. */
    find: fromPromise<number, { readonly group: string }>(unbound),
    /** JoinGroup on a connection of its own: the coordinator holds the answer back until all members are there. */
    join: fromPromise<Joined, JoinInput>(unbound),
    /** SyncGroup; the leader assigns first. Resolves with our shards. */
    sync: fromPromise<readonly number[], SyncInput>(unbound),
    /** Heartbeats until the coordinator asks to rejoin (27); rejects with every other answer. */
    heartbeat: fromTask<void, HeartbeatInput, never, HeartbeatReport>(unbound),
    leave: fromPromise<void, LeaveInput>(unbound)
  },
  guards: {
    hasSeat: ({ context }) => context.generation >= 0,
    isKnown: ({ context }) => context.memberId !== '',
    isUnknown: codeIs('kafka-unknown-member-id'),
    isPassedOver: codeIs('kafka-illegal-generation'),
    mustRejoin: codeIs('kafka-rebalance-in-progress', 'kafka-illegal-generation'),
    isRetryable: (_, params: { readonly error: unknown }) => faultOf(params.error).retryable
  },
  actions: {
    takeNode: assign({ node: (_, params: { readonly node: number }) => params.node }),
    takeJoined: assign({
      joined: (_, params: { readonly joined: Joined }) => params.joined,
      memberId: (_, params: { readonly joined: Joined }) => params.joined.memberId
    }),
    takeSeat: assign({
      generation: ({ context }) => context.joined.generation,
      joined: notJoined,
      owned: (_, params: { readonly shards: readonly number[] }) => params.shards,
      failures: 0
    }),
    giveUpSeat: assign({ generation: -1 }),
    forgetShards: assign({ generation: -1, owned: [] }),
    forgetMember: assign({ memberId: '' }),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    clearFailures: assign({ failures: 0 }),
    armSession: raise(
      { type: 'session.expired' },
      { id: 'session', delay: ({ context }) => context.sessionTimeoutMs }
    ),
    disarmSession: cancel('session'),
    reportAssignment: sendTo(parent, ({ context }) => ({
      type: 'assignment',
      generation: context.generation,
      shards: context.owned
    })),
    reportLost: sendTo(parent, (_, params: { readonly error: unknown }) => ({
      type: 'membership.lost',
      fault: faultOf(params.error)
    })),
    reportExpired: sendTo(parent, ({ context }) => ({
      type: 'membership.lost',
      fault: new Fault(
        'session-expired',
        `group ${context.group}: no heartbeat for ${context.sessionTimeoutMs} ms`,
        { retryable: true }
      )
    }))
  },
  delays: {
    backoff: ({ context }) => Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(context.failures, 10))
  }
}).createMachine({
  id: 'membership',
  context: ({ input }) => ({
    ...input,
    node: -1,
    memberId: '',
    generation: -1,
    joined: notJoined,
    owned: [],
    failures: 0
  }),
  initial: 'finding',
  on: {
    leave: [{ guard: 'isKnown', target: '.leaving' }, { target: '.left' }],
    'session.expired': { actions: ['reportExpired', 'forgetShards'] }
  },
  states: {
    finding: {
      invoke: {
        src: 'find',
        input: ({ context }) => ({ group: context.group }),
        onDone: [
          {
            guard: 'hasSeat',
            target: 'beating',
            actions: { type: 'takeNode', params: ({ event }) => ({ node: event.output }) }
          },
          {
            target: 'joining',
            actions: { type: 'takeNode', params: ({ event }) => ({ node: event.output }) }
          }
        ],
        onError: { guard: { type: 'isRetryable', params: errorOf }, target: 'failing' }
      }
    },
    joining: {
      entry: 'giveUpSeat',
      invoke: {
        src: 'join',
        input: ({ context }) => ({
          group: context.group,
          instanceId: context.instanceId,
          shards: context.shards,
          sessionTimeoutMs: context.sessionTimeoutMs,
          node: context.node,
          memberId: context.memberId,
          owned: context.owned
        }),
        onDone: {
          target: 'syncing',
          actions: { type: 'takeJoined', params: ({ event }) => ({ joined: event.output }) }
        },
        onError: [
          {
            guard: { type: 'isUnknown', params: errorOf },
            target: 'failing',
            actions: [{ type: 'reportLost', params: errorOf }, 'forgetShards', 'forgetMember']
          },
          { guard: { type: 'mustRejoin', params: errorOf }, target: 'failing' },
          { guard: { type: 'isRetryable', params: errorOf }, target: 'failing' }
        ]
      }
    },
    syncing: {
      invoke: {
        src: 'sync',
        input: ({ context }) => ({
          group: context.group,
          instanceId: context.instanceId,
          memberId: context.memberId,
          generation: context.joined.generation,
          node: context.node,
          shards: context.shards,
          sessionTimeoutMs: context.sessionTimeoutMs,
          members: context.joined.members
        }),
        onDone: {
          target: 'beating',
          actions: [
            { type: 'takeSeat', params: ({ event }) => ({ shards: event.output }) },
            'disarmSession',
            'reportAssignment'
          ]
        },
        onError: [
          {
            guard: { type: 'isUnknown', params: errorOf },
            target: 'failing',
            actions: [{ type: 'reportLost', params: errorOf }, 'forgetShards', 'forgetMember']
          },
          { guard: { type: 'mustRejoin', params: errorOf }, target: 'joining' },
          { guard: { type: 'isRetryable', params: errorOf }, target: 'failing' }
        ]
      }
    },
    beating: {
      on: {
        'heartbeat.acked': { actions: ['clearFailures', 'disarmSession'] },
        'session.expired': { target: 'joining', actions: ['reportExpired', 'forgetShards'] }
      },
      invoke: {
        src: 'heartbeat',
        input: ({ context }) => ({
          group: context.group,
          instanceId: context.instanceId,
          memberId: context.memberId,
          generation: context.generation,
          node: context.node,
          sessionTimeoutMs: context.sessionTimeoutMs
        }),
        onDone: 'joining',
        onError: [
          {
            guard: { type: 'isUnknown', params: errorOf },
            target: 'joining',
            actions: [{ type: 'reportLost', params: errorOf }, 'forgetShards', 'forgetMember']
          },
          {
            guard: { type: 'isPassedOver', params: errorOf },
            target: 'joining',
            actions: [{ type: 'reportLost', params: errorOf }, 'forgetShards']
          },
          { guard: { type: 'isRetryable', params: errorOf }, target: 'failing' }
        ]
      }
    },
    /** Waits before the coordinator is looked up again. The first failure in a row starts the session's clock. */
    failing: {
      entry: [
        enqueueActions(({ context, enqueue }) => {
          if (context.failures === 0) enqueue('armSession')
        }),
        'countFailure'
      ],
      after: { backoff: 'finding' }
    },
    leaving: {
      on: { leave: {}, 'session.expired': {} },
      invoke: {
        src: 'leave',
        input: ({ context }) => ({
          group: context.group,
          instanceId: context.instanceId,
          memberId: context.memberId,
          generation: context.generation,
          node: context.node
        }),
        onDone: 'left',
        onError: 'left'
      }
    },
    left: { type: 'final' }
  }
})
