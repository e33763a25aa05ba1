import type { Logger } from 'pino'
import type { Link } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'

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

export interface TlsOptions {
  /** PEM texts, not paths. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: { reveal(): string }
}

export interface Metadata {
  readonly clusterId: string | undefined
  readonly controllerId: number
  readonly brokers: ReadonlyMap<number, BrokerAddress>
  readonly topics: ReadonlyMap<string, TopicMetadata>
}

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface TopicMetadata {
  /** UUID as hex with dashes; `undefined` where the broker has no topic ids (Metadata below v10). */
  readonly id: string | undefined
  readonly internal: boolean
  /** Kafka error code, 0 for none. */
  readonly error: number
  /** Ascending by partition. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface PartitionMetadata {
  readonly partition: number
  /** Node id, -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly error: number
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

/** A Kafka cluster: where its brokers are and how to reach them. One object per cluster and process. */
export class Cluster {
  readonly name: string
  readonly #options: ClusterOptions

  constructor(options: ClusterOptions) {
    this.name = options.name
    this.#options = options
  }

  /** Asks any broker; `topics` undefined means all of them. Topics that do not exist come with error 3. */
  metadata(_signal: AbortSignal, _topics?: readonly string[]): Promise<Metadata> {
    throw new Error(`not yet ${this.#options.name}`)
  }

  /** What was last learned of every topic asked for so far. */
  cached(): Metadata | undefined {
    throw new Error('not yet')
  }

  /** Opens a link of the caller's own; it is destroyed when `signal` aborts. */
  open(_nodeId: number, _signal: AbortSignal): Promise<Link> {
    throw new Error('not yet')
  }

  /** The node id of the coordinator, retried while none is available. */
  coordinator(_type: 'group' | 'transaction', _key: string, _signal: AbortSignal): Promise<number> {
    throw new Error('not yet')
  }

  createTopic(_name: string, _topic: NewTopic, _signal: AbortSignal): Promise<'created' | 'exists'> {
    throw new Error('not yet')
  }

  /** The effective values of these config keys; keys the broker does not know are absent. */
  topicConfig(
    _name: string,
    _keys: readonly string[],
    _signal: AbortSignal
  ): Promise<Record<string, string>> {
    throw new Error('not yet')
  }

  /** Offsets from the leaders, by `tp(topic, partition)`; retried while leaders move. */
  listOffsets(
    _parts: readonly OffsetQuery[],
    _isolation: 0 | 1,
    _signal: AbortSignal
  ): Promise<Map<string, number>> {
    throw new Error('not yet')
  }

  close(): void {}
}
