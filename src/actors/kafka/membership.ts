import protocol from 'kafkajs/src/protocol/requests/index.js'
import { fromPromise } from 'xstate'
import {
  type HeartbeatInput,
  type HeartbeatReport,
  type Joined,
  type JoinInput,
  type LeaveInput,
  membershipMachine,
  type Seat,
  type SyncInput
} from '../../machines/membership.ts'
import { fromTask } from '../task.ts'
import { ask } from './ask.ts'
import { assignShards, protocolName } from './assignor.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { decodeAssignment, decodeOwned, encodeAssignment, encodeOwned } from './group-protocol.ts'
import type { Link } from './link.ts'

export interface MembershipOptions {
  readonly cluster: Cluster
}

/** A member of one group, ready to be invoked by a role's machine, and the proof of its standing. */
export interface Membership {
  /** `membershipMachine` with its actors bound: for the role's `.provide({ actors: { membership } })`. */
  readonly logic: typeof membershipMachine
  /**
   * Resolves after one heartbeat that was sent after this call and acknowledged in the current generation. Waits while
   * the group rebalances or the coordinator moves, so the caller's `signal` must end when its shard is lost.
   */
  readonly confirm: Confirm
}

export type Confirm = (signal: AbortSignal) => Promise<void>

const { Heartbeat, JoinGroup, LeaveGroup, SyncGroup } = protocol.requests
/** How long a coordinator may take beyond the rebalance timeout, for a group that is only forming. */
const JOIN_SLACK_MS = 10_000
const LEAVE_TIMEOUT_MS = 3_000
const HEARTBEAT_INTERVAL_MAX_MS = 1_000

/**
 * Binds the membership machine to a cluster. Each actor has a connection of its own: a pending JoinGroup or SyncGroup
 * blocks everything behind it.
 */
export function createMembership({ cluster }: MembershipOptions): Membership {
  const pulse = new Pulse()
  const logic = membershipMachine.provide({
    actors: {
      find: fromPromise<number, { readonly group: string }>(({ input, signal }) =>
        cluster.coordinator('group', input.group, signal)
      ),
      join: fromPromise<Joined, JoinInput>(({ input, signal }) =>
        withLink(cluster, input.node, signal, (link) => join(link, input))
      ),
      sync: fromPromise<readonly number[], SyncInput>(({ input, signal }) =>
        withLink(cluster, input.node, signal, (link) => sync(link, input))
      ),
      heartbeat: fromTask<void, HeartbeatInput, never, HeartbeatReport>(({ input, signal, report }) =>
        withLink(cluster, input.node, signal, (link) => beat(link, input, pulse, signal, report))
      ),
      leave: fromPromise<void, LeaveInput>(({ input, signal }) =>
        withLink(cluster, input.node, signal, (link) => leave(link, input))
      )
    }
  })
  return { logic, confirm: (signal) => pulse.confirm(signal) }
}

async function withLink<T>(
  cluster: Cluster,
  node: number,
  signal: AbortSignal,
  use: (link: Link) => Promise<T>
): Promise<T> {
  const link = await cluster.open(node, signal)
  try {
    return await use(link)
  } catch (error) {
    throw cluster.named(error)
  } finally {
    link.destroy()
  }
}

async function join(link: Link, input: JoinInput): Promise<Joined> {
  const answer = await ask(
    link,
    JoinGroup,
    {
      groupId: input.group,
      sessionTimeout: input.sessionTimeoutMs,
      rebalanceTimeout: input.sessionTimeoutMs,
      memberId: input.memberId,
      groupInstanceId: input.instanceId,
      protocolType: 'consumer',
      groupProtocols: [{ name: protocolName(input.shards), metadata: encodeOwned(input.owned) }]
    },
    { timeoutMs: input.sessionTimeoutMs + JOIN_SLACK_MS }
  )
  if (answer.errorCode !== 0) throw kafkaFault(answer.errorCode, `joining group ${input.group}`)
  const { memberId, generationId: generation, leaderId } = answer
  if (leaderId !== memberId) return { memberId, generation, members: [] }
  const members = answer.members.map((member) => ({
    memberId: member.memberId,
    owned: decodeOwned(member.memberMetadata)
  }))
  return { memberId, generation, members }
}

async function sync(link: Link, input: SyncInput): Promise<readonly number[]> {
  const assigned = assignShards(input.members, input.shards)
  const answer = await ask(
    link,
    SyncGroup,
    {
      groupId: input.group,
      generationId: input.generation,
      memberId: input.memberId,
      groupInstanceId: input.instanceId,
      groupAssignment: [...assigned].map(([memberId, shards]) => ({
        memberId,
        memberAssignment: encodeAssignment(shards)
      }))
    },
    { timeoutMs: input.sessionTimeoutMs + JOIN_SLACK_MS }
  )
  if (answer.errorCode !== 0) throw kafkaFault(answer.errorCode, `syncing group ${input.group}`)
  return decodeAssignment(answer.memberAssignment)
}

async function beat(
  link: Link,
  input: HeartbeatInput,
  pulse: Pulse,
  signal: AbortSignal,
  report: (event: HeartbeatReport) => void
): Promise<void> {
  const intervalMs = Math.min(HEARTBEAT_INTERVAL_MAX_MS, input.sessionTimeoutMs / 3)
  const timeoutMs = input.sessionTimeoutMs / 2
  for (;;) {
    const asking = pulse.begin()
    const code = await heartbeat(link, input, timeoutMs)
    if (code === REBALANCE_IN_PROGRESS) return
    if (code !== 0) throw kafkaFault(code, `heartbeat in group ${input.group}`)
    // First the machine, then whoever asked: what the machine decides comes before what follows from the proof.
    report({ type: 'heartbeat.acked' })
    pulse.acknowledge(asking)
    await pulse.next(intervalMs, signal)
  }
}

const REBALANCE_IN_PROGRESS = 27

async function heartbeat(link: Link, seat: Seat, timeoutMs: number): Promise<number> {
  const { group, generation, memberId, instanceId } = seat
  const answer = await ask(
    link,
    Heartbeat,
    { groupId: group, groupGenerationId: generation, memberId, groupInstanceId: instanceId },
    { timeoutMs }
  )
  return answer.errorCode
}

/** A static member normally stays on the list until its session ends; by its instance id it can be taken off at once. */
async function leave(link: Link, { group, memberId, instanceId }: LeaveInput): Promise<void> {
  const answer = await ask(
    link,
    LeaveGroup,
    { groupId: group, memberId, groupInstanceId: instanceId },
    { timeoutMs: LEAVE_TIMEOUT_MS }
  )
  if (answer.errorCode !== 0) throw kafkaFault(answer.errorCode, `leaving group ${group}`)
}

/** Joins those who ask for a proof of standing with the heartbeats: only one sent after the question answers it. */
class Pulse {
  readonly #asking = new Set<() => void>()
  #wake: () => void = () => {}

  async confirm(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#asking.delete(confirmed)
        reject(signal.reason)
      }
      const confirmed = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#asking.add(confirmed)
      this.#wake()
    })
    signal.throwIfAborted()
  }

  /** Those whom the heartbeat that is sent now will answer. */
  begin(): readonly (() => void)[] {
    return [...this.#asking]
  }

  acknowledge(asking: readonly (() => void)[]): void {
    for (const confirmed of asking) {
      if (this.#asking.delete(confirmed)) confirmed()
    }
  }

  /** Waits for the next heartbeat's time, or less when somebody asks. */
  async next(intervalMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#asking.size > 0) return
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#wake = () => {}
        resolve()
      }
      const timer = setTimeout(wake, intervalMs)
      signal.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
    signal.throwIfAborted()
  }
}
