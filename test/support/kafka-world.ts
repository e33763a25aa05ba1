import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { type AnyActor, createActor } from 'xstate'
import { ByteBudget } from '../../src/actors/budget.ts'
import { Cluster } from '../../src/actors/kafka/cluster.ts'
import { readInternal } from '../../src/actors/kafka/positions.ts'
import { stopOrphans } from '../../src/actors/orphans.ts'
import type { Config, IngestConfig, MirrorConfig } from '../../src/config.ts'
import { type EmbeddedBroker, startBroker } from '../../src/embedded/broker/broker.ts'
import type { Role, RoleContext, RoleView } from '../../src/roles/role.ts'

const groups = { initialRebalanceDelayMs: 0, minSessionTimeoutMs: 100 }

/** Two embedded brokers, `source` and `target`, and what a role needs to run against them. */
export class KafkaWorld {
  readonly log = pino({ level: process.env.LOG ?? 'silent' })
  readonly budget = new ByteBudget(64 * 1024 * 1024)
  readonly brokers: Record<Side, EmbeddedBroker>
  readonly clusters: Record<Side, Cluster>
  /** Removed at the end. */
  readonly directory: string
  readonly #running = new Set<AnyActor>()

  constructor(directory: string, brokers: Record<Side, EmbeddedBroker>) {
    this.directory = directory
    this.brokers = brokers
    this.clusters = { source: this.#cluster('source'), target: this.#cluster('target') }
  }

  static async start(): Promise<KafkaWorld> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-world-'))
    const open = (side: Side) => startBroker({ dataDir: join(directory, side), groups })
    return new KafkaWorld(directory, { source: await open('source'), target: await open('target') })
  }

  async stop(): Promise<void> {
    for (const actor of this.#running) actor.stop()
    // Whatever happened to them, roles give their credits back.
    await until(
      () => this.budget.usedBytes === 0,
      () => `${this.budget.usedBytes} bytes are still leased`
    )
    for (const cluster of Object.values(this.clusters)) cluster.close()
    await Promise.all(Object.values(this.brokers).map((broker) => broker.stop()))
    rmSync(this.directory, { recursive: true })
  }

  /** The death of a broker, and its next life on the same port and data. */
  async restart(side: Side): Promise<void> {
    const { port, faults } = this.brokers[side]
    this.brokers[side].kill()
    this.brokers[side] = await startBroker({ dataDir: join(this.directory, side), port, faults, groups })
  }

  /** kafkajs, to write and read with code that is not ours. */
  kafka(side: Side): Kafka {
    return new Kafka({ brokers: this.brokers[side].brokers, logLevel: logLevel.NOTHING })
  }

  async createTopic(side: Side, topic: string, partitions: number, configs: Record<string, string> = {}) {
    const signal = AbortSignal.timeout(10_000)
    await this.clusters[side].createTopic(topic, { partitions, replication: 1, configs }, signal)
  }

  context(sections: Sections, workerId = 'worker-1'): RoleContext {
    const log = { level: process.env.LOG ?? 'fatal', format: 'json' }
    return {
      config: { name: 'test', clusters: this.#clusterConfigs(), log, ...sections } as unknown as Config,
      log: this.log,
      budget: this.budget,
      cluster: (name) => this.clusters[name as Side],
      workerId,
      now: Date.now,
      random: Math.random
    }
  }

  /**
   * Starts a role's machine as its supervisor would.
   *
   * @param patienceMs how long what is waited for may take: threads load their sources first
   */
  run(role: Role, patienceMs = 20_000): RunningRole {
    const actor = createActor(role.logic, { input: role.input, inspect: stopOrphans })
    this.#running.add(actor)
    let failure: unknown
    actor.subscribe({
      error: (error) => {
        failure = error
      }
    })
    actor.start()
    const view = () => role.describe(actor.getSnapshot())
    return {
      actor,
      view,
      failure: () => failure,
      until: (fits) =>
        until(
          () => failure !== undefined || fits(view()),
          () => JSON.stringify(view()),
          patienceMs
        ),
      kill: () => actor.stop(),
      drain: async () => {
        actor.send({ type: 'drain' })
        await until(
          () => actor.getSnapshot().status !== 'active',
          () => JSON.stringify(view()),
          patienceMs
        )
      }
    }
  }

  /** Last stable offsets, by `tp`. */
  async ends(side: Side, topics: readonly string[]): Promise<Map<string, number>> {
    const signal = AbortSignal.timeout(20_000)
    const metadata = await this.clusters[side].metadata(signal, topics)
    const parts = topics.flatMap((topic) =>
      (metadata.topics.get(topic)?.partitions ?? []).map(
        ({ partition }) => ({ topic, partition, timestamp: -1 }) as const
      )
    )
    return this.clusters[side].listOffsets(parts, 1, signal)
  }

  /** Every committed record of a topic, by partition, as text. */
  async read(side: Side, topic: string): Promise<string[][]> {
    const signal = AbortSignal.timeout(20_000)
    const cluster = this.clusters[side]
    const { topics } = await cluster.metadata(signal, [topic])
    const partitions = topics.get(topic)?.partitions ?? []
    return Promise.all(
      partitions.map(async ({ partition }) => {
        const records: string[] = []
        await readInternal({
          cluster,
          topic,
          partition,
          signal,
          transactionTimeoutMs: 20_000,
          onRecord: ({ key, value, timestamp }) => records.push(`${key} ${value} ${timestamp}`)
        })
        return records
      })
    )
  }

  /** The committed records of a topic as kafkajs reads them, once there are `count`. Headers are text. */
  async consume(side: Side, topic: string, count: number): Promise<ConsumedRecord[]> {
    const consumer = this.kafka(side).consumer({
      groupId: `reader-${topic}`,
      readUncommitted: false,
      maxWaitTimeInMs: 100
    })
    const records: ConsumedRecord[] = []
    await consumer.connect()
    try {
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ partition, message: { key, value, headers } }) => {
          records.push({
            partition,
            key: `${key}`,
            value: `${value}`,
            headers: Object.fromEntries(
              Object.entries(headers ?? {}).map(([name, text]) => [name, `${text}`])
            )
          })
        }
      })
      await until(
        () => records.length >= count,
        () => `${records.length} records`
      )
    } finally {
      await consumer.disconnect()
    }
    return records
  }

  /** The same clusters, for who makes his own. */
  #clusterConfigs(): Config['clusters'] {
    const times = { connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
    const { source, target } = this.brokers
    return { source: { brokers: source.brokers, ...times }, target: { brokers: target.brokers, ...times } }
  }

  #cluster(side: Side): Cluster {
    return new Cluster({
      name: side,
      brokers: this.brokers[side].brokers,
      clientId: 'test',
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 5_000,
      log: this.log
    })
  }
}

export interface ConsumedRecord {
  readonly partition: number
  readonly key: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

export type Side = 'source' | 'target'

interface Sections {
  readonly mirror?: Readonly<Record<string, MirrorConfig>>
  readonly ingest?: Readonly<Record<string, IngestConfig>>
}

export interface RunningRole {
  readonly actor: AnyActor
  readonly view: () => RoleView
  readonly failure: () => unknown
  readonly until: (fits: (view: RoleView) => boolean) => Promise<void>
  /** Stops it as a supervisor gives up on it: nothing is flushed. */
  readonly kill: () => void
  readonly drain: () => Promise<void>
}

/** Waits for a condition by looking often; says what it saw last when it does not come. */
export async function until(fits: () => boolean, seen: () => string, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!fits()) {
    if (performance.now() > deadline) throw new Error(`did not come in ${timeoutMs} ms; last seen: ${seen()}`)
    await pause(10)
  }
}
