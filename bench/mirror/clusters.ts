import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { Cluster } from '../../src/actors/kafka/cluster.ts'
import { type RealKafka, startKafka } from '../../test/real/kafka.ts'
import { PARTITIONS, TOPIC } from './workload.ts'

/**
 * What differs from Kafka's defaults beside the harness's own settings (one replica, `group.initial.rebalance.delay.ms=0`):
 * files of deleted topics go at once, so that a run leaves nothing to the next.
 */
const SETTINGS = { 'log.segment.delete.delay.ms': '500', 'log.cleanup.policy': 'delete' }
/** Kafka's start script gives a broker 1 GiB, too. */
const JVM = ['-Xms1g', '-Xmx1g', '-XX:+UseG1GC']

const LED_PAUSE_MS = 100
const REQUEST_MS = 120_000
const LATEST = -1 as const
const READ_COMMITTED = 1

/** Two real brokers, each a cluster of its own. */
export class Clusters {
  readonly source: BenchCluster
  readonly target: BenchCluster

  private constructor(source: BenchCluster, target: BenchCluster) {
    this.source = source
    this.target = target
  }

  static async start(): Promise<Clusters> {
    return new Clusters(await BenchCluster.start(), await BenchCluster.start())
  }

  /** As at the first run: nothing but the workload's topic, empty, on both. */
  async renew(): Promise<void> {
    await Promise.all([this.source.renew(), this.target.renew()])
  }

  async stop(): Promise<void> {
    await Promise.all([this.source.stop(), this.target.stop()])
  }
}

export class BenchCluster {
  readonly address: string
  readonly #kafka: RealKafka
  readonly #cluster: Cluster
  readonly #closing = new AbortController()

  private constructor(kafka: RealKafka) {
    this.#kafka = kafka
    this.address = kafka.node.address
    this.#cluster = new Cluster({
      name: 'bench',
      brokers: [this.address],
      clientId: 'bench',
      connectTimeoutMs: REQUEST_MS,
      requestTimeoutMs: REQUEST_MS,
      log: pino({ level: 'silent' })
    })
  }

  static async start(): Promise<BenchCluster> {
    return new BenchCluster(await startKafka(SETTINGS, { jvm: JVM }))
  }

  async renew(): Promise<void> {
    const admin = new Kafka({ brokers: [this.address], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith('__'))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }], waitForLeaders: false })
    await admin.disconnect()
    while ((await this.readable()) > 0) await pause(LED_PAUSE_MS)
  }

  /** Offsets that a read_committed consumer can read up to, summed; markers count. */
  async readable(): Promise<number> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const queries = partitions.map((partition) => ({ topic: TOPIC, partition, timestamp: LATEST }))
    const ends = await this.#cluster.listOffsets(queries, READ_COMMITTED, this.#closing.signal)
    return [...ends.values()].reduce((sum, end) => sum + end, 0)
  }

  /** Bytes of the topic's records as they lie on the disk. */
  logBytes(): number {
    const logs = join(dirname(this.#kafka.node.file), 'logs')
    const folders = Array.from({ length: PARTITIONS }, (_, partition) => join(logs, `${TOPIC}-${partition}`))
    const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    return files.filter((file) => file.endsWith('.log')).reduce((sum, file) => sum + statSync(file).size, 0)
  }

  async stop(): Promise<void> {
    this.#closing.abort()
    this.#cluster.close()
    await this.#kafka.stop()
  }
}
