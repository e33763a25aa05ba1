import { codes, KafkaError } from './errors.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export interface Protocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinRequest {
  readonly group: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly memberId: string
  readonly instanceId: string | null
  readonly protocolType: string
  readonly protocols: readonly Protocol[]
  readonly clientId: string
  readonly clientHost: string
  /** KIP-394: a new dynamic member has to come back with the id it is given (version 4 and later). */
  readonly idRequired: boolean
}

/** One of a group's members, as a request names it. */
export interface MemberIdentity {
  readonly memberId: string
  readonly instanceId: string | null
}

export interface JoinAnswer {
  readonly error: number
  readonly generation: number
  readonly protocol: string
  readonly leader: string
  readonly memberId: string
  /** Only the leader gets them. */
  readonly members: readonly {
    readonly id: string
    readonly instanceId: string | null
    readonly metadata: Buffer
  }[]
}

export interface SyncAnswer {
  readonly error: number
  readonly assignment: Buffer
}

export interface Member {
  id: string
  readonly instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Buffer
  /** The answer to a JoinGroup in wait; so the member has joined the coming generation. */
  join: ((answer: JoinAnswer) => void) | undefined
  /** The answer to a SyncGroup in wait. */
  sync: ((answer: SyncAnswer) => void) | undefined
  session: NodeJS.Timeout | undefined
}

/** The state of one consumer group (Kafka's `ClassicGroup`); the coordinator moves it. */
export class Group {
  readonly id: string
  state: GroupState = 'Empty'
  generation = 0
  protocolType = ''
  protocol = ''
  leader = ''
  readonly members = new Map<string, Member>()
  /** Group instance id to member id (KIP-345). */
  readonly statics = new Map<string, string>()
  /** Ids given out by `MEMBER_ID_REQUIRED` that have not come back yet. */
  readonly pending = new Map<string, NodeJS.Timeout>()
  /** The timer of the join or sync phase. */
  phase: NodeJS.Timeout | undefined
  inInitialDelay = false
  /** Somebody joined during the initial delay, so it is worth waiting once more. */
  grown = false

  constructor(id: string) {
    this.id = id
  }

  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map((member) => member.rebalanceTimeoutMs))
  }

  allJoined(): boolean {
    return this.pending.size === 0 && [...this.members.values()].every((member) => member.join !== undefined)
  }

  /** Whether a member with these protocols has one in common with all others. */
  supports(type: string, protocols: readonly Protocol[]): boolean {
    if (type === '' || protocols.length === 0) return false
    if (this.members.size === 0) return true
    return type === this.protocolType && protocols.some(({ name }) => this.#isCommon(name))
  }

  /** The protocol that all members have and most prefer. */
  elect(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this.members.values()) {
      const choice = protocols.find(({ name }) => this.#isCommon(name))
      if (choice) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
    }
    return [...votes].sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
  }

  /** The member, or why this caller may not act as it. */
  member(id: string, instanceId: string | null): Member {
    if (instanceId !== null) {
      const owner = this.statics.get(instanceId)
      if (owner === undefined)
        throw new KafkaError(codes.UNKNOWN_MEMBER_ID, `${instanceId} is not in ${this.id}`)
      if (owner !== id)
        throw new KafkaError(codes.FENCED_INSTANCE_ID, `${instanceId} is now held by ${owner}`)
    }
    const member = this.members.get(id)
    if (member) return member
    throw new KafkaError(codes.UNKNOWN_MEMBER_ID, `${id} is not a member of ${this.id}`)
  }

  /** The member, if the caller is in the current generation. */
  current(id: string, instanceId: string | null, generation: number): Member {
    const member = this.member(id, instanceId)
    if (generation === this.generation) return member
    throw new KafkaError(codes.ILLEGAL_GENERATION, `generation ${generation} is not ${this.generation}`)
  }

  add(member: Member): void {
    this.members.set(member.id, member)
    if (member.instanceId !== null) this.statics.set(member.instanceId, member.id)
    if (this.leader === '') this.leader = member.id
  }

  remove(member: Member): void {
    this.members.delete(member.id)
    if (member.instanceId !== null && this.statics.get(member.instanceId) === member.id) {
      this.statics.delete(member.instanceId)
    }
    if (this.leader === member.id) this.leader = this.#firstJoined()?.id ?? this.#first()?.id ?? ''
  }

  /** Gives a static member a new id; whoever still waits under the old one is fenced. */
  replace(member: Member, id: string): void {
    member.join?.({ ...this.refusal(codes.FENCED_INSTANCE_ID), memberId: member.id })
    member.sync?.({ error: codes.FENCED_INSTANCE_ID, assignment: Buffer.alloc(0) })
    member.join = undefined
    member.sync = undefined
    const wasLeader = this.leader === member.id
    this.members.delete(member.id)
    member.id = id
    this.add(member)
    if (wasLeader) this.leader = id
  }

  /** Keeps the leader if it has joined, else takes one that has. False when nobody has. */
  electLeader(): boolean {
    if (this.members.get(this.leader)?.join) return true
    const joined = this.#firstJoined()
    if (joined) this.leader = joined.id
    return joined !== undefined
  }

  joined(member: Member): JoinAnswer {
    return {
      error: codes.NONE,
      generation: this.generation,
      protocol: this.protocol,
      leader: this.leader,
      memberId: member.id,
      members: this.leader === member.id ? this.subscriptions() : []
    }
  }

  refusal(error: number, memberId = ''): JoinAnswer {
    return { error, generation: -1, protocol: '', leader: '', memberId, members: [] }
  }

  subscriptions(): JoinAnswer['members'] {
    return [...this.members.values()].map(({ id, instanceId, protocols }) => ({
      id,
      instanceId,
      metadata: metadataOf(protocols, this.protocol)
    }))
  }

  #isCommon(name: string): boolean {
    return [...this.members.values()].every(({ protocols }) => protocols.some((one) => one.name === name))
  }

  #first(): Member | undefined {
    return this.members.values().next().value
  }

  #firstJoined(): Member | undefined {
    return [...this.members.values()].find((member) => member.join !== undefined)
  }
}

export function metadataOf(protocols: readonly Protocol[], name: string): Buffer {
  return protocols.find((one) => one.name === name)?.metadata ?? Buffer.alloc(0)
}

/** Whether a member joins with what it joined with before. */
export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index]
      return other !== undefined && one.name === other.name && one.metadata.equals(other.metadata)
    })
  )
}

/** A member that joins again may come with other terms. */
export function update(member: Member, request: JoinRequest): void {
  member.protocols = request.protocols
  member.sessionTimeoutMs = request.sessionTimeoutMs
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
  member.clientId = request.clientId
  member.clientHost = request.clientHost
}
