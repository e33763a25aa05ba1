import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { readInternal } from '../../../src/actors/kafka/positions.ts'
import { TransactionSession, type TransactionSessionOptions } from '../../../src/actors/kafka/producer.ts'
import { type EmbeddedBroker, startBroker } from '../../../src/embedded/broker/broker.ts'
import { encodeBatch } from '../../../src/records/record.ts'

/** An embedded broker with one topic, and clusters on it; everything ends with the test. */
export class EmbeddedWorld {
  readonly broker: EmbeddedBroker
  readonly cluster: Cluster
  readonly topic = 't'
  readonly signal = AbortSignal.timeout(20_000)

  constructor(broker: EmbeddedBroker) {
    this.broker = broker
    this.cluster = this.newCluster()
  }

  static async start(partitions = 2): Promise<EmbeddedWorld> {
    const dataDir = mkdtempSync(join(tmpdir(), 'causeway-kafka-'))
    const groups = { initialRebalanceDelayMs: 0, minSessionTimeoutMs: 100 }
    const broker = await startBroker({ dataDir, groups })
    onTestFinished(async () => {
      await broker.stop()
      rmSync(dataDir, { recursive: true })
    })
    const world = new EmbeddedWorld(broker)
    await world.cluster.createTopic(world.topic, { partitions, replication: 1, configs: {} }, world.signal)
    return world
  }

  newCluster(requestTimeoutMs = 5_000): Cluster {
    const cluster = new Cluster({
      name: 'embedded',
      brokers: this.broker.brokers,
      clientId: 'test',
      connectTimeoutMs: 5_000,
      requestTimeoutMs,
      log: pino({ level: 'silent' })
    })
    onTestFinished(() => cluster.close())
    return cluster
  }

  session(more: Partial<TransactionSessionOptions> = {}): TransactionSession {
    const { cluster } = this
    const session = new TransactionSession({ cluster, transactionalId: 'tx', timeoutMs: 60_000, ...more })
    onTestFinished(() => session.destroy())
    return session
  }

  at(partition: number) {
    return { topic: this.topic, partition }
  }

  batch(partition: number, ...values: readonly string[]) {
    return { ...this.at(partition), batch: batchOf(...values) }
  }

  /** Fences unless the session is ready, then writes one transaction. */
  async write(session: TransactionSession, partition: number, ...values: readonly string[]): Promise<void> {
    if (session.state !== 'ready') await session.fence(this.signal)
    await session.add([this.at(partition)], this.signal)
    await session.produce([this.batch(partition, ...values)], this.signal)
    await session.commit(this.signal)
  }

  /** The committed values of a partition. */
  async read(
    partition: number,
    more: { from?: number; transactionTimeoutMs?: number } = {}
  ): Promise<string[]> {
    const values: string[] = []
    await readInternal({
      cluster: this.cluster,
      ...this.at(partition),
      signal: this.signal,
      transactionTimeoutMs: 60_000,
      ...more,
      onRecord: ({ value }) => values.push(String(value))
    })
    return values
  }
}

export function batchOf(...values: readonly string[]): Buffer {
  const records = values.map((value) => ({
    key: null,
    value: Buffer.from(value),
    headers: [],
    timestamp: 1_700_000_000_000
  }))
  return encodeBatch(records, { codec: 0 })
}
