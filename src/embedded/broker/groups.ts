import { randomUUID } from 'node:crypto'
import { attempt, codeOf, codes, KafkaError } from './errors.ts'
import {
  Group,
  type JoinAnswer,
  type JoinRequest,
  type Member,
  type MemberIdentity,
  type SyncAnswer,
  sameProtocols,
  update
} from './group.ts'
import { type GroupSnapshot, type GroupStore, restoreGroup } from './group-store.ts'
import type { OffsetStore } from './offsets.ts'
import type { Timers } from './timers.ts'

export interface GroupOptions {
  /** `group.initial.rebalance.delay.ms`: how long the first members of an empty group wait for more. */
  readonly initialRebalanceDelayMs: number
  /** `group.min.session.timeout.ms`. Kafka's default is 6,000; tests want to see sessions end. */
  readonly minSessionTimeoutMs: number
}

const MAX_SESSION_TIMEOUT_MS = 1_800_000
/** How long a new member's JoinGroup may wait (`group.new.member.join.timeout`). */
const NEW_MEMBER_TIMEOUT_MS = 300_000

/** The classic group protocol (Kafka 4.1's `GroupMetadataManager`, classic groups only). */
export class Groups {
  readonly #options: GroupOptions
  readonly #offsets: OffsetStore
  readonly #store: GroupStore
  readonly #timers: Timers
  readonly #groups = new Map<string, Group>()

  /** Takes up the groups of an earlier life: members that are still there go on with their next heartbeat. */
  constructor(offsets: OffsetStore, store: GroupStore, timers: Timers, options: GroupOptions) {
    this.#offsets = offsets
    this.#store = store
    this.#timers = timers
    this.#options = options
    for (const snapshot of store.all()) this.#restore(snapshot)
  }

  get(id: string): Group | undefined {
    return this.#groups.get(id)
  }

  /** Every group with members or committed offsets. */
  ids(): readonly string[] {
    return [...new Set([...this.#groups.keys(), ...this.#offsets.groups()])]
  }

  /** Another node becomes the coordinator: who waits is sent there, and it goes on from what is on disk. */
  handOver(id: string): void {
    const group = this.#groups.get(id)
    if (!group) return
    for (const timer of [group.phase, ...group.pending.values()]) this.#timers.cancel(timer)
    for (const member of group.members.values()) {
      this.#timers.cancel(member.session)
      member.join?.(group.refusal(codes.NOT_COORDINATOR, member.id))
      member.sync?.({ error: codes.NOT_COORDINATOR, assignment: Buffer.alloc(0) })
    }
    this.#groups.delete(id)
    const snapshot = this.#store.all().find((one) => one.group === id)
    if (snapshot) this.#restore(snapshot)
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const group = this.#groups.get(request.group) ?? new Group(request.group)
    const refuse = (error: number) => group.refusal(error, request.memberId)
    if (request.group === '') return refuse(codes.INVALID_GROUP_ID)
    const { sessionTimeoutMs, memberId } = request
    if (sessionTimeoutMs < this.#options.minSessionTimeoutMs || sessionTimeoutMs > MAX_SESSION_TIMEOUT_MS) {
      return refuse(codes.INVALID_SESSION_TIMEOUT)
    }
    if (memberId !== '' && !this.#groups.has(group.id)) return refuse(codes.UNKNOWN_MEMBER_ID)
    if (!group.supports(request.protocolType, request.protocols)) {
      return refuse(codes.INCONSISTENT_GROUP_PROTOCOL)
    }
    this.#groups.set(group.id, group)
    try {
      if (memberId === '') return await this.#joinNew(group, request)
      if (group.pending.has(memberId)) {
        this.#timers.cancel(group.pending.get(memberId))
        group.pending.delete(memberId)
        return await this.#joinAs(group, request, memberId)
      }
      return await this.#joinAgain(group, request)
    } catch (error) {
      return refuse(codeOf(error))
    }
  }

  async sync(
    groupId: string,
    generation: number,
    identity: MemberIdentity,
    assignments: ReadonlyMap<string, Buffer>
  ): Promise<SyncAnswer> {
    const none = Buffer.alloc(0)
    try {
      const { group, member } = this.#current(groupId, generation, identity)
      if (group.state === 'PreparingRebalance')
        return { error: codes.REBALANCE_IN_PROGRESS, assignment: none }
      if (group.state === 'Stable') return { error: codes.NONE, assignment: member.assignment }
      return await new Promise((resolve) => {
        member.sync?.({ error: codes.REBALANCE_IN_PROGRESS, assignment: none })
        member.sync = resolve
        if (group.leader === member.id) this.#stabilize(group, assignments)
      })
    } catch (error) {
      return { error: codeOf(error), assignment: none }
    }
  }

  /** Throws what the member has to be told; a rebalance is `REBALANCE_IN_PROGRESS`. */
  heartbeat(groupId: string, generation: number, identity: MemberIdentity): void {
    const { group, member } = this.#current(groupId, generation, identity)
    this.#renew(group, member)
    if (group.state === 'PreparingRebalance') {
      throw new KafkaError(codes.REBALANCE_IN_PROGRESS, `${groupId} is rebalancing`)
    }
  }

  leave(groupId: string, identity: MemberIdentity): void {
    const group = this.#groups.get(groupId)
    if (!group) throw new KafkaError(codes.UNKNOWN_MEMBER_ID, `the group ${groupId} has no members`)
    if (group.pending.has(identity.memberId)) {
      this.#removePending(group, identity.memberId)
      return
    }
    const owner = identity.instanceId === null ? undefined : group.statics.get(identity.instanceId)
    const id = identity.memberId === '' ? (owner ?? '') : identity.memberId
    this.#remove(group, group.member(id, identity.instanceId))
  }

  /**
   * Whether this caller may commit offsets. A group without members takes them from anybody (generation -1).
   *
   * @param transactional in a transaction a caller may leave out its membership (TxnOffsetCommit before version 3)
   */
  checkCommit(groupId: string, generation: number, identity: MemberIdentity, transactional: boolean): void {
    const group = this.#groups.get(groupId)
    if (generation < 0 && (transactional || group === undefined || group.members.size === 0)) return
    const { member } = this.#current(groupId, generation, identity)
    if (group === undefined) return
    if (group.state === 'CompletingRebalance' && !transactional) {
      throw new KafkaError(codes.REBALANCE_IN_PROGRESS, `${groupId} is rebalancing`)
    }
    this.#renew(group, member)
  }

  delete(groupId: string): void {
    const group = this.#groups.get(groupId)
    if (group && group.members.size > 0) {
      throw new KafkaError(codes.NON_EMPTY_GROUP, `the group ${groupId} has members`)
    }
    if (!group && !this.#offsets.has(groupId)) {
      throw new KafkaError(codes.GROUP_ID_NOT_FOUND, `the group ${groupId} does not exist`)
    }
    this.#offsets.forget(groupId)
    this.#store.forget(groupId)
    this.#groups.delete(groupId)
  }

  #restore(snapshot: GroupSnapshot): void {
    const group = restoreGroup(snapshot)
    this.#groups.set(group.id, group)
    for (const member of group.members.values()) this.#renew(group, member)
  }

  #current(groupId: string, generation: number, identity: MemberIdentity): { group: Group; member: Member } {
    const group = this.#groups.get(groupId)
    if (!group) throw new KafkaError(codes.UNKNOWN_MEMBER_ID, `the group ${groupId} has no members`)
    return { group, member: group.current(identity.memberId, identity.instanceId, generation) }
  }

  #joinNew(group: Group, request: JoinRequest): Promise<JoinAnswer> | JoinAnswer {
    const id = `${request.instanceId ?? request.clientId}-${randomUUID()}`
    const replaced = request.instanceId === null ? undefined : group.statics.get(request.instanceId)
    if (replaced !== undefined)
      return this.#rejoinStatic(group, group.member(replaced, request.instanceId), id, request)
    if (request.instanceId !== null || !request.idRequired) return this.#joinAs(group, request, id)
    const expire = () => this.#removePending(group, id)
    group.pending.set(id, this.#timers.after(request.sessionTimeoutMs, expire))
    return group.refusal(codes.MEMBER_ID_REQUIRED, id)
  }

  /** A new member enters, and all others have to join again. */
  #joinAs(group: Group, request: JoinRequest, id: string): Promise<JoinAnswer> {
    const member: Member = {
      id,
      instanceId: request.instanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocols: request.protocols,
      assignment: Buffer.alloc(0),
      join: undefined,
      sync: undefined,
      session: undefined
    }
    if (group.members.size === 0) group.protocolType = request.protocolType
    group.add(member)
    group.grown = true
    this.#renew(group, member, NEW_MEMBER_TIMEOUT_MS)
    return this.#await(group, member, () => this.#rebalance(group))
  }

  #joinAgain(group: Group, request: JoinRequest): Promise<JoinAnswer> | JoinAnswer {
    const member = group.member(request.memberId, request.instanceId)
    if (group.state === 'Empty') return group.refusal(codes.UNKNOWN_MEMBER_ID, member.id)
    const same = sameProtocols(member.protocols, request.protocols)
    const stays =
      (group.state === 'CompletingRebalance' && same) ||
      (group.state === 'Stable' && same && group.leader !== member.id)
    if (stays) return group.joined(member)
    update(member, request)
    return this.#await(group, member, () => this.#rebalance(group))
  }

  /** KIP-345: a static member came back without its id. In a stable group it takes its place, without a rebalance. */
  #rejoinStatic(
    group: Group,
    member: Member,
    id: string,
    request: JoinRequest
  ): Promise<JoinAnswer> | JoinAnswer {
    const leaderBefore = group.leader
    group.replace(member, id)
    update(member, request)
    this.#renew(group, member)
    if (group.state === 'Stable' && group.elect() === group.protocol) {
      this.#store.save(group)
      // A leader that returns must not assign again: it is told its old self still leads.
      return { ...group.joined(member), leader: leaderBefore, members: [] }
    }
    return this.#await(group, member, () => this.#rebalance(group))
  }

  #await(group: Group, member: Member, then: () => void): Promise<JoinAnswer> {
    return new Promise((resolve) => {
      member.join?.(group.refusal(codes.REBALANCE_IN_PROGRESS, member.id))
      member.join = resolve
      then()
    })
  }

  /** Starts the join phase of the next generation, or ends it when everybody is there. */
  #rebalance(group: Group): void {
    if (group.state === 'PreparingRebalance') {
      // The initial delay runs its time even when all who are known have joined.
      if (!group.inInitialDelay) this.#completeIfAllJoined(group)
      return
    }
    const initial = group.state === 'Empty'
    for (const member of group.members.values()) {
      member.sync?.({ error: codes.REBALANCE_IN_PROGRESS, assignment: Buffer.alloc(0) })
      member.sync = undefined
    }
    group.state = 'PreparingRebalance'
    if (initial) {
      group.inInitialDelay = true
      group.grown = false
      this.#delayInitial(group, group.rebalanceTimeoutMs)
    } else if (!this.#completeIfAllJoined(group)) {
      this.#phase(group, group.rebalanceTimeoutMs, () => this.#complete(group))
    }
  }

  #delayInitial(group: Group, leftMs: number): void {
    const delay = Math.min(this.#options.initialRebalanceDelayMs, leftMs)
    this.#phase(group, delay, () => {
      if (group.grown && leftMs > delay) {
        group.grown = false
        this.#delayInitial(group, leftMs - delay)
      } else {
        this.#complete(group)
      }
    })
  }

  #completeIfAllJoined(group: Group): boolean {
    if (!group.allJoined()) return false
    this.#complete(group)
    return true
  }

  /** Ends the join phase: who is not there is out, unless static; everybody else gets the new generation. */
  #complete(group: Group): void {
    this.#timers.cancel(group.phase)
    group.phase = undefined
    group.inInitialDelay = false
    for (const member of [...group.members.values()]) {
      if (member.join || member.instanceId !== null) continue
      this.#timers.cancel(member.session)
      group.remove(member)
    }
    if (group.members.size > 0 && !group.electLeader()) {
      this.#phase(group, group.rebalanceTimeoutMs, () => this.#complete(group))
      return
    }
    group.generation++
    if (group.members.size === 0) {
      group.state = 'Empty'
      group.protocol = ''
      group.leader = ''
      this.#keep(group)
      return
    }
    group.state = 'CompletingRebalance'
    group.protocol = group.elect()
    for (const member of group.members.values()) {
      member.assignment = Buffer.alloc(0)
      const answer = member.join
      member.join = undefined
      this.#renew(group, member)
      answer?.(group.joined(member))
    }
    this.#phase(group, group.rebalanceTimeoutMs, () => this.#expireSync(group))
  }

  /** The leader's assignment arrived: the generation is at work. */
  #stabilize(group: Group, assignments: ReadonlyMap<string, Buffer>): void {
    for (const member of group.members.values()) {
      member.assignment = assignments.get(member.id) ?? Buffer.alloc(0)
    }
    if (!this.#keep(group)) {
      this.#rebalance(group)
      return
    }
    this.#timers.cancel(group.phase)
    group.phase = undefined
    group.state = 'Stable'
    for (const member of group.members.values()) {
      const answer = member.sync
      member.sync = undefined
      if (answer) this.#renew(group, member)
      answer?.({ error: codes.NONE, assignment: member.assignment })
    }
  }

  /** Members that did not ask for their assignment in time are out. */
  #expireSync(group: Group): void {
    if (group.state !== 'CompletingRebalance') return
    for (const member of [...group.members.values()]) if (!member.sync) this.#drop(group, member)
    this.#afterLoss(group)
  }

  #renew(group: Group, member: Member, timeoutMs = member.sessionTimeoutMs): void {
    this.#timers.cancel(member.session)
    member.session = this.#timers.after(timeoutMs, () => {
      // Who waits for an answer of ours cannot send heartbeats; a new member that waits too long has gone.
      const waits =
        member.sync !== undefined || (member.join !== undefined && timeoutMs !== NEW_MEMBER_TIMEOUT_MS)
      if (group.members.get(member.id) === member && !waits) this.#remove(group, member)
    })
  }

  #remove(group: Group, member: Member): void {
    this.#drop(group, member)
    this.#afterLoss(group)
  }

  #drop(group: Group, member: Member): void {
    this.#timers.cancel(member.session)
    member.join?.(group.refusal(codes.UNKNOWN_MEMBER_ID))
    member.sync?.({ error: codes.UNKNOWN_MEMBER_ID, assignment: Buffer.alloc(0) })
    member.join = undefined
    member.sync = undefined
    group.remove(member)
  }

  #removePending(group: Group, id: string): void {
    this.#timers.cancel(group.pending.get(id))
    group.pending.delete(id)
    if (group.state === 'PreparingRebalance') this.#rebalance(group)
  }

  #afterLoss(group: Group): void {
    if (group.state !== 'Empty') this.#rebalance(group)
  }

  /** Whether the group could be written down. */
  #keep(group: Group): boolean {
    return attempt(() => this.#store.save(group)) === codes.NONE
  }

  #phase(group: Group, ms: number, run: () => void): void {
    this.#timers.cancel(group.phase)
    group.phase = this.#timers.after(ms, run)
  }
}
