import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaFraming } from '../../tools/framing.ts'
import { lastingPorts } from '../../tools/ports.ts'
import { TcpProxy } from '../../tools/proxy.ts'
import { runOk } from '../../tools/run.ts'
import { type Service, startService } from '../../tools/service.ts'
import { javaArgs, type KafkaVersion, kafkaLibraries, kafkaTool, newestKafka } from './libraries.ts'
import { KafkaNode } from './node.ts'
import {
  type Certificates,
  type KafkaSecurity,
  makeCertificates,
  type SecureAddresses,
  scramMechanisms,
  secureListeners,
  securitySettings
} from './security.ts'

export interface KafkaOptions {
  /** Brokers; each is a controller, too. */
  readonly nodes?: number
  readonly version?: KafkaVersion
  /** Settings of every broker, over those of the harness. */
  readonly settings?: Readonly<Record<string, string>>
  /** Adds the secured listeners. */
  readonly security?: KafkaSecurity
  /** Puts a proxy before the plain listener of each broker; clients are told of the proxies only. */
  readonly proxied?: boolean
  /** Options of the brokers' virtual machines, instead of those that suit the short life of a test. */
  readonly jvm?: readonly string[]
}

export interface KafkaCluster {
  /** The plain listeners, through the proxies where there are any. */
  readonly brokers: readonly string[]
  /** Plain listeners that no proxy disturbs. */
  readonly direct: readonly string[]
  readonly nodes: readonly KafkaNode[]
  readonly certificates: Certificates | undefined
  /** Kills all brokers and removes their files. */
  stop(): Promise<void>
}

/** What all nodes of a cluster share. */
interface Plan {
  readonly version: KafkaVersion
  readonly libraries: string
  readonly directory: string
  readonly settings: Readonly<Record<string, string>>
  readonly replication: number
  readonly proxied: boolean
  readonly jvm: readonly string[] | undefined
  readonly certificates: Certificates | undefined
  /** Controllers as `id@host:port`, or where ZooKeeper listens. */
  readonly quorum: string
}

/** Silence after which a broker counts as dead. */
const SESSION_MS = 3_000
/** The same with ZooKeeper, where a broker that lost its session by a busy machine alone would not start. */
const ZOOKEEPER_SESSION_MS = 12_000

/** Starts Apache Kafka on free loopback ports in a temporary directory. */
export async function startCluster(options: KafkaOptions): Promise<KafkaCluster> {
  const { nodes: count = 1, version = newestKafka, security, settings = {}, proxied = false, jvm } = options
  const libraries = await kafkaLibraries(version)
  const directory = mkdtempSync(join(tmpdir(), 'causeway-kafka-'))
  const controllerPorts = await lastingPorts(count)
  const usesZookeeper = version === '2.8.2'
  const voters = controllerPorts.map((port, index) => `${index + 1}@127.0.0.1:${port}`)
  const certificates = security && (await makeCertificates(directory))
  const plan: Plan = {
    version,
    libraries,
    directory,
    settings: {
      ...(security && certificates && securitySettings(security, certificates, version)),
      ...settings
    },
    replication: Math.min(count, 3),
    proxied,
    jvm,
    certificates,
    quorum: usesZookeeper ? `127.0.0.1:${controllerPorts[0]}` : voters.join(',')
  }
  const nodes: KafkaNode[] = []
  let zookeeper: Service | undefined
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.remove()))
    await zookeeper?.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    for (const [index, port] of controllerPorts.entries()) nodes.push(await makeNode(plan, index + 1, port))
    if (usesZookeeper) zookeeper = await startZookeeper(plan)
    else await format(plan, nodes, security)
    // In a quorum none gets ready alone.
    const starting = await Promise.allSettled(nodes.map((node) => node.start()))
    const failed = starting.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    if (usesZookeeper && security) await addScramUsers(plan, nodes, security)
  } catch (error) {
    await stop()
    throw error
  }
  const brokers = nodes.map(({ address }) => address)
  return { brokers, direct: nodes.map(({ direct }) => direct), nodes, certificates, stop }
}

async function makeNode(plan: Plan, id: number, controllerPort: number): Promise<KafkaNode> {
  const directory = join(plan.directory, `node-${id}`)
  mkdirSync(directory)
  const [port = -1, directPort = -1, ...securePorts] = await lastingPorts(plan.certificates ? 6 : 2)
  const proxy = plan.proxied ? await TcpProxy.start({ port, framing: kafkaFraming }) : undefined
  const secured = Object.entries(secureListeners).map(([key, [name, protocol]], index) => {
    return { key, name, protocol, address: `127.0.0.1:${securePorts[index]}` }
  })
  const listeners = [
    { name: 'CLIENT', protocol: 'PLAINTEXT', address: `127.0.0.1:${port}` },
    { name: 'DIRECT', protocol: 'PLAINTEXT', address: `127.0.0.1:${directPort}` },
    ...(plan.certificates ? secured : [])
  ]
  const address = proxy?.address ?? `127.0.0.1:${port}`
  return new KafkaNode({
    id,
    libraries: plan.libraries,
    jvm: plan.jvm,
    directory,
    address,
    direct: `127.0.0.1:${directPort}`,
    secure: plan.certificates && secureAddresses(secured),
    proxy,
    mournedMs: plan.version === '2.8.2' ? ZOOKEEPER_SESSION_MS + 1_000 : 0,
    settings: {
      ...listenerSettings(plan, id, listeners, controllerPort),
      'advertised.listeners': listeners
        .map((one) => `${one.name}://${one.name === 'CLIENT' ? address : one.address}`)
        .join(','),
      ...replicationSettings(plan.replication),
      ...plan.settings
    }
  })
}

function secureAddresses(
  secured: readonly { readonly key: string; readonly address: string }[]
): SecureAddresses {
  const at = (wanted: keyof SecureAddresses) => secured.find(({ key }) => key === wanted)?.address ?? ''
  return { sasl: at('sasl'), ssl: at('ssl'), mtls: at('mtls'), saslSsl: at('saslSsl') }
}

interface Listener {
  readonly name: string
  readonly protocol: string
  readonly address: string
}

function listenerSettings(
  { version, quorum }: Plan,
  id: number,
  listeners: readonly Listener[],
  controllerPort: number
): Record<string, string> {
  const controller = { name: 'CONTROLLER', protocol: 'PLAINTEXT', address: `127.0.0.1:${controllerPort}` }
  const all = version === '2.8.2' ? listeners : [...listeners, controller]
  const own: Record<string, string> =
    version === '2.8.2'
      ? {
          'broker.id': String(id),
          'zookeeper.connect': quorum,
          'zookeeper.session.timeout.ms': String(ZOOKEEPER_SESSION_MS)
        }
      : {
          'process.roles': 'broker,controller',
          'node.id': String(id),
          'controller.quorum.voters': quorum,
          'controller.listener.names': 'CONTROLLER',
          // A killed broker is missed soon, and may come back soon.
          'broker.session.timeout.ms': String(SESSION_MS),
          'broker.heartbeat.interval.ms': '500'
        }
  return {
    ...own,
    listeners: all.map(({ name, address }) => `${name}://${address}`).join(','),
    'listener.security.protocol.map': all.map(({ name, protocol }) => `${name}:${protocol}`).join(','),
    'inter.broker.listener.name': 'DIRECT'
  }
}

function replicationSettings(replication: number): Record<string, string> {
  const inSync = String(Math.max(1, replication - 1))
  return {
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': String(replication),
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': String(replication),
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'default.replication.factor': String(replication),
    'min.insync.replicas': inSync
  }
}

/** Gives the nodes their data directories, with the SCRAM credentials in them. */
async function format(plan: Plan, nodes: readonly KafkaNode[], security: KafkaSecurity | undefined) {
  const clusterId = randomBytes(16).toString('base64url')
  const scram = scramMechanisms.flatMap((mechanism) =>
    Object.entries(security?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`
    ])
  )
  // One that begins with `-` would be taken for an option if it stood alone.
  const identified = ['format', `--cluster-id=${clusterId}`, ...scram]
  const tool = [...javaArgs(plan.libraries), 'kafka.tools.StorageTool', ...identified]
  await Promise.all(nodes.map(({ file }) => runOk('java', [...tool, '-c', file])))
}

/** Brokers that do not know `--add-scram` are told when they run. */
async function addScramUsers({ version }: Plan, nodes: readonly KafkaNode[], { users }: KafkaSecurity) {
  const where = ['--bootstrap-server', nodes[0]?.direct ?? '', '--alter', '--entity-type', 'users']
  for (const [name, password] of Object.entries(users)) {
    const added = scramMechanisms.map((mechanism) => `${mechanism}=[password=${password}]`).join(',')
    const user = ['--entity-name', name, '--add-config', added]
    await kafkaTool('kafka.admin.ConfigCommand', [...where, ...user], version)
  }
}

function startZookeeper({ directory, libraries, quorum }: Plan): Promise<Service> {
  const file = join(directory, 'zookeeper.properties')
  const settings = {
    dataDir: join(directory, 'zookeeper'),
    clientPortAddress: '127.0.0.1',
    clientPort: quorum.split(':')[1],
    'admin.enableServer': 'false',
    maxClientCnxns: '0',
    // Sessions last from 2 to 20 ticks.
    tickTime: '1000'
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, lines.join(''))
  return startService({
    name: 'ZooKeeper',
    command: 'java',
    args: [...javaArgs(libraries), 'org.apache.zookeeper.server.ZooKeeperServerMain', file],
    ready: (printed) => printed.includes('started, reconfigEnabled')
  })
}
