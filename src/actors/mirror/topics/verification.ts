import { toFault } from '../../../errors.ts'
import { brokerSetting } from '../../kafka/admin.ts'
import type { Cluster } from '../../kafka/cluster.ts'

/** Of brokers since Kafka 3.6 (KIP-890): whether a produce is held against the open transaction. */
const SETTING = 'transaction.partition.verification.enable'
const RISK = 'a batch that arrives late may leave a transaction open that nobody ends'

/** What an operator should know of a target that does not verify transactions; it is logged, too. */
export async function verificationNote(target: Cluster, signal: AbortSignal): Promise<string[]> {
  const note = await find(target, signal)
  if (note === undefined) return []
  target.log.warn(note)
  return [note]
}

async function find(target: Cluster, signal: AbortSignal): Promise<string | undefined> {
  try {
    const value = await brokerSetting(target, SETTING, signal)
    if (value === 'true') return undefined
    if (value === 'false') return `cluster ${target.name} has ${SETTING} off: ${RISK}`
    return `cluster ${target.name} is older than Kafka 3.6 and does not verify transactions: ${RISK}`
  } catch (error) {
    signal.throwIfAborted()
    const fault = toFault(error)
    if (fault.retryable) throw fault
    // Who may not ask for settings may well copy.
    return `whether cluster ${target.name} verifies transactions cannot be told: ${fault.message}`
  }
}
