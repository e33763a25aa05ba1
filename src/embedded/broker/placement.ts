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

/** The placement with a leader that is up: the one it has, else the first replica that is. */
export function elect(nodes: Nodes, placement: Placement): Placement {
  const { replicas, leader } = placement
  if (replicas.includes(leader) && nodes.isAlive(leader)) return placement
  return withLeader(placement, replicas.find((id) => nodes.isAlive(id)) ?? -1)
}

export function withLeader(placement: Placement, leader: number): Placement {
  if (leader === placement.leader) return placement
  return { ...placement, leader, moves: placement.moves + 1 }
}

/** Other replicas; the epoch rises if one of the old ones loses the partition. */
export function withReplicas(nodes: Nodes, placement: Placement, replicas: readonly number[]): Placement {
  checkReplicas(nodes, replicas)
  const elected = elect(nodes, { ...placement, replicas })
  const isSmaller = placement.replicas.some((id) => !replicas.includes(id))
  const hasMoved = elected.moves > placement.moves
  return isSmaller && !hasMoved ? { ...elected, moves: elected.moves + 1 } : elected
}
