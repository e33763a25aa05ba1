import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../../errors.ts'
import { Faults } from '../faults.ts'
import type { Services } from './api.ts'
import { createApis } from './apis/index.ts'
import { BrokerConfig } from './broker-config.ts'
import { Cluster, type Duty, type NodeAddress } from './cluster.ts'
import { Connection } from './connection.ts'
import { Disk } from './disk.ts'
import { codes } from './errors.ts'
import { GroupStore } from './group-store.ts'
import { type GroupOptions, Groups } from './groups.ts'
import { Housekeeping, type HousekeepingOptions } from './housekeeping.ts'
import { Listener } from './listener.ts'
import { Nodes } from './nodes.ts'
import { OffsetStore } from './offsets.ts'
import { Timers } from './timers.ts'
import { Topics, type TopicsOptions } from './topics.ts'
import { Transactions } from './transactions.ts'

/** The first line of `<dataDir>/version`; another one is not opened. */
const FORMAT = 'causeway-broker 1'

/** What the broker tells; a pino logger fits. */
export interface BrokerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface BrokerOptions {
  /** Created when it is missing. One broker at a time. */
  readonly dataDir: string
  /** How many nodes the cluster has; 1 by default. They share this process and its storage. */
  readonly nodes?: number
  /** Of the first node; the others follow. */
  readonly nodeId?: number
  /** Of the first node, or of each; 0 or left out takes any free port. */
  readonly port?: number | readonly number[]
  /** Where it listens and what it tells clients to connect to; loopback by default. */
  readonly host?: string
  /** For a new data directory; an old one keeps its own. */
  readonly clusterId?: string
  readonly faults?: Faults
  /** Force every append to the disk before it is acknowledged. Off: a power cut may lose data, a kill does not. */
  readonly fsync?: boolean
  /** Create topics when clients ask for them. Off by default, unlike Kafka. */
  readonly autoCreateTopics?: boolean
  /** `num.partitions` and `default.replication.factor`, each 1 by default. */
  readonly topics?: Partial<TopicsOptions['defaults']>
  readonly groups?: Partial<GroupOptions>
  /** Kafka's own intervals by default. */
  readonly housekeeping?: Partial<HousekeepingOptions>
  readonly log?: BrokerLog
  readonly now?: () => number
}

export interface EmbeddedBroker {
  /** Bootstrap addresses, `host:port`, of all nodes. */
  readonly brokers: string[]
  /** Of the first node. */
  readonly port: number
  readonly nodes: readonly NodeAddress[]
  readonly clusterId: string
  readonly faults: Faults
  /** Lets another node lead a partition, under a new epoch. A node without a replica takes the old leader's place. */
  moveLeader(topic: string, partition: number, node: number): void
  /** Lets another node coordinate a group or a transactional id, and what else is in its slot. */
  moveCoordinator(kind: Duty['kind'], key: string, node: number): void
  /** Ends a node as a crash would: its connections break, and what it led and coordinated goes to others. */
  stopNode(node: number): Promise<void>
  /** Brings a node back on its port. It leads nothing but what has no other leader. */
  startNode(node: number): Promise<void>
  /** Deletes what is over its topic's retention now, without waiting for the timer. */
  retain(): void
  /** Compacts the topics that are due now, without waiting for the timer. */
  clean(): void
  /** Closes connections and files. Open transactions stay open and are resumed by the next start. */
  stop(): Promise<void>
  /** Drops sockets and files at once, as the death of the process would. */
  kill(): void
}

/**
 * Starts a broker that speaks Kafka's protocol, durable, for tests and the demo: one node, or several that share one
 * storage, so that clients meet leaders and coordinators at different addresses and see them move.
 *
 * Throws `port-in-use`, `data-dir-version`, `data-dir-not-writable`, `log-corrupt`.
 *
 * Fault rules see `Produce hybrid-0 hybrid-1`, `Fetch hybrid-0`, `EndTxn <transactional id>`, `JoinGroup <group>` and so
 * on: the API's name and what the request is about. `answer` then fails the whole request. `Append hybrid-0` with
 * `answer` fails one partition of a Produce, `WriteTxnMarkers <transactional id>` holds a decided transaction before
 * its markers (`delay`, `hang`; anything else is tried again). `disk-full` lets the writes of that request fail.
 */
export async function startBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const { dataDir, host = '127.0.0.1', nodeId = 1, faults = new Faults(), log } = options
  prepareDirectory(dataDir)
  // The ports first: whoever holds one may be the broker that has this directory open.
  const listeners = await listen(host, portsOf(options))
  const disk = new Disk({ fsync: options.fsync ?? false })
  const timers = new Timers()
  const close = once(async () => {
    timers.close()
    disk.close()
    await Promise.all(listeners.map((listener) => listener.close()))
  })
  try {
    const nodes = listeners.map(({ port }, index) => ({ id: nodeId + index, host, port }))
    const services = openServices({ ...options, addresses: nodes, faults, disk, timers })
    const { stores, transactions } = services
    const shared = { faults, disk, timers, log }
    for (const [index, node] of nodes.entries()) serve(listeners[index], node, services, shared)
    transactions.resume()
    const housekeeping = keepHouse(services, options)
    const { clusterId } = services.topics
    const [{ port } = { port: 0 }] = nodes
    log?.info({ host, port, nodes: nodes.length, dataDir, clusterId }, 'embedded broker listens')
    const stop = once(async () => {
      const closed = close()
      for (const store of stores) store.close()
      await closed
    })
    const control = new Nodes(
      services,
      new Map(listeners.map((listener, index) => [nodeId + index, listener]))
    )
    return {
      brokers: nodes.map((node) => `${host}:${node.port}`),
      port,
      nodes,
      clusterId,
      faults,
      moveLeader: (topic, partition, node) => control.moveLeader(topic, partition, node),
      moveCoordinator: (kind, key, node) => control.moveCoordinator({ kind, key }, node),
      stopNode: (node) => control.stop(node),
      startNode: (node) => control.start(node),
      retain: () => housekeeping.retain(),
      clean: () => housekeeping.clean(),
      kill: () => void stop(),
      stop
    }
  } catch (error) {
    await close()
    throw error
  }
}

interface Parts {
  readonly faults: Faults
  readonly disk: Disk
  readonly timers: Timers
}

interface Closable {
  close(): void
}

/** What all nodes share. */
interface SharedServices extends Omit<Services, 'node'> {
  readonly stores: readonly Closable[]
}

/** Opens what is in the data directory, in the order in which the parts need each other. */
function openServices(
  options: BrokerOptions & Parts & { readonly addresses: readonly NodeAddress[] }
): SharedServices {
  const { dataDir, clusterId, addresses, faults, disk, timers, now = Date.now } = options
  const cluster = new Cluster(addresses)
  const defaults = { partitions: 1, replication: 1, ...options.topics }
  const brokerConfig = new BrokerConfig(join(dataDir, 'broker.journal'), disk, {
    'num.partitions': defaults.partitions,
    'default.replication.factor': defaults.replication
  })
  const topics = new Topics(dataDir, disk, { cluster, clusterId, defaults })
  const offsets = new OffsetStore(join(dataDir, 'offsets.journal'), disk)
  const groupStore = new GroupStore(join(dataDir, 'groups.journal'), disk)
  const groups = new Groups(offsets, groupStore, timers, {
    initialRebalanceDelayMs: 50,
    minSessionTimeoutMs: 100,
    ...options.groups
  })
  const path = join(dataDir, 'transactions.journal')
  const transactions = new Transactions({ path, disk, topics, offsets, faults, timers, now })
  const refusal = (subject: string) => {
    const action = faults.next(subject)
    if (action?.type === 'disk-full') return codes.KAFKA_STORAGE_ERROR
    return action?.type === 'answer' ? action.code : codes.NONE
  }
  const autoCreateTopics = options.autoCreateTopics ?? false
  const stores = [transactions, groupStore, offsets, topics, brokerConfig]
  const kept = { brokerConfig, topics, groups, offsets, transactions }
  return { cluster, ...kept, timers, autoCreateTopics, now, refusal, stores }
}

function keepHouse(
  { topics, timers, now }: SharedServices,
  { housekeeping, log }: BrokerOptions
): Housekeeping {
  const onError = (error: unknown, partition: string) =>
    log?.warn({ err: error, partition }, 'retention or compaction failed and is tried again')
  const intervals = { retentionCheckMs: 300_000, cleanerBackoffMs: 15_000, ...housekeeping }
  return new Housekeeping({ topics, timers, now, onError }, intervals)
}

/** Lets a node answer its connections. */
function serve(
  listener: Listener | undefined,
  node: NodeAddress,
  services: SharedServices,
  shared: Parts & { readonly log: BrokerLog | undefined }
): void {
  const { log, ...parts } = shared
  const apis = createApis({ ...services, node })
  const isCoordinator = (duty: Duty) => services.cluster.isCoordinator(node.id, duty)
  const onError = (error: unknown, request: string) => log?.warn({ err: error, request }, 'connection closed')
  listener?.onConnection((socket) => new Connection(socket, { ...parts, apis, isCoordinator, onError }))
}

function portsOf({ nodes, port = 0 }: BrokerOptions): readonly number[] {
  const given = typeof port === 'number' ? [port] : port
  const count = nodes ?? given.length
  return Array.from({ length: count }, (_, index) => given[index] ?? 0)
}

async function listen(host: string, ports: readonly number[]): Promise<readonly Listener[]> {
  const listeners: Listener[] = []
  try {
    for (const port of ports) {
      const listener = new Listener(host, port)
      await listener.open()
      listeners.push(listener)
    }
    return listeners
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()))
    throw error
  }
}

function once<T>(run: () => T): () => T {
  let done: { readonly result: T } | undefined
  return () => {
    done ??= { result: run() }
    return done.result
  }
}

function prepareDirectory(dataDir: string): void {
  const file = join(dataDir, 'version')
  try {
    mkdirSync(dataDir, { recursive: true })
    accessSync(dataDir, constants.W_OK | constants.X_OK)
    if (!existsSync(file)) writeFileSync(file, `${FORMAT}\n`)
  } catch (cause) {
    throw new Fault('data-dir-not-writable', `the data directory ${dataDir} is not writable`, { cause })
  }
  const found = readFileSync(file, 'utf8').split('\n')[0] ?? ''
  if (found === FORMAT) return
  throw new Fault(
    'data-dir-version',
    `the data directory ${dataDir} is of format "${found}", not "${FORMAT}"`
  )
}
