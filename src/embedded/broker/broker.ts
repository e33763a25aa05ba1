import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Fault } from '../../errors.ts'
import { Faults } from '../faults.ts'
import type { Services } from './api.ts'
import { createApis } from './apis/index.ts'
import { BrokerConfig } from './broker-config.ts'
import { Connection } from './connection.ts'
import { Disk } from './disk.ts'
import { codes } from './errors.ts'
import { GroupStore } from './group-store.ts'
import { type GroupOptions, Groups } from './groups.ts'
import { OffsetStore } from './offsets.ts'
import { Timers } from './timers.ts'
import { Topics } from './topics.ts'
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
  /** 0 or left out takes any free port. */
  readonly port?: number
  /** Where it listens and what it tells clients to connect to; loopback by default. */
  readonly host?: string
  readonly nodeId?: number
  /** For a new data directory; an old one keeps its own. */
  readonly clusterId?: string
  readonly faults?: Faults
  /** Force every append to the disk before it is acknowledged. Off: a power cut may lose data, a kill does not. */
  readonly fsync?: boolean
  /** Create topics of one partition when clients ask for them. Off by default, unlike Kafka. */
  readonly autoCreateTopics?: boolean
  readonly groups?: Partial<GroupOptions>
  readonly log?: BrokerLog
  readonly now?: () => number
}

export interface EmbeddedBroker {
  /** Bootstrap addresses, `host:port`. */
  readonly brokers: string[]
  readonly port: number
  readonly clusterId: string
  readonly faults: Faults
  /** Closes connections and files. Open transactions stay open and are resumed by the next start. */
  stop(): Promise<void>
  /** Drops sockets and files at once, as the death of the process would. */
  kill(): void
}

/**
 * Starts a broker that speaks Kafka's protocol: one node, durable, for tests and the demo.
 *
 * Throws `port-in-use`, `data-dir-version`, `data-dir-not-writable`, `log-corrupt`.
 *
 * Fault rules see `Produce hybrid-0 hybrid-1`, `Fetch hybrid-0`, `EndTxn <transactional id>`, `JoinGroup <group>` and so
 * on: the API's name and what the request is about. `answer` then fails the whole request. `Append hybrid-0` with
 * `answer` fails one partition of a Produce, `WriteTxnMarkers <transactional id>` holds a decided transaction before
 * its markers (`delay`, `hang`; anything else is tried again). `disk-full` lets the writes of that request fail.
 */
export async function startBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const { dataDir, port = 0, host = '127.0.0.1', faults = new Faults(), log } = options
  prepareDirectory(dataDir)
  // The port first: whoever holds it may be the broker that has this directory open.
  const server = createServer()
  await listen(server, port, host)
  const disk = new Disk({ fsync: options.fsync ?? false })
  const timers = new Timers()
  try {
    const node = { id: options.nodeId ?? 1, host, port: portOf(server) }
    const services = openServices({ ...options, node, faults, disk, timers })
    const sockets = accept(server, services, { faults, disk, timers, log })
    services.transactions.resume()
    const { clusterId } = services.topics
    log?.info({ host, port: node.port, dataDir, clusterId }, 'embedded broker listens')
    const close = once(() => {
      timers.close()
      disk.close()
      for (const socket of sockets) socket.destroy()
      for (const store of services.stores) store.close()
      server.close()
    })
    return {
      brokers: [`${host}:${node.port}`],
      port: node.port,
      clusterId,
      faults,
      kill: close,
      stop: async () => {
        const closed = server.listening ? new Promise((resolve) => server.once('close', resolve)) : undefined
        close()
        await closed
      }
    }
  } catch (error) {
    server.close()
    throw error
  }
}

interface Parts {
  readonly node: Services['node']
  readonly faults: Faults
  readonly disk: Disk
  readonly timers: Timers
}

interface Closable {
  close(): void
}

/** Opens what is in the data directory, in the order in which the parts need each other. */
function openServices(options: BrokerOptions & Parts): Services & { readonly stores: readonly Closable[] } {
  const { dataDir, clusterId, node, faults, disk, timers, now = Date.now } = options
  const brokerConfig = new BrokerConfig(join(dataDir, 'broker.journal'), disk)
  const topics = new Topics(dataDir, disk, clusterId)
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
  return { node, ...kept, timers, autoCreateTopics, now, refusal, stores }
}

/** Serves every connection, and returns those that are open. */
function accept(
  server: Server,
  services: Services,
  shared: Omit<Parts, 'node'> & { readonly log: BrokerLog | undefined }
): ReadonlySet<Socket> {
  const { log, ...parts } = shared
  const apis = createApis(services)
  const onError = (error: unknown, request: string) => log?.warn({ err: error, request }, 'connection closed')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    new Connection(socket, { ...parts, apis, onError })
  })
  return sockets
}

function once(run: () => void): () => void {
  let done = false
  return () => {
    if (!done) run()
    done = true
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

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE'
      const message = `the embedded broker cannot listen on ${host}:${port}: ${cause.message}`
      reject(new Fault(inUse ? 'port-in-use' : 'listen-failed', message, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Fault('listen-failed', 'not a TCP address')
  return address.port
}
