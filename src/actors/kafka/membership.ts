import { membershipMachine } from '../../machines/membership.ts'
import type { Cluster } from './cluster.ts'

export interface MembershipOptions {
  readonly cluster: Cluster
}

/** A member of one group, ready to be invoked by a role's machine, and the proof of its standing. */
export interface Membership {
  /** `membershipMachine` with its actors bound: for the role's `.provide({ actors: { membership } })`. */
  readonly logic: typeof membershipMachine
  /**
   * Resolves after one successful heartbeat in the current generation; waits while the group rebalances or the
   * coordinator moves, so the caller's `signal` must end when its shard is lost.
   */
  readonly confirm: (signal: AbortSignal) => Promise<void>
}

export function createMembership(_options: MembershipOptions): Membership {
  return { logic: membershipMachine, confirm: () => Promise.reject(new Error('not yet')) }
}
