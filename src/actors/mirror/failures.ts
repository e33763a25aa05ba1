import { Fault } from '../../errors.ts'
import { NO_END, type Refused, suspect } from '../../machines/refused.ts'
import type { PartitionFailure, Unacknowledged } from '../../machines/shard-protocol.ts'
import { verifyCrc } from '../../records/batch.ts'
import { offsetOf } from '../../records/rebatch.ts'
import type { ProduceResult } from '../kafka/producer.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'
import type { CopiedBatch } from './intake.ts'

const CORRUPT_MESSAGE = 2
/** Too large: a batch, a list of records. */
const TOO_LARGE: ReadonlySet<number> = new Set([10, 18])
/** A timestamp out of the topic's range, a record that is not allowed. */
const INVALID: ReadonlySet<number> = new Set([32, 87])
/** Of those that one answer may name; the rest is named when the batch comes without them. */
const NAMED_MAX = 1_000

/**
 * The failed partitions under the source's names, each once and with its first fault, however many of its batches were
 * under way: the machine counts them. Those whose batches merely came after a failed one are blamed for nothing. A batch
 * that the target calls corrupt is held against its source's checksum; of one that it refuses for good, it is told which
 * records are to blame, as far as that is known.
 *
 * @param results in the order of `batches`
 */
export function failuresOf(
  results: readonly ProduceResult[],
  batches: readonly CopiedBatch[]
): PartitionFailure[] {
  const failed = results.flatMap((result, index) => {
    const batch = batches[index]
    return result.fault === undefined || batch === undefined
      ? []
      : [{ ...result, batch, fault: result.fault }]
  })
  const blamed = failed.filter(({ fault }) => fault.code !== 'not-sent')
  const first = new Map<string, Failed>()
  for (const one of blamed.length > 0 ? blamed : failed) {
    if (!first.has(keyOf(one))) first.set(keyOf(one), one)
  }
  const failures = new Map<string, PartitionFailure>()
  for (const one of first.values()) {
    const failure = failureOf(one)
    for (const source of sourcesOf(one, failure, batches)) {
      if (!failures.has(keyOf(source))) failures.set(keyOf(source), { ...failure, ...source })
    }
  }
  return [...failures.values()]
}

/**
 * The partitions of which some batch failed, under the source's names: what comes before the first one's records is on the
 * target, wherever it was put.
 */
export function unacknowledged(
  results: readonly ProduceResult[],
  batches: readonly CopiedBatch[]
): Unacknowledged[] {
  const bySource = Map.groupBy(batches.entries(), ([, { source }]) => keyOf(source))
  return [...bySource.values()].flatMap((mine) => {
    const failed = mine.filter(([index]) => results[index]?.fault !== undefined)
    const [first] = failed
    if (first === undefined) return []
    const { source } = first[1]
    if (failed.length === mine.length) return [source]
    return [{ ...source, from: Math.min(...failed.map(([, { origins }]) => origins[0]?.offset ?? 0)) }]
  })
}

/** A batch that is refused is its own source's affair; a sick partition of the target is that of all that write to it. */
function sourcesOf(
  { batch }: Failed,
  { fault, refused }: PartitionFailure,
  batches: readonly CopiedBatch[]
): readonly TopicPartition[] {
  if (refused !== undefined || fault.code === 'source-corrupt') return [batch.source]
  return batches.filter((one) => keyOf(one) === keyOf(batch)).map(({ source }) => source)
}

interface Failed extends ProduceResult {
  readonly batch: CopiedBatch
  readonly fault: Fault
}

function failureOf(failed: Failed): PartitionFailure {
  const { batch, error, fault } = failed
  const refused = refusedOf(failed)
  if (refused !== undefined) return { ...batch.source, fault, refused }
  // The checksum follows the changed header by linearity, so it is wrong only where the source's was.
  if (error !== CORRUPT_MESSAGE || verifyCrc(batch.batch)) return { ...batch.source, fault }
  const message = `a batch of ${keyOf(batch)} does not fit its own checksum: the source's copy is damaged`
  return { ...batch.source, fault: new Fault('source-corrupt', message, { cause: fault }) }
}

function refusedOf({ batch, error, fault, recordErrors = [] }: Failed): Refused | undefined {
  const { origins, isDeadLetter } = batch
  const isTooLarge = TOO_LARGE.has(error)
  const [first] = origins
  const last = origins.at(-1)
  if (first === undefined || last === undefined || !(isTooLarge || INVALID.has(error))) return undefined
  const record = (offset: number, why = '') => {
    const reason = `the record at offset ${offset}: ${fault.message}${why && `: ${why}`}`
    return { offset, reason, ...(isDeadLetter && { isFinal: true }) }
  }
  const named = recordErrors.slice(0, NAMED_MAX).flatMap(({ index, message }) => {
    const offset = offsetOf(origins, index)
    return offset === undefined ? [] : [record(offset, message)]
  })
  if (named.length > 0) return { records: named }
  const count = origins.reduce((sum, origin) => sum + origin.count, 0)
  if (count === 1) return { records: [record(first.offset)] }
  // What is too large for the target was so by its own limit, which later batches will meet, too.
  return suspect(first.offset, isTooLarge ? NO_END : last.offset + last.count, count)
}

function keyOf({ topic, partition }: TopicPartition): string {
  return tp(topic, partition)
}
