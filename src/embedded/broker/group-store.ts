import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'
import { Group } from './group.ts'

const STALE_ENTRIES_MAX = 10_000

/** A group as it was when its last generation came to work; protocols and assignment in base64. */
export interface GroupSnapshot {
  readonly group: string
  readonly generation: number
  readonly protocolType: string
  readonly protocol: string
  readonly leader: string
  readonly members: readonly MemberSnapshot[]
}

export interface MemberSnapshot {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly { readonly name: string; readonly metadata: string }[]
  readonly assignment: string
}

/** Group membership on disk, so that members of a restarted broker go on in their generation. */
export class GroupStore {
  readonly #journal: Journal<GroupSnapshot>
  readonly #disk: Disk
  readonly #snapshots = new Map<string, GroupSnapshot>()

  constructor(path: string, disk: Disk) {
    this.#disk = disk
    this.#journal = new Journal(path, (entry: GroupSnapshot) => this.#apply(entry))
    this.#journal.compact(this.all())
  }

  all(): readonly GroupSnapshot[] {
    return [...this.#snapshots.values()]
  }

  /** Throws when the disk does; the group then is on disk as it was before. */
  save(group: Group): void {
    this.#log(snapshotOf(group))
  }

  forget(group: string): void {
    if (!this.#snapshots.has(group)) return
    this.#log({ group, generation: 0, protocolType: '', protocol: '', leader: '', members: [] })
  }

  close(): void {
    this.#journal.close()
  }

  #log(snapshot: GroupSnapshot): void {
    this.#disk.append(this.#journal, snapshot)
    this.#apply(snapshot)
    if (this.#journal.entries > this.#snapshots.size + STALE_ENTRIES_MAX) this.#journal.compact(this.all())
  }

  #apply(snapshot: GroupSnapshot): void {
    if (snapshot.generation === 0) this.#snapshots.delete(snapshot.group)
    else this.#snapshots.set(snapshot.group, snapshot)
  }
}

/** The group as it was, without anybody in wait. */
export function restoreGroup(snapshot: GroupSnapshot): Group {
  const group = new Group(snapshot.group)
  group.generation = snapshot.generation
  group.protocolType = snapshot.protocolType
  group.protocol = snapshot.protocol
  group.state = snapshot.members.length === 0 ? 'Empty' : 'Stable'
  for (const member of snapshot.members) {
    const protocols = member.protocols.map(({ name, metadata }) => ({
      name,
      metadata: Buffer.from(metadata, 'base64')
    }))
    const assignment = Buffer.from(member.assignment, 'base64')
    group.add({ ...member, protocols, assignment, join: undefined, sync: undefined, session: undefined })
  }
  group.leader = snapshot.leader
  return group
}

function snapshotOf(group: Group): GroupSnapshot {
  const { id, generation, protocolType, protocol, leader } = group
  const members = [...group.members.values()].map((member) => ({
    id: member.id,
    instanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    protocols: member.protocols.map(({ name, metadata }) => ({
      name,
      metadata: metadata.toString('base64')
    })),
    assignment: member.assignment.toString('base64')
  }))
  return { group: id, generation, protocolType, protocol, leader, members }
}
