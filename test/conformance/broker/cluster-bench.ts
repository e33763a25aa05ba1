import { fresh, settled, until } from './bench.ts'
import {
  type ClusterView,
  clusterView,
  coordinator,
  createAssigned,
  electPreferred,
  fetchFromLeader,
  reassign
} from './leadership-requests.ts'
import { RawClient } from './raw-client.ts'
import type { At } from './requests.ts'

/** A cluster of three nodes under test. */
export interface ClusterSubject {
  readonly nodes: readonly { readonly id: number; readonly address: string }[]
  /** Ends a node without a warning. */
  stopNode(id: number): Promise<void>
  /** Brings it back at its address, with its data. */
  startNode(id: number): Promise<void>
}

/** A connection to each node, made when it is first wanted. */
export class ClusterClients {
  readonly ids: readonly number[]
  readonly #subject: ClusterSubject
  readonly #clients = new Map<number, RawClient>()

  constructor(subject: ClusterSubject) {
    this.#subject = subject
    this.ids = subject.nodes.map(({ id }) => id)
  }

  async at(node: number): Promise<RawClient> {
    const known = this.#clients.get(node)
    if (known) return known
    const address = this.#subject.nodes.find(({ id }) => id === node)?.address ?? ''
    const client = await RawClient.connect(address)
    this.#clients.set(node, client)
    return client
  }

  /** The first node but this one. */
  other(node: number): number {
    return this.ids.find((id) => id !== node) ?? -1
  }

  /** Forgets the connection to a node that has ended. */
  drop(node: number): void {
    this.#clients.get(node)?.close()
    this.#clients.delete(node)
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
  }

  /** A new topic with these replicas, once all nodes tell of it and its leaders lead. */
  async newTopic(replicas: readonly (readonly number[])[]): Promise<string> {
    const topic = fresh('topic')
    const error = await settled(
      await this.at(this.ids[0] ?? -1),
      createAssigned(topic, replicas),
      (code) => code
    )
    if (error !== 0) throw new Error(`the topic ${topic} was refused: ${error}`)
    for (const [partition, [leader = -1, ...followers]] of replicas.entries()) {
      await this.ledBy({ topic, partition }, leader, followers)
    }
    return topic
  }

  /** Lets another node lead, as an operator does: it becomes the preferred one, and then is elected. */
  async move(at: At, leader: number): Promise<void> {
    const client = await this.at(leader)
    const { partitions } = await client.call(clusterView(at.topic))
    const others = (partitions[at.partition]?.replicas ?? []).filter((id) => id !== leader)
    const altered = await client.call(reassign(at, [leader, ...others]))
    if (altered !== 0) throw new Error(`the reassignment was refused: ${altered}`)
    // While the reassignment is under way the old leader may already have gone.
    await until(client, electPreferred(at), (error) => error === 0 || error === 84)
    await this.ledBy(at, leader, others)
  }

  /** Resolves when all nodes say so, the leader leads, and the others have heard that they do not. */
  async ledBy({ topic, partition }: At, leader: number, followers: readonly number[]): Promise<void> {
    const isLed = ({ partitions }: ClusterView) => partitions[partition]?.leader === leader
    for (const id of [leader, ...followers]) {
      const client = await this.at(id)
      await until(client, clusterView(topic), isLed)
      const wanted = id === leader ? 0 : 6
      await until(client, fetchFromLeader({ topic, partition }, 0), ({ error }) => error === wanted)
    }
  }

  async coordinatorOf(kind: 'group' | 'transaction', key: string, node = this.ids[0] ?? -1): Promise<number> {
    return until(await this.at(node), coordinator(kind, key), (id) => id >= 0)
  }

  /** A new name whose coordinator is this node. */
  async nameAt(kind: 'group' | 'transaction', node: number): Promise<string> {
    for (;;) {
      const name = fresh(kind)
      if ((await this.coordinatorOf(kind, name)) === node) return name
    }
  }
}

export async function withCluster(
  subject: ClusterSubject,
  test: (clients: ClusterClients) => Promise<void>
): Promise<void> {
  const clients = new ClusterClients(subject)
  try {
    await test(clients)
  } finally {
    clients.close()
  }
}
