import { tp } from '../actors/kafka/topic-partition.ts'
import type { Fault } from '../errors.ts'
import type { Entry, KeyedStop, Ledger, Positions, Stop } from './ledger.ts'
import type { PartitionFailure, PartitionFaulted, Taken } from './shard-protocol.ts'

/** What faults mean to a shard: doubt about its transaction, the end of one partition, or neither. */

/** Faults of the transaction and not of one partition: the shard fences and goes on with all of them. */
const transactional: ReadonlySet<string> = new Set([
  'not-sent',
  'kafka-out-of-order-sequence-number',
  'kafka-duplicate-sequence-number',
  'kafka-invalid-producer-epoch',
  'kafka-invalid-txn-state',
  'kafka-invalid-producer-id-mapping',
  'kafka-concurrent-transactions',
  'kafka-transaction-coordinator-fenced',
  'kafka-operation-not-attempted',
  'kafka-unknown-producer-id',
  'kafka-producer-fenced',
  'kafka-transaction-abortable'
])

/** What the target refuses for good: trying again would only abort the shard's transaction again. */
const refusals: ReadonlySet<string> = new Set([
  'kafka-message-too-large',
  'kafka-record-list-too-large',
  'kafka-invalid-timestamp',
  'kafka-invalid-record'
])

/** Whether a fault leaves the outcome of a transaction open: fence, look, go on. Anything else escalates. */
export function isDoubt(fault: Fault): boolean {
  return fault.retryable || transactional.has(fault.code)
}

/** Partitions at whose next batch the writer had to stop. */
export function takenStops(taken: readonly Taken[]): KeyedStop[] {
  return taken.flatMap(({ topic, partition, stop }) =>
    stop === undefined ? [] : [{ key: tp(topic, partition), stop }]
  )
}

/**
 * Partitions that the target failed; none when the fault is the transaction's, or when it is known what of the partition
 * to treat otherwise next time.
 */
export function targetStops(failures: readonly PartitionFailure[]): KeyedStop[] {
  return failures.flatMap(({ topic, partition, fault, refused }) => {
    const stop = refused === undefined ? targetVerdict(fault) : undefined
    return stop === undefined ? [] : [{ key: tp(topic, partition), stop }]
  })
}

/** The partition that the fetcher gave up, unless it has been assigned anew since. */
export function sourceStops(ledger: Ledger, positions: Positions, event: PartitionFaulted): KeyedStop[] {
  const key = tp(event.topic, event.partition)
  const entry = ledger[key]
  if (entry?.standing !== 'copying' || entry.generation !== event.generation) return []
  return [{ key, stop: sourceVerdict(event.fault, entry, positions[key] !== undefined) }]
}

function targetVerdict(fault: Fault): Stop | undefined {
  if (transactional.has(fault.code)) return undefined
  if (fault.code === 'source-corrupt') return { standing: 'source-corrupt', reason: fault.message }
  return { standing: refusals.has(fault.code) ? 'rejected' : 'quarantined', reason: fault.message }
}

function sourceVerdict(fault: Fault, entry: Entry, hasPosition: boolean): Stop {
  switch (fault.code) {
    case 'offset-out-of-range':
      // Without a position nothing was promised yet: the log's start has moved since we looked.
      if (!hasPosition && entry.taken < 0) return { standing: 'quarantined', reason: fault.message }
      return { standing: 'data-loss', reason: fault.message }
    case 'batch-corrupt':
      return { standing: 'source-corrupt', reason: fault.message }
    case 'topic-reset':
      return { standing: 'topic-reset', reason: fault.message }
    case 'log-diverged':
      return { standing: 'log-diverged', reason: fault.message }
    default:
      return { standing: 'quarantined', reason: fault.message }
  }
}
