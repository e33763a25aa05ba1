import { codes, KafkaError } from './errors.ts'

/** Where a partition is; kept in the journal. */
export interface Placement {
  /** In the order of preference. */
  readonly replicas: readonly number[]
  /** -1 while no replica is up. */
  readonly leader: number
  /** How often the leader has changed. */
  readonly moves: number
}

/** The nodes that a placement may use. */
export interface Nodes {
  readonly nodes: readonly { readonly id: number }[]
  isAlive(id: number): boolean
}

/** Replicas of new partitions in turn over the nodes, the first replica leading. */
export function spread(
  { nodes }: Nodes,
  partitions: number,
  replication: number,
  start: number
): readonly (readonly number[])[] {
  if (replication < 1) {
    throw new KafkaError(codes.INVALID_REPLICATION_FACTOR, 'Replication factor must be larger than 0.')
  }
  if (replication > nodes.length) {
    throw new KafkaError(
      codes.INVALID_REPLICATION_FACTOR,
      `Unable to replicate the partition ${replication} time(s): there are ${nodes.length} brokers.`
    )
  }
  const node = (turn: number) => nodes[(start + turn) % nodes.length]?.id ?? -1
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: replication }, (_, replica) => node(partition + replica))
  )
}

/** Throws `INVALID_REPLICA_ASSIGNMENT` for replicas that repeat, are none or are nobody's. */
export function checkReplicas({ nodes }: Nodes, replicas: readonly number[]): void {
  const known = replicas.every((replica) => nodes.some(({ id }) => id === replica))
  if (known && replicas.length > 0 && new Set(replicas).size === replicas.length) return
  throw new KafkaError(codes.INVALID_REPLICA_ASSIGNMENT, `[${replicas.join(', ')}] are not replicas`)
}

/** Checks the replicas of a new topic's partitions, which all have the same number. */
export function checkAssignments(nodes: Nodes, assignments: readonly (readonly number[])[]): void {
  for (const replicas of assignments) checkReplicas(nodes, replicas)
  if (new Set(assignments.map(({ length }) => length)).size <= 1) return
  throw new KafkaError(codes.INVALID_REPLICA_ASSIGNMENT, 'The partitions have different numbers of replicas.')
}

/** The placement with a leader that is up: the one it has, else the first replica that is. */
export function elect(nodes: Nodes, placement: Placement): Placement {
  const { replicas, leader } = placement
  if (replicas.includes(leader) && nodes.isAlive(leader)) return placement
  return led(placement, replicas.find((id) => nodes.isAlive(id)) ?? -1)
}

/** Another leader, which must be up. A node without a replica takes the place of the leader that was. */
export function withLeader(nodes: Nodes, placement: Placement, node: number): Placement {
  if (!nodes.isAlive(node))
    throw new KafkaError(codes.ELIGIBLE_LEADERS_NOT_AVAILABLE, `node ${node} is not up`)
  const { replicas, leader } = placement
  const kept = replicas.includes(node) ? replicas : [node, ...replicas.filter((id) => id !== leader)]
  return led({ ...placement, replicas: kept }, node)
}

/** The first replica leads. Throws `ELECTION_NOT_NEEDED`, `PREFERRED_LEADER_NOT_AVAILABLE`. */
export function withPreferred(nodes: Nodes, placement: Placement): Placement {
  const preferred = placement.replicas[0] ?? -1
  if (placement.leader === preferred) {
    throw new KafkaError(codes.ELECTION_NOT_NEEDED, 'Leader election not needed for topic partition.')
  }
  if (!nodes.isAlive(preferred)) {
    throw new KafkaError(codes.PREFERRED_LEADER_NOT_AVAILABLE, 'The preferred leader was not available.')
  }
  return led(placement, preferred)
}

/** Other replicas; the epoch rises if one of the old ones loses the partition. */
export function withReplicas(nodes: Nodes, placement: Placement, replicas: readonly number[]): Placement {
  checkReplicas(nodes, replicas)
  const elected = elect(nodes, { ...placement, replicas })
  const isSmaller = placement.replicas.some((id) => !replicas.includes(id))
  const hasMoved = elected.moves > placement.moves
  return isSmaller && !hasMoved ? { ...elected, moves: elected.moves + 1 } : elected
}

function led(placement: Placement, leader: number): Placement {
  return leader === placement.leader ? placement : { ...placement, leader, moves: placement.moves + 1 }
}
