import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { startBroker } from '../../src/embedded/broker/broker.ts'
import { hasKafka, startKafka, startKafkaCluster } from '../real/kafka.ts'
import { hasKafkaTools, KafkaTools } from '../real/kafka-tools.ts'
import { hasPython } from '../tools/python.ts'
import { unauthorized } from './broker/acls.ts'
import type { Subject } from './broker/bench.ts'
import type { ClusterSubject } from './broker/cluster-bench.ts'
import { fetching } from './broker/fetching.ts'
import { grouping } from './broker/grouping.ts'
import { hanging } from './broker/hanging.ts'
import { kafkaClients } from './broker/kafka-clients.ts'
import { kafkaOperators } from './broker/kafka-operators.ts'
import { kafkajsClients } from './broker/kafkajs.ts'
import { leadership } from './broker/leadership.ts'
import { librdkafkaClients } from './broker/librdkafka.ts'
import { producing } from './broker/produce.ts'
import { retention } from './broker/retention.ts'
import { transacting } from './broker/transacting.ts'

/**
 * One suite, two brokers: what the embedded one answers is what Apache Kafka answers, to a raw client byte for byte and
 * to the clients that others wrote. Its properties:
 *
 * - producing: offsets; what is refused: corrupt batches 2, unknown partitions 3, too large ones 10, timestamps 32,
 *   invalid records 87; LogAppendTime; idempotence (repeated, lost and out-of-order batches, sequences that wrap)
 * - fetching: whole batches, the limits of partition and answer, long polls, incremental sessions, offsets by time,
 *   leader epochs, topic ids (Metadata version 12)
 * - transacting: commit, abort, what read_committed sees, fencing 47 and 90, CONCURRENT_TRANSACTIONS 51, unknown
 *   partitions 3 among others 55, timeouts, offsets in transactions
 * - open and hanging transactions: the last stable offset among interleaved producers, what operators see and end
 * - grouping: the classic protocol with dynamic and static members, three of them, sessions that end, offsets
 * - kafkajs, librdkafka, Kafka's own clients (console, perf, VerifiableProducer and VerifiableConsumer,
 *   TransactionalMessageCopier): transactions, idempotence and EndTxn with lost replies, groups of three with eager and
 *   cooperative rebalances, administration
 * - Kafka's tools for operators: topics, configs, groups, offsets, records, transactions
 * - ACLs without an authorizer: 54
 * - retention: by time, by size, on request 44; compaction as Kafka's cleaner leaves it, down to the batch headers
 * - leadership, on three nodes: who leads and coordinates, and refusals by all others 6 and 16; leader epochs 74 and 75;
 *   moves and the death of a node under idempotent and transactional producers, groups and fetches in wait
 */
const tools = new KafkaTools()
afterAll(() => tools.stop())

describe('Kafka broker on embedded', () => conformance(startEmbedded, startEmbeddedCluster))
describe.skipIf(!hasKafka)('Kafka broker on Apache Kafka 4.1.1', () =>
  conformance(startReal, startRealCluster)
)

interface Stoppable {
  stop(): Promise<void>
}

function conformance(
  start: () => Promise<Subject & Stoppable>,
  startCluster: () => Promise<ClusterSubject & Stoppable>
): void {
  const subject = during(start)

  describe('producing', () => producing(subject))
  describe('fetching', () => fetching(subject))
  describe('transacting', () => transacting(subject))
  describe('open and hanging transactions', () => hanging(subject))
  describe('grouping', () => grouping(subject))
  describe('kafkajs', () => kafkajsClients(subject))
  describe.skipIf(!hasPython)('librdkafka', () => librdkafkaClients(subject))
  describe.skipIf(!hasKafkaTools)("Kafka's own clients", () => kafkaClients(subject, tools))
  describe.skipIf(!hasKafkaTools)("Kafka's tools", () => kafkaOperators(subject, tools))
  describe('ACLs without an authorizer', () => unauthorized(subject))
  describe('retention', () => retention(subject))
  describe('leadership', () => leadership(during(startCluster)))
}

/** Starts the subject before the tests of this suite and stops it after them. */
function during<T extends Stoppable>(start: () => Promise<T>): () => T {
  let started: T | undefined
  beforeAll(async () => {
    started = await start()
  }, 120_000)
  afterAll(() => started?.stop())
  return () => {
    if (!started) throw new Error('the broker has not started')
    return started
  }
}

async function startEmbedded(): Promise<Subject & Stoppable> {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-broker-'))
  const broker = await startBroker({
    dataDir,
    housekeeping: { retentionCheckMs: 200, cleanerBackoffMs: 200 }
  })
  const stop = async () => {
    await broker.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const loseReplies = (api: string, times: number) =>
    broker.faults.add({ subject: new RegExp(`^${api}\\b`), action: { type: 'lose-reply' }, times })
  return { address: broker.brokers[0] ?? '', loseReplies, stop }
}

async function startReal(): Promise<Subject & Stoppable> {
  const settings = {
    'group.min.session.timeout.ms': '100',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
    'log.initial.task.delay.ms': '0',
    'log.retention.check.interval.ms': '200',
    'log.cleaner.backoff.ms': '200'
  }
  const kafka = await startKafka(settings, { proxied: true })
  const { proxy } = kafka.node
  if (proxy === undefined) throw new Error('there is no proxy before Kafka')
  const loseReplies = (api: string, times: number) =>
    proxy.set({ fault: 'lose-reply', match: new RegExp(`^${api}$`), times })
  return { address: kafka.brokers[0] ?? '', loseReplies, stop: () => kafka.stop() }
}

async function startEmbeddedCluster(): Promise<ClusterSubject & Stoppable> {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-broker-'))
  const broker = await startBroker({ dataDir, nodes: 3 })
  return {
    nodes: broker.nodes.map(({ id }, index) => ({ id, address: broker.brokers[index] ?? '' })),
    stopNode: (id) => broker.stopNode(id),
    startNode: (id) => broker.startNode(id),
    stop: async () => {
      await broker.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
}

async function startRealCluster(): Promise<ClusterSubject & Stoppable> {
  const { nodes, stop } = await startKafkaCluster()
  const node = (wanted: number) => nodes.find(({ id }) => id === wanted)
  return {
    nodes,
    stopNode: async (id) => node(id)?.kill(),
    startNode: async (id) => node(id)?.start(),
    stop
  }
}
