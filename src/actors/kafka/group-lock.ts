import { randomUUID } from 'node:crypto'
import protocol from 'kafkajs/src/protocol/requests/index.js'
import { Fault, toFault } from '../../errors.ts'
import { ask } from './ask.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { encodeAssignment, encodeOwned } from './group-protocol.ts'
import { describeGroup } from './groups.ts'
import type { Link } from './link.ts'
import { pause, retrying, unlessAborted } from './waiting.ts'

/** A group that has one member, which does nothing, and takes in no other. */
export interface GroupLock {
  /** Aborted when the group may have gone on without us. */
  readonly lost: AbortSignal
  /** Resolves after one heartbeat that was sent after this call and acknowledged: until then nobody else was let in. */
  confirm(signal: AbortSignal): Promise<void>
  /** Leaves the group. Never rejects: at worst the session ends by itself. */
  release(): Promise<void>
}

export interface LockOptions {
  readonly cluster: Cluster
  readonly group: string
  readonly sessionTimeoutMs: number
}

const { Heartbeat, JoinGroup, LeaveGroup, SyncGroup } = protocol.requests
const INCONSISTENT_GROUP_PROTOCOL = 23
/** How long a coordinator may wait for more members of a group that is only forming. */
const JOIN_SLACK_MS = 10_000
const HEARTBEAT_INTERVAL_MAX_MS = 1_000
const LEAVE_TIMEOUT_MS = 3_000

/**
 * Joins a group under a protocol name that nobody else knows: the coordinator takes us only when there is no other member,
 * and as long as we are there it refuses everybody (23). Rejects with `group-in-use`, naming the members; one that was
 * killed counts until its session ends.
 */
export async function lockGroup(options: LockOptions, signal: AbortSignal): Promise<GroupLock> {
  const { cluster, group } = options
  const name = `lock-${randomUUID()}`
  const enter = () => onOwnLink(options, signal, (link) => join(link, options, name))
  const seat = await retrying(enter, signal, cluster.requestTimeoutMs)
  if (seat === undefined) throw await inUse(cluster, group, signal)
  return new HeldGroup(options, seat)
}

interface Seat {
  readonly memberId: string
  readonly generation: number
  readonly instanceId: string
}

/** `undefined` when others are there. */
async function join(
  link: Link,
  { group: groupId, sessionTimeoutMs }: LockOptions,
  name: string
): Promise<Seat | undefined> {
  const timeouts = { timeoutMs: sessionTimeoutMs + JOIN_SLACK_MS }
  const question = {
    groupId,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: sessionTimeoutMs,
    memberId: '',
    groupInstanceId: name,
    protocolType: 'consumer',
    groupProtocols: [{ name, metadata: encodeOwned([]) }]
  }
  const joined = await ask(link, JoinGroup, question, timeouts)
  if (joined.errorCode === INCONSISTENT_GROUP_PROTOCOL) return undefined
  if (joined.errorCode !== 0) throw kafkaFault(joined.errorCode, `joining group ${groupId}`)
  const { memberId, generationId } = joined
  const assignment = { memberId, memberAssignment: encodeAssignment([]) }
  const synced = await ask(
    link,
    SyncGroup,
    { groupId, generationId, memberId, groupInstanceId: name, groupAssignment: [assignment] },
    timeouts
  )
  if (synced.errorCode !== 0) throw kafkaFault(synced.errorCode, `syncing group ${groupId}`)
  return { memberId, generation: generationId, instanceId: name }
}

async function inUse(cluster: Cluster, group: string, signal: AbortSignal): Promise<Fault> {
  const { members } = await describeGroup(cluster, group, signal)
  const who = members.length === 0 ? '' : ` (${[...new Set(members)].join(', ')})`
  const hint = 'a worker that was killed counts until its session ends'
  const message = `group ${group} on ${cluster.name} has members${who}; ${hint}`
  return new Fault('group-in-use', message, { retryable: true })
}

/** A pending JoinGroup blocks everything behind it, so it gets a connection of its own. */
async function onOwnLink<T>(
  { cluster, group }: LockOptions,
  signal: AbortSignal,
  use: (link: Link) => Promise<T>
): Promise<T> {
  const link = await cluster.open(await cluster.coordinator('group', group, signal), signal)
  try {
    return await unlessAborted(use(link), signal)
  } finally {
    link.destroy()
  }
}

class HeldGroup implements GroupLock {
  readonly #options: LockOptions
  readonly #seat: Seat
  readonly #lost = new AbortController()
  readonly #over = new AbortController()
  readonly #beating: Promise<void>

  constructor(options: LockOptions, seat: Seat) {
    this.#options = options
    this.#seat = seat
    this.#beating = this.#keep()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async confirm(signal: AbortSignal): Promise<void> {
    this.lost.throwIfAborted()
    await this.#beat(signal)
    this.lost.throwIfAborted()
  }

  async release(): Promise<void> {
    this.#over.abort()
    await this.#beating
    const { cluster, group: groupId } = this.#options
    const { memberId, instanceId: groupInstanceId } = this.#seat
    const signal = AbortSignal.timeout(LEAVE_TIMEOUT_MS)
    const leave = (link: Link) => ask(link, LeaveGroup, { groupId, memberId, groupInstanceId })
    await cluster
      .coordinator('group', groupId, signal)
      .then((node) => cluster.askNode(node, leave, signal))
      .catch(() => undefined)
  }

  async #keep(): Promise<void> {
    const { sessionTimeoutMs } = this.#options
    const over = this.#over.signal
    const intervalMs = Math.min(HEARTBEAT_INTERVAL_MAX_MS, sessionTimeoutMs / 3)
    try {
      for (;;) {
        await pause(intervalMs, over)
        // What comes later than this may come after the end of the session.
        await this.#beat(AbortSignal.any([over, AbortSignal.timeout(sessionTimeoutMs / 2)]))
      }
    } catch (error) {
      if (over.aborted) return
      const { group, cluster } = this.#options
      const message = `group ${group} on ${cluster.name} went on without us: ${toFault(error).message}`
      this.#lost.abort(new Fault('group-lock-lost', message, { cause: error, retryable: true }))
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { cluster, group: groupId } = this.#options
    const { memberId, generation: groupGenerationId, instanceId: groupInstanceId } = this.#seat
    const question = { groupId, groupGenerationId, memberId, groupInstanceId }
    const attempt = async () => {
      const node = await cluster.coordinator('group', groupId, signal)
      const { errorCode } = await cluster.askNode(node, (link) => ask(link, Heartbeat, question), signal)
      if (errorCode !== 0) throw kafkaFault(errorCode, `group ${groupId}`)
    }
    await retrying(attempt, signal, cluster.requestTimeoutMs)
  }
}
