import type { Logger } from 'pino'
import type { AnyActorRef, SnapshotFrom } from 'xstate'
import type { ByteBudget } from '../actors/budget.ts'
import { type Fault, toFault } from '../errors.ts'
import type { supervisorMachine } from '../machines/supervisor.ts'
import type { RoleInstance } from '../roles/catalog.ts'
import type { Role, RoleView } from '../roles/role.ts'
import type { FaultView, RoleStatus, Supervision } from './view.ts'

export interface MonitorOptions {
  readonly instance: RoleInstance
  readonly role: Pick<Role, 'describe'>
  readonly budget: ByteBudget
  readonly log: Logger
  readonly now: () => number
}

const unseen: RoleView = {
  state: 'starting',
  ready: false,
  flow: 'flowing',
  partitions: [],
  counters: {},
  notes: []
}

/**
 * Watches one supervised role: logs what its supervisor does, and tells its status at any time. Counters go on over
 * restarts, which begin them anew, so that they never fall while the process lives.
 */
export class RoleMonitor {
  readonly #options: MonitorOptions
  #supervision: Supervision = 'starting'
  #restarts = 0
  #fault: Fault | undefined
  #faultAt = 0
  #role: AnyActorRef | undefined
  #isWatching = false
  #view = unseen
  /** Sums of the role's earlier lives. */
  #earlier: Readonly<Record<string, number>> = {}

  constructor(options: MonitorOptions) {
    this.#options = options
  }

  /** Starts watching when the supervisor is there; further calls do nothing. */
  watch(supervisor: AnyActorRef | undefined): void {
    if (supervisor === undefined || this.#isWatching) return
    this.#isWatching = true
    this.#see(supervisor.getSnapshot())
    supervisor.subscribe((snapshot) => this.#see(snapshot))
  }

  /** The newest fault, which has been logged. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  status(): RoleStatus {
    const { instance, budget } = this.#options
    const view = this.#describe()
    return {
      ...view,
      ...instance,
      state: this.#supervision === 'running' ? view.state : this.#supervision,
      ready: view.ready && this.#supervision === 'running',
      counters: sum(this.#earlier, view.counters),
      supervision: this.#supervision,
      restarts: this.#restarts,
      budget: { limitBytes: budget.limitBytes, usedBytes: budget.usedBytes },
      ...(this.#fault && { lastFault: faultView(this.#fault, this.#faultAt) })
    }
  }

  #see(snapshot: SnapshotFrom<typeof supervisorMachine>): void {
    const { context, children } = snapshot
    const before = this.#supervision
    this.#supervision = supervisionOf(snapshot)
    if (context.restarts > this.#restarts) {
      this.#earlier = sum(this.#earlier, this.#describe().counters)
      this.#view = { ...this.#view, counters: {} }
      this.#restarts = context.restarts
      this.#role = undefined
    }
    if (children.role !== undefined && this.#supervision !== 'backing-off') this.#role = children.role
    if (this.#supervision !== before) this.#tell(context.fault, context.backoffMs)
  }

  #tell(fault: Fault | undefined, backoffMs: number): void {
    const { log, now } = this.#options
    const [state, err] = [this.#supervision, fault]
    if (err !== undefined && (state === 'backing-off' || state === 'failed')) {
      this.#fault = err
      this.#faultAt = now()
    }
    if (state === 'backing-off') log.warn({ err, restartInMs: backoffMs }, 'role failed, it starts again')
    else if (state === 'failed') log.error({ err }, 'role failed for good')
    else log.info(`role is ${state}`)
  }

  #describe(): RoleView {
    if (this.#role === undefined) return this.#view
    try {
      this.#view = this.#options.role.describe(this.#role.getSnapshot())
    } catch (error) {
      // A page must show the rest of the road even when one role cannot describe itself.
      this.#view = { ...this.#view, ready: false, notes: [`cannot be described: ${toFault(error).message}`] }
    }
    return this.#view
  }
}

function faultView({ code, message }: Fault, at: number): FaultView {
  return { code, message, at }
}

function supervisionOf(snapshot: SnapshotFrom<typeof supervisorMachine>): Supervision {
  if (snapshot.matches({ active: 'draining' })) return 'draining'
  if (snapshot.matches('active')) return 'running'
  if (snapshot.matches('backing-off')) return 'backing-off'
  return snapshot.matches('finished') ? 'finished' : 'failed'
}

function sum(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>
): Readonly<Record<string, number>> {
  const total = { ...one }
  for (const [name, value] of Object.entries(other)) total[name] = (total[name] ?? 0) + value
  return total
}
