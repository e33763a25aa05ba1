import { Fault } from '../../errors.ts'

/**
 * Kafka's error codes by number: the name as in a Fault's code and whether the same request may succeed later.
 * Source: https://kafka.apache.org/protocol#protocol_error_codes; `retryable` follows Kafka's own column but where our
 * loops know better (fencing codes are never retried blindly).
 */
const table: Readonly<Record<number, readonly [name: string, retryable: boolean]>> = {
  [-1]: ['unknown-server-error', false],
  1: ['offset-out-of-range', false],
  2: ['corrupt-message', false],
  3: ['unknown-topic-or-partition', true],
  4: ['invalid-fetch-size', false],
  5: ['leader-not-available', true],
  6: ['not-leader-or-follower', true],
  7: ['request-timed-out', true],
  8: ['broker-not-available', true],
  9: ['replica-not-available', true],
  10: ['message-too-large', false],
  12: ['offset-metadata-too-large', false],
  13: ['network-exception', true],
  14: ['coordinator-load-in-progress', true],
  15: ['coordinator-not-available', true],
  16: ['not-coordinator', true],
  17: ['invalid-topic', false],
  18: ['record-list-too-large', false],
  19: ['not-enough-replicas', true],
  20: ['not-enough-replicas-after-append', true],
  21: ['invalid-required-acks', false],
  22: ['illegal-generation', false],
  23: ['inconsistent-group-protocol', false],
  24: ['invalid-group-id', false],
  25: ['unknown-member-id', false],
  26: ['invalid-session-timeout', false],
  27: ['rebalance-in-progress', true],
  28: ['invalid-commit-offset-size', false],
  29: ['topic-authorization-failed', false],
  30: ['group-authorization-failed', false],
  31: ['cluster-authorization-failed', false],
  32: ['invalid-timestamp', false],
  33: ['unsupported-sasl-mechanism', false],
  34: ['illegal-sasl-state', false],
  35: ['unsupported-version', false],
  36: ['topic-already-exists', false],
  37: ['invalid-partitions', false],
  38: ['invalid-replication-factor', false],
  39: ['invalid-replica-assignment', false],
  40: ['invalid-config', false],
  41: ['not-controller', true],
  42: ['invalid-request', false],
  43: ['unsupported-for-message-format', false],
  44: ['policy-violation', false],
  45: ['out-of-order-sequence-number', false],
  46: ['duplicate-sequence-number', false],
  47: ['invalid-producer-epoch', false],
  48: ['invalid-txn-state', false],
  49: ['invalid-producer-id-mapping', false],
  50: ['invalid-transaction-timeout', false],
  51: ['concurrent-transactions', true],
  52: ['transaction-coordinator-fenced', false],
  53: ['transactional-id-authorization-failed', false],
  54: ['security-disabled', false],
  55: ['operation-not-attempted', true],
  56: ['storage-error', true],
  58: ['sasl-authentication-failed', false],
  59: ['unknown-producer-id', false],
  60: ['reassignment-in-progress', true],
  67: ['invalid-principal-type', false],
  68: ['non-empty-group', false],
  69: ['group-id-not-found', false],
  70: ['fetch-session-id-not-found', true],
  71: ['invalid-fetch-session-epoch', true],
  72: ['listener-not-found', true],
  73: ['topic-deletion-disabled', false],
  74: ['fenced-leader-epoch', true],
  75: ['unknown-leader-epoch', true],
  76: ['unsupported-compression-type', false],
  77: ['stale-broker-epoch', false],
  78: ['offset-not-available', true],
  79: ['member-id-required', false],
  80: ['preferred-leader-not-available', true],
  81: ['group-max-size-reached', false],
  82: ['fenced-instance-id', false],
  83: ['eligible-leaders-not-available', true],
  84: ['election-not-needed', true],
  85: ['no-reassignment-in-progress', false],
  86: ['group-subscribed-to-topic', false],
  87: ['invalid-record', false],
  88: ['unstable-offset-commit', true],
  89: ['throttling-quota-exceeded', true],
  90: ['producer-fenced', false],
  100: ['unknown-topic-id', true],
  103: ['inconsistent-topic-id', true],
  106: ['fetch-session-topic-id-error', true],
  120: ['transaction-abortable', false]
}

/**
 * A Kafka error code as a Fault `kafka-<name>`. Total: a code this table does not know becomes `kafka-error-<n>`.
 *
 * @param what the thing that failed, in words a person can use: `partition hybrid-3`, `group hybrid.mirror.cloud`
 */
export function kafkaFault(code: number, what: string): Fault {
  const [name, retryable] = table[code] ?? [`error-${code}`, false]
  return new Fault(`kafka-${name}`, `${what}: ${name.replaceAll('-', ' ')} (${code})`, { retryable })
}

/** Whether the broker that answered was the wrong one: look the coordinator or leader up again. */
export function isMoved(code: number): boolean {
  return code === 3 || code === 5 || code === 6 || code === 15 || code === 16 || code === 74 || code === 75
}

/** The fault of an error code, with what the broker said of it; nothing for 0. */
export function refusal(code: number, what: string, said: string | null | undefined): Fault | undefined {
  if (code === 0) return undefined
  const { code: named, message, retryable } = kafkaFault(code, what)
  return new Fault(
    named,
    said === null || said === undefined || said === '' ? message : `${message}: ${said}`,
    { retryable }
  )
}
