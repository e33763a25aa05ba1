import { assign, cancel, fromPromise, raise, setup } from 'xstate'
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
  /** All shards are lost. The machine joins anew by itself unless the fault is not retryable: then it ends in error. */
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
  readonly node: number
  readonly memberId: string
  /** -1 while the member has no seat. */
  readonly generation: number
  readonly members: readonly GroupMember[]
  readonly owned: readonly number[]
  readonly failures: number
}

const unbound = () => Promise.reject(new Error('actor not provided'))
const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 2_000

const faultOf = (error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('unknown', String(error), { cause: error })

const isEvicting = (code: string) => code === 'kafka-unknown-member-id' || code === 'kafka-illegal-generation'

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
    isEvicted: (_, params: { error: unknown }) => isEvicting(faultOf(params.error).code),
    mustRejoin: (_, params: { error: unknown }) =>
      faultOf(params.error).code === 'kafka-rebalance-in-progress',
    isRetryable: (_, params: { error: unknown }) => faultOf(params.error).retryable
  },
  actions: {
    reportAssignment: ({ context, self }) =>
      self._parent?.send({
        type: 'assignment',
        generation: context.generation,
        shards: context.owned
      } satisfies MembershipReport),
    reportLost: ({ self }, params: { error: unknown }) =>
      self._parent?.send({
        type: 'membership.lost',
        fault: faultOf(params.error)
      } satisfies MembershipReport),
    loseSeat: assign({ generation: -1, memberId: '', owned: [] }),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    clearFailures: assign({ failures: 0 }),
    armSession: raise(
      { type: 'session.expired' },
      { id: 'session', delay: ({ context }) => context.sessionTimeoutMs }
    ),
    disarmSession: cancel('session'),
    escalate: (_, params: { error: unknown }) => {
      void params
    }
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
    members: [],
    owned: [],
    failures: 0
  }),
  initial: 'finding',
  on: { leave: '.leaving' },
  states: {
    finding: {},
    leaving: {}
  }
})
