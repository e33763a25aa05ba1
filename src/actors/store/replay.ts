import { setImmediate as turn } from 'node:timers/promises'
import { Fault, toFault } from '../../errors.ts'
import { readHeader } from '../../records/batch.ts'
import type { ByteBudget } from '../budget.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { readBatches } from '../kafka/positions.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'
import { draftOptions, type RowBinding } from './builder.ts'
import type { Chunk } from './chunk.ts'
import { ChunkDraft } from './draft.ts'

export interface ReplayOptions {
  readonly cluster: Cluster
  readonly budget: ByteBudget
  readonly rows: RowBinding
}

/** Offsets `[from, to)` of a topic-partition. */
export interface ReplayRange extends TopicPartition {
  readonly from: number
  readonly to: number
}

const OUT_OF_RANGE = new Set(['offset-out-of-range', 'kafka-offset-out-of-range'])
const TRANSACTION_TIMEOUT_MS = 60_000

/**
 * Reads a range from Kafka again, as committed readers see it, and builds its files as the chunk was built that is gone. It
 * was cut where it ends, whatever would cut one today, so nothing but its end does. Rejects with `records-lost`, which
 * names the offsets that Kafka does not have any more.
 */
export async function replayRange(
  { cluster, budget, rows }: ReplayOptions,
  range: ReplayRange,
  signal: AbortSignal
): Promise<Chunk> {
  const { topic, partition, from, to } = range
  const batches: Buffer[] = []
  const leases: { readonly release: () => void }[] = []
  const onBatch = (batch: Buffer) => {
    leases.push(budget.takeNow(batch.length))
    batches.push(batch)
  }
  const options = { ...{ cluster, topic, partition, from }, until: to, signal, onBatch }
  try {
    const { nextOffset } = await readBatches({ ...options, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS })
    if (nextOffset < to) throw await lostOf(cluster, range, signal)
    const unbounded = { filesMax: Number.POSITIVE_INFINITY, recordsMax: Number.POSITIVE_INFINITY }
    const drafting = { ...draftOptions(rows, range), ...unbounded, deadLimit: undefined }
    const draft = new ChunkDraft(from, drafting)
    for (const batch of batches) {
      const header = readHeader(batch, 0)
      let taken = draft.take(batch, header, to)
      while (taken === 'pending') {
        await drafting.decoder.ready(signal)
        taken = draft.take(batch, header, to)
      }
      if (taken === 'full') break
      await turn(undefined, { signal })
    }
    return { ...draft.finish(0), to }
  } catch (error) {
    throw OUT_OF_RANGE.has(toFault(error).code) ? await lostOf(cluster, range, signal) : error
  } finally {
    for (const lease of leases) lease.release()
  }
}

/** Which of the offsets are lost. */
async function lostOf(
  cluster: Cluster,
  { topic, partition, from, to }: ReplayRange,
  signal: AbortSignal
): Promise<Fault> {
  const at = async (timestamp: -1 | -2) => {
    const offsets = await cluster.listOffsets([{ topic, partition, timestamp }], 0, signal)
    return offsets.get(tp(topic, partition)) ?? -1
  }
  const [start, end] = [await at(-2), await at(-1)]
  // Deleted from the front; or the log was cut, or written anew.
  const lost = start > from ? [from, Math.min(to, start)] : [Math.max(from, Math.min(to, end)), to]
  const what = `${tp(topic, partition)}: offsets [${lost.join(', ')}) are not in Kafka any more`
  return new Fault('records-lost', `${what}, and what was prepared for the entry [${from}, ${to}) is gone`)
}
