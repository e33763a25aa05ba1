import { Fault } from '../../errors.ts'
import { encodeBatch, type Record } from '../../records/record.ts'
import type { Cluster } from './cluster.ts'
import { isMoved, kafkaFault } from './errors.ts'
import { produceApi } from './produce.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { retrying } from './waiting.ts'

/**
 * Appends a record outside of any transaction, acknowledged by all replicas. Whoever tries again may append it twice, so
 * it is for records of which only the last one by their key counts.
 */
export async function appendRecord(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  record: Record,
  signal: AbortSignal
): Promise<void> {
  const batch = encodeBatch([record], { codec: 0 })
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
    const [answer] = await cluster.askNode(leader, (link) => link.call(produceApi(request)), signal)
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
