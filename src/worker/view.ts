import type { RoleName, RoleView } from '../roles/role.ts'

/** A worker as people and monitors see it: the machines' own snapshots in words and numbers. */
export interface WorkerView {
  readonly name: string
  readonly version: string
  readonly workerId: string
  readonly state: WorkerState
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly now: number
  readonly memory: BudgetView
  /** In the order of the road. */
  readonly roles: readonly RoleStatus[]
}

export type WorkerState = 'starting' | 'running' | 'draining' | 'stopped' | 'failed'

export interface BudgetView {
  readonly limitBytes: number
  readonly usedBytes: number
}

/** A role instance: what it says of itself, and what its supervisor says of it. */
export interface RoleStatus extends RoleView {
  /** For example `mirror.cloud`. */
  readonly id: string
  readonly role: RoleName
  readonly instance: string
  readonly supervision: Supervision
  readonly restarts: number
  readonly budget: BudgetView
  readonly lastFault?: FaultView
}

export type Supervision = 'starting' | 'running' | 'draining' | 'backing-off' | 'finished' | 'failed'

export interface FaultView {
  readonly code: string
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Why the worker is not ready, in words; empty when it is. */
export function unreadiness(view: WorkerView): string[] {
  if (view.state !== 'running') return [`the worker is ${view.state}`]
  return view.roles.flatMap((role) => {
    if (role.supervision === 'finished') return []
    const fault = role.supervision === 'backing-off' && role.lastFault ? `: ${role.lastFault.message}` : ''
    if (role.supervision !== 'running') return [`${role.id} is ${role.supervision}${fault}`]
    if (role.ready) return []
    const { reasons = [] } = role
    return reasons.length === 0
      ? [`${role.id} is ${role.state}`]
      : reasons.map((reason) => `${role.id}: ${reason}`)
  })
}
