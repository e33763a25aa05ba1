import type { Cluster, Duty } from './cluster.ts'
import type { Groups } from './groups.ts'
import type { Listener } from './listener.ts'
import { elect, withLeader } from './placement.ts'
import type { Topics } from './topics.ts'

export interface NodesServices {
  readonly cluster: Cluster
  readonly topics: Topics
  readonly groups: Groups
}

/** Moves leaders and coordinators between the nodes, and takes nodes down and up. */
export class Nodes {
  readonly #services: NodesServices
  readonly #listeners: ReadonlyMap<number, Listener>

  /** @param listeners by node id */
  constructor(services: NodesServices, listeners: ReadonlyMap<number, Listener>) {
    this.#services = services
    this.#listeners = listeners
  }

  moveLeader(topic: string, partition: number, node: number): void {
    const { cluster, topics } = this.#services
    topics.place(topic, partition, (placement) => withLeader(cluster, placement, node))
  }

  moveCoordinator(duty: Duty, node: number): void {
    this.#handingOver(() => this.#services.cluster.moveCoordinator(duty, node))
  }

  async stop(node: number): Promise<void> {
    const closed = this.#listeners.get(node)?.close()
    this.#setAlive(node, false)
    await closed
  }

  async start(node: number): Promise<void> {
    const listener = this.#listeners.get(node)
    if (listener && !listener.isOpen) await listener.open()
    this.#setAlive(node, true)
  }

  #setAlive(node: number, isAlive: boolean): void {
    const { cluster, topics } = this.#services
    this.#handingOver(() => cluster.setAlive(node, isAlive))
    for (const { name, partitions } of topics.all()) {
      for (const partition of partitions.keys()) {
        topics.place(name, partition, (placement) => elect(cluster, placement))
      }
    }
  }

  /** The groups whose coordinator changes in this step change hands. */
  #handingOver(step: () => void): void {
    const { cluster, groups } = this.#services
    const coordinatorOf = (key: string) => cluster.coordinatorOf({ kind: 'group', key })?.id
    const before = groups.ids().map((id) => ({ id, node: coordinatorOf(id) }))
    step()
    for (const { id, node } of before) if (coordinatorOf(id) !== node) groups.handOver(id)
  }
}
