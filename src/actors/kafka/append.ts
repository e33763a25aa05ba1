import { Fault } from '../../errors.ts'
import { encodeBatch, type Record } from '../../records/record.ts'
import type { Cluster } from './cluster.ts'
import { isMoved, kafkaFault } from './errors.ts'
import { produceApi } from './produce.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { retrying } from './waiting.ts'

/** The same of one record. */
export function appendRecord(
  cluster: Cluster,
  place: TopicPartition,
  record: Record,
  signal: AbortSignal
): Promise<void> {
  return appendRecords(cluster, place, [record], signal)
}

/** Records per batch: with keys and values of some hundred bytes still well below any limit on a batch. */
const RECORDS_PER_BATCH = 1_000

/**
 * Appends records outside of any transaction, acknowledged by all replicas. Whoever tries again may append some twice, so
 * it is for records of which only the last one by their key counts.
 */
export async function appendRecords(
  cluster: Cluster,
  place: TopicPartition,
  records: readonly Record[],
  signal: AbortSignal
): Promise<void> {
  for (let at = 0; at < records.length; at += RECORDS_PER_BATCH) {
    await appendBatch(cluster, place, records.slice(at, at + RECORDS_PER_BATCH), signal)
  }
}

async function appendBatch(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  records: readonly Record[],
  signal: AbortSignal
): Promise<void> {
  const batch = encodeBatch(records, { codec: 0 })
  const request = {
    transactionalId: null,
    timeoutMs: cluster.requestTimeoutMs,
    batches: [{ topic, partition, batch }]
  }
  const attempt = async () => {
    const leader = cluster.leader(topic, partition)
    if (leader === undefined) {
      await cluster.metadata(signal, [topic])
      throw kafkaFault(LEADER_NOT_AVAILABLE, tp(topic, partition))
    }
    const [answer] = await cluster.askNode(leader, (link) => link.call(produceApi(request, link)), signal)
    const error = answer?.error ?? -1
    if (isMoved(error)) await cluster.metadata(signal, [topic])
    if (error !== 0) throw named(kafkaFault(error, tp(topic, partition)), cluster)
  }
  await retrying(attempt, signal, cluster.requestTimeoutMs)
}

const LEADER_NOT_AVAILABLE = 5

function named({ code, message, retryable }: Fault, { name }: Cluster): Fault {
  return new Fault(code, `cluster ${name}: ${message}`, { retryable })
}
