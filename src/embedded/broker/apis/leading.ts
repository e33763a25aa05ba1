import type { Services } from '../api.ts'
import { codes, KafkaError } from '../errors.ts'
import type { PartitionLog } from '../log.ts'

/**
 * The partition, which this node must lead. Throws `UNKNOWN_TOPIC_OR_PARTITION`, `NOT_LEADER_OR_FOLLOWER`, and what
 * `checkEpoch` does.
 *
 * @param clientEpoch the leader epoch that the client knows; -1 for none
 */
export function ledHere(
  services: Services,
  topic: string,
  partition: number,
  clientEpoch = -1
): PartitionLog {
  const log = replicaHere(services, topic, partition, clientEpoch)
  if (log.leadership.leader !== services.node.id) throw notLeader(topic, partition)
  return log
}

/** The partition, of which this node must have a replica; it need not lead. */
export function replicaHere(
  { topics, node }: Services,
  topic: string,
  partition: number,
  clientEpoch: number
): PartitionLog {
  const log = topics.partition(topic, partition)
  if (!log.leadership.replicas.includes(node.id)) throw notLeader(topic, partition)
  checkEpoch(clientEpoch, log)
  return log
}

/** Refuses a client that knows another leader epoch than ours (KIP-320). */
function checkEpoch(clientEpoch: number, log: PartitionLog): void {
  if (clientEpoch < 0 || clientEpoch === log.leaderEpoch) return
  if (clientEpoch < log.leaderEpoch) {
    throw new KafkaError(codes.FENCED_LEADER_EPOCH, `leader epoch ${clientEpoch} is over`)
  }
  throw new KafkaError(codes.UNKNOWN_LEADER_EPOCH, `leader epoch ${clientEpoch} is not known yet`)
}

function notLeader(topic: string, partition: number): KafkaError {
  return new KafkaError(codes.NOT_LEADER_OR_FOLLOWER, `another node leads ${topic}-${partition}`)
}
