import { type KafkaCluster, type KafkaOptions, startCluster } from './kafka/cluster.ts'
import type { KafkaNode } from './kafka/node.ts'

export type { KafkaCluster, KafkaOptions } from './kafka/cluster.ts'
export {
  hasKafka,
  type KafkaVersion,
  kafkaLibraries,
  kafkaTool,
  newestKafka,
  oldestKafka
} from './kafka/libraries.ts'
export type { KafkaNode } from './kafka/node.ts'
export type { Certificates, KafkaSecurity, SecureAddresses } from './kafka/security.ts'

/** A cluster of one broker. */
export interface RealKafka extends KafkaCluster {
  readonly node: KafkaNode
  /** Of the process that runs now. */
  readonly pid: number
  /** `SIGKILL`; resolves when it is gone. */
  kill(): Promise<void>
  /** Its next life on the same ports and data; one that still runs is killed first. */
  restart(): Promise<void>
  /** Freezes and thaws it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

/** Starts a single Apache Kafka broker on free loopback ports in a temporary directory; 4.1.1 unless told otherwise. */
export async function startKafka(
  settings: Readonly<Record<string, string>> = {},
  options: Omit<KafkaOptions, 'nodes' | 'settings'> = {}
): Promise<RealKafka> {
  const cluster = await startCluster({ ...options, settings, nodes: 1 })
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('a cluster of one has no node')
  return {
    ...cluster,
    node,
    get pid() {
      return node.pid
    },
    kill: () => node.kill(),
    restart: () => node.restart(),
    signal: (signal) => node.signal(signal)
  }
}

/** Starts brokers that are controllers, too (3 by default); internal topics are on three, of which two must be in sync. */
export function startKafkaCluster(options: KafkaOptions = {}): Promise<KafkaCluster> {
  return startCluster({ nodes: 3, ...options })
}
