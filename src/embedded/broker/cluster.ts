import { Fault } from '../../errors.ts'

/** One node of the cluster, as clients are told of it. */
export interface NodeAddress {
  readonly id: number
  readonly host: string
  readonly port: number
}

/** What a coordinator is found for. */
export interface Duty {
  readonly kind: 'group' | 'transaction'
  /** A group id or a transactional id. */
  readonly key: string
}

/** Groups and transactional ids are spread over this many slots, as over the partitions of Kafka's internal topics. */
const SLOTS = 50

/**
 * The nodes of the cluster, which of them are up, and who coordinates what. There is one storage for all, so this is
 * no more than a table. It is not kept: after a start of the broker every node is up and has its duties back.
 */
export class Cluster {
  readonly nodes: readonly NodeAddress[]
  readonly #down = new Set<number>()
  /** The node of each slot; slots begin with a node each in turn. */
  readonly #coordinators: Record<Duty['kind'], number[]>

  constructor(nodes: readonly NodeAddress[]) {
    this.nodes = nodes
    const slots = Array.from({ length: SLOTS }, (_, slot) => nodes[slot % nodes.length]?.id ?? -1)
    this.#coordinators = { group: [...slots], transaction: [...slots] }
  }

  /** The nodes that are up. */
  get alive(): readonly NodeAddress[] {
    return this.nodes.filter(({ id }) => this.isAlive(id))
  }

  /** The node that clients are told to create topics at; any other does it as well. */
  get controller(): number {
    return this.alive[0]?.id ?? -1
  }

  has(id: number): boolean {
    return this.nodes.some((node) => node.id === id)
  }

  isAlive(id: number): boolean {
    return this.has(id) && !this.#down.has(id)
  }

  coordinatorOf({ kind, key }: Duty): NodeAddress | undefined {
    const id = this.#coordinators[kind][slotOf(key)]
    return this.alive.find((node) => node.id === id)
  }

  isCoordinator(node: number, duty: Duty): boolean {
    return this.coordinatorOf(duty)?.id === node
  }

  /** Gives the duty, and all others of its slot, to another node. */
  moveCoordinator({ kind, key }: Duty, node: number): void {
    this.#known(node)
    this.#coordinators[kind][slotOf(key)] = node
  }

  /** Takes a node out of the cluster, its duties going to the next one that is up, or back in without any. */
  setAlive(node: number, isAlive: boolean): void {
    this.#known(node)
    if (isAlive) this.#down.delete(node)
    else this.#down.add(node)
    for (const slots of Object.values(this.#coordinators)) {
      for (const [slot, holder] of slots.entries()) {
        if (!this.isAlive(holder)) slots[slot] = this.#after(holder)
      }
    }
  }

  #after(node: number): number {
    const index = this.nodes.findIndex(({ id }) => id === node)
    const others = [...this.nodes.slice(index + 1), ...this.nodes.slice(0, index)]
    return others.find(({ id }) => this.isAlive(id))?.id ?? node
  }

  #known(id: number): void {
    if (!this.has(id)) throw new Fault('node-unknown', `the cluster has no node ${id}`)
  }
}

/** Java's hash of the string, as in Kafka. */
function slotOf(key: string): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return (hash & 0x7fffffff) % SLOTS
}
