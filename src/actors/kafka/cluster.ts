import protocol from 'kafkajs/src/protocol/requests/index.js'
import type { Logger } from 'pino'
import { Fault, toFault } from '../../errors.ts'
import { ask } from './ask.ts'
import { kafkaFault, refusal } from './errors.ts'
import type { SaslOptions } from './handshake.ts'
import { type Link, openLink } from './link.ts'
import {
  type BrokerAddress,
  type Metadata,
  metadataApi,
  partitionIn,
  type TopicMetadata
} from './metadata.ts'
import type { TlsOptions } from './socket.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { retrying, unlessAborted } from './waiting.ts'

export type { SaslOptions } from './handshake.ts'
export type { BrokerAddress, Metadata, PartitionMetadata, TopicMetadata } from './metadata.ts'
export type { TlsOptions } from './socket.ts'

export interface ClusterOptions {
  /** The cluster's name in the config; appears in faults and logs. */
  readonly name: string
  /** Bootstrap brokers as `host:port`. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** `{}` is TLS with the system's certificate authorities; `undefined` is plain text. */
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly log: Logger
}

export interface NewTopic {
  readonly partitions: number
  /** Replication factor; -1 takes the broker's default. */
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

/** -1: the next offset to be written (bounded by the last stable offset at isolation 1). -2: the first kept one. */
export interface OffsetQuery extends TopicPartition {
  readonly timestamp: -1 | -2
}

const { CreateTopics, DescribeConfigs, GroupCoordinator, ListOffsets } = protocol.requests
const TOPIC_RESOURCE = 2
const LEADER_NOT_AVAILABLE = 5
const TOPIC_ALREADY_EXISTS = 36
const nothing: Metadata = { clusterId: undefined, controllerId: -1, brokers: new Map(), topics: new Map() }

/**
 * A Kafka cluster: where its brokers are and how to reach them. One object per cluster and process; it keeps one shared
 * link per broker for short questions, and opens links of their own for whoever moves data.
 *
 * Methods reject with a Fault; `signal` ends every wait. Those that retry do so for at most the request timeout.
 */
export class Cluster {
  readonly name: string
  readonly requestTimeoutMs: number
  readonly log: Logger
  readonly #options: ClusterOptions
  readonly #closing = new AbortController()
  readonly #shared = new Map<string, Promise<Link>>()
  #cached: Metadata = nothing

  constructor(options: ClusterOptions) {
    this.name = options.name
    this.requestTimeoutMs = options.requestTimeoutMs
    this.log = options.log
    this.#options = options
  }

  /** The first of the config's brokers, as `host:port`: where an operator's command finds the cluster. */
  get bootstrap(): string {
    return this.#options.brokers[0] ?? ''
  }

  /**
   * Asks the first broker that answers; `topics` undefined means all of them. Topics that do not exist come with error
   * 3. The answer replaces what is cached of the topics asked for.
   */
  async metadata(signal: AbortSignal, topics?: readonly string[]): Promise<Metadata> {
    const answer = await this.#askAny((link) => link.call(metadataApi(link, topics)), signal)
    const kept = topics === undefined ? [] : this.#cached.topics
    this.#cached = { ...answer, topics: new Map<string, TopicMetadata>([...kept, ...answer.topics]) }
    return answer
  }

  /** What was last learned of the brokers and of every topic asked for so far. */
  cached(): Metadata | undefined {
    return this.#cached === nothing ? undefined : this.#cached
  }

  /** Opens a link of the caller's own; it is destroyed when `signal` aborts. */
  async open(nodeId: number, signal: AbortSignal): Promise<Link> {
    const address = await this.#address(nodeId, signal)
    try {
      return await openLink({ ...this.#options, ...address }, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw this.named(error)
    }
  }

  /** The node id of the coordinator; retried while there is none. */
  coordinator(type: 'group' | 'transaction', key: string, signal: AbortSignal): Promise<number> {
    const coordinatorType = type === 'group' ? 0 : 1
    return this.#retrying(signal, async () => {
      const answer = await this.#askAny(
        (link) => ask(link, GroupCoordinator, { groupId: key, coordinatorType }),
        signal
      )
      if (answer.errorCode !== 0) {
        throw this.named(kafkaFault(answer.errorCode, `coordinator of ${type} ${key}`))
      }
      const { nodeId, host, port } = answer.coordinator
      this.#cached = {
        ...this.#cached,
        brokers: new Map([...this.#cached.brokers, [nodeId, { host, port }]])
      }
      return nodeId
    })
  }

  /** Creates a topic unless it exists; the configs of an existing one are left alone. */
  createTopic(name: string, topic: NewTopic, signal: AbortSignal): Promise<'created' | 'exists'> {
    const configEntries = Object.entries(topic.configs).map(([key, value]) => ({ name: key, value }))
    const { partitions: numPartitions, replication: replicationFactor } = topic
    const topics = [{ topic: name, numPartitions, replicationFactor, configEntries }]
    return this.#retrying(signal, async () => {
      const { controllerId } = await this.metadata(signal, [])
      const link = await this.#link(controllerId, signal)
      const asked = ask(link, CreateTopics, { topics, timeout: this.requestTimeoutMs })
      const { topicErrors } = await unlessAborted(asked, signal)
      const code = topicErrors[0]?.errorCode ?? -1
      if (code === TOPIC_ALREADY_EXISTS) return 'exists'
      const fault = refusal(code, `topic ${name} on ${this.name}`, topicErrors[0]?.errorMessage)
      if (fault !== undefined) throw fault
      return 'created'
    })
  }

  /** Puts a question to any broker, over a shared link; what passes by itself is asked again. */
  ask<T>(question: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#retrying(signal, () => this.#askAny(question, signal))
  }

  /** The same to one broker. */
  askNode<T>(nodeId: number, question: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#retrying(signal, async () =>
      unlessAborted(question(await this.#link(nodeId, signal)), signal)
    )
  }

  /** The same to the controller, or to a broker that stands for it. */
  askController<T>(question: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#retrying(signal, async () => {
      const { controllerId } = await this.metadata(signal, [])
      return unlessAborted(question(await this.#link(controllerId, signal)), signal)
    })
  }

  /** The effective values of these config keys; keys the broker does not know are absent. */
  topicConfig(name: string, keys: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
    return this.#retrying(signal, async () => {
      const resources = [{ type: TOPIC_RESOURCE, name, configNames: keys }]
      const answer = await this.#askAny(
        (link) => ask(link, DescribeConfigs, { resources, includeSynonyms: false }),
        signal
      )
      const resource = answer.resources[0]
      const code = resource?.errorCode ?? -1
      if (resource === undefined || code !== 0) throw kafkaFault(code, `config of topic ${name}`)
      return Object.fromEntries(
        resource.configEntries.flatMap(({ configName, configValue }) =>
          configValue === null ? [] : [[configName, configValue]]
        )
      )
    })
  }

  /** Offsets from the leaders, by `tp(topic, partition)`; what a leader refuses for now (5, 6, 78) is asked again. */
  async listOffsets(
    parts: readonly OffsetQuery[],
    isolation: 0 | 1,
    signal: AbortSignal
  ): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    let open = parts
    let attempts = 0
    await this.#retrying(signal, async () => {
      const topics = [...new Set(open.map(({ topic }) => topic))]
      if (topics.length === 0) return
      if (attempts++ > 0 || topics.some((topic) => !this.#cached.topics.has(topic))) {
        await this.metadata(signal, topics)
      }
      const byLeader = Map.groupBy(open, ({ topic, partition }) => this.leader(topic, partition) ?? -1)
      const faults = await Promise.all(
        [...byLeader].map(([node, queries]) => this.#listFrom(node, queries, isolation, found, signal))
      )
      open = open.filter(({ topic, partition }) => !found.has(tp(topic, partition)))
      const fault = faults.find((one) => one?.retryable === false) ?? faults.find((one) => one !== undefined)
      if (fault !== undefined) throw fault
    })
    return found
  }

  /** The leader's node id as last learned, `undefined` when there is none. */
  leader(topic: string, partition: number): number | undefined {
    const known = partitionIn(this.#cached.topics.get(topic), partition)
    return known === undefined || known.leader < 0 ? undefined : known.leader
  }

  /** Ends the shared links. Links from `open` belong to their owners. */
  close(): void {
    this.#closing.abort(new Fault('cluster-closed', `cluster ${this.name} was closed`))
  }

  async #listFrom(
    node: number,
    queries: readonly OffsetQuery[],
    isolationLevel: 0 | 1,
    found: Map<string, number>,
    signal: AbortSignal
  ): Promise<Fault | undefined> {
    if (node < 0) return this.#leaderless(queries)
    const byTopic = Map.groupBy(queries, ({ topic }) => topic)
    const topics = [...byTopic].map(([topic, partitions]) => ({ topic, partitions }))
    try {
      const link = await this.#link(node, signal)
      const asked = ask(link, ListOffsets, { replicaId: -1, isolationLevel, topics })
      const { responses } = await unlessAborted(asked, signal)
      let fault: Fault | undefined
      for (const { topic, partitions } of responses) {
        for (const { partition, errorCode, offset } of partitions) {
          if (errorCode === 0) found.set(tp(topic, partition), Number(offset))
          else fault = kafkaFault(errorCode, `offsets of ${tp(topic, partition)} on ${this.name}`)
        }
      }
      return fault
    } catch (error) {
      signal.throwIfAborted()
      return toFault(error)
    }
  }

  /** Why partitions have no leader: their topic may be one that we may not see. */
  #leaderless(queries: readonly TopicPartition[]): Fault {
    const errors = queries.map(({ topic }) => this.#cached.topics.get(topic)?.error ?? 0)
    const code = errors.find((error) => error !== 0) ?? LEADER_NOT_AVAILABLE
    return kafkaFault(code, `${describe(queries)} on ${this.name}`)
  }

  #retrying<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    return retrying(attempt, signal, this.requestTimeoutMs)
  }

  /** Asks one broker after the other until one answers; rejects with what the likeliest of them said. */
  async #askAny<T>(question: (link: Link) => Promise<T>, signal: AbortSignal): Promise<T> {
    let first: Fault | undefined
    for (const address of this.#candidates()) {
      try {
        const link = await this.#sharedLink(address, signal)
        return await unlessAborted(question(link), signal)
      } catch (error) {
        signal.throwIfAborted()
        const fault = this.named(error)
        if (!fault.retryable) throw fault
        first ??= fault
      }
    }
    throw first ?? new Fault('unreachable', `cluster ${this.name} has no brokers`)
  }

  /** Brokers with an open link first, then those the cluster named, then the bootstrap list. */
  #candidates(): BrokerAddress[] {
    const bootstrap = this.#options.brokers.map(parseAddress)
    const all = [...this.#cached.brokers.values(), ...bootstrap]
    const unique = new Map(all.map((address) => [written(address), address]))
    return [...unique.values()].sort((a, b) => this.#rank(a) - this.#rank(b))
  }

  #rank(address: BrokerAddress): number {
    return this.#shared.has(written(address)) ? 0 : 1
  }

  async #address(nodeId: number, signal: AbortSignal): Promise<BrokerAddress> {
    const known = this.#cached.brokers.get(nodeId)
    if (known !== undefined) return known
    await this.metadata(signal, [])
    const found = this.#cached.brokers.get(nodeId)
    if (found !== undefined) return found
    throw new Fault('broker-unknown', `cluster ${this.name} knows no broker ${nodeId}`, { retryable: true })
  }

  async #link(nodeId: number, signal: AbortSignal): Promise<Link> {
    return this.#sharedLink(await this.#address(nodeId, signal), signal)
  }

  async #sharedLink(address: BrokerAddress, signal: AbortSignal): Promise<Link> {
    const id = written(address)
    const opening = this.#shared.get(id) ?? this.#openShared(id, address)
    const link = await unlessAborted(opening, signal)
    return link.alive ? link : unlessAborted(this.#openShared(id, address), signal)
  }

  #openShared(id: string, address: BrokerAddress): Promise<Link> {
    const opening = openLink({ ...this.#options, ...address }, this.#closing.signal)
    const forget = () => {
      if (this.#shared.get(id) === opening) this.#shared.delete(id)
    }
    opening.then((link) => link.closed.then(forget), forget)
    this.#shared.set(id, opening)
    return opening
  }

  named(error: unknown): Fault {
    const fault = toFault(error)
    return new Fault(fault.code, `cluster ${this.name}: ${fault.message}`, {
      cause: fault,
      retryable: fault.retryable
    })
  }
}

function describe(queries: readonly TopicPartition[]): string {
  return queries.map(({ topic, partition }) => tp(topic, partition)).join(', ')
}

function written({ host, port }: BrokerAddress): string {
  return `${host}:${port}`
}

/** `host:port`; an IPv6 host may stand in brackets. */
function parseAddress(address: string): BrokerAddress {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}
