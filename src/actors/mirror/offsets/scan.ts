import { Fault, toFault } from '../../../errors.ts'
import type { BatchHeader } from '../../../records/batch.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { readBatches } from '../../kafka/positions.ts'
import type { TopicPartition } from '../../kafka/topic-partition.ts'
import type { Anchor } from './anchors.ts'
import { OffsetRanges } from './ranges.ts'

/** The same stretch of a partition's log on both sides: what lies before `lower` on one does so on the other. */
export interface Stretch {
  readonly source: Cluster
  readonly target: Cluster
  /** Under the source's name. */
  readonly place: TopicPartition
  readonly targetTopic: string
  readonly lower: Anchor
  readonly upper: Anchor
}

/** One side of it. */
interface Side extends TopicPartition {
  readonly cluster: Cluster
  readonly from: number
  readonly until: number
}

const BYTES_MAX = 64 * 1024 * 1024
const PATIENCE_MS = 30_000
/** The stretch is too long, or a log does not reach so far any more. */
const NEVER = new Set(['log-too-long', 'kafka-offset-out-of-range'])

/**
 * Finds by the batch headers of both logs which record went where. `undefined` when that cannot be told for sure: when one
 * of the logs was cleaned there, when they do not hold the same number of records, or when reading would take too long.
 * Rejects when they cannot be read now.
 *
 * Where neither log has lost an offset and both hold as many committed records, nothing was left out and nothing was
 * added, so the first record is the first one, and so on. Equal numbers alone would not do: two cleaned logs may have
 * lost as many records, but different ones.
 */
export async function scan(stretch: Stretch, signal: AbortSignal): Promise<OffsetRanges | undefined> {
  const { source, target, place, targetTopic, lower, upper } = stretch
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)])
  try {
    const [ours, theirs] = await Promise.all([
      recordsOf({ cluster: source, ...place, from: lower.source, until: upper.source }, patience),
      recordsOf(
        { cluster: target, ...place, topic: targetTopic, from: lower.target, until: upper.target },
        patience
      )
    ])
    return joined(ours, theirs, stretch)
  } catch (error) {
    if (NEVER.has(toFault(error).code)) return undefined
    throw error
  }
}

/** The committed records of a stretch of a log. */
async function recordsOf(side: Side, signal: AbortSignal): Promise<CommittedRuns> {
  const { cluster, topic, partition, from, until } = side
  const runs = new CommittedRuns(from, until)
  let bytes = 0
  if (from < until) {
    await readBatches({
      ...{ cluster, topic, partition, signal, from, until },
      transactionTimeoutMs: PATIENCE_MS,
      onLeftOut: (header) => runs.pass(header),
      onBatch: (batch, header) => {
        bytes += batch.length
        if (bytes > BYTES_MAX)
          throw new Fault('log-too-long', `${topic}-${partition} from ${from} to ${until}`)
        runs.add(header)
      }
    })
  }
  return runs
}

type Extent = Pick<BatchHeader, 'baseOffset' | 'lastOffset' | 'lastOffsetDelta' | 'count'>

/** Records whose offsets follow each other. */
interface Run {
  readonly offset: number
  readonly count: number
}

/** The committed records of the offsets `[from, until)`, and whether every offset there is accounted for. */
export class CommittedRuns {
  readonly all: Run[] = []
  readonly #until: number
  #next: number
  #isCleaned = false

  constructor(from: number, until: number) {
    this.#next = from
    this.#until = until
  }

  /** A batch of committed records. */
  add(batch: Extent): void {
    const first = Math.max(this.#next, batch.baseOffset)
    this.pass(batch)
    const count = Math.min(batch.lastOffset + 1, this.#until) - first
    if (count > 0) this.all.push({ offset: first, count })
  }

  /** A marker, or what was aborted. */
  pass({ baseOffset, lastOffset, lastOffsetDelta, count }: Extent): void {
    const lacksSome = baseOffset > this.#next || count !== lastOffsetDelta + 1
    if (lacksSome && this.#next < this.#until) this.#isCleaned = true
    this.#next = Math.max(this.#next, lastOffset + 1)
  }

  get records(): number {
    return this.all.reduce((sum, { count }) => sum + count, 0)
  }

  /** No offset is missing. */
  get isWhole(): boolean {
    return !this.#isCleaned && this.#next >= this.#until
  }
}

/** Which record went where, when both sides hold all of the same records. */
export function joined(
  ours: CommittedRuns,
  theirs: CommittedRuns,
  { lower, upper }: Pick<Stretch, 'lower' | 'upper'>
): OffsetRanges | undefined {
  if (!ours.isWhole || !theirs.isWhole || ours.records !== theirs.records) return undefined
  const ranges = new OffsetRanges(lower.source)
  const copies = theirs.all.values()
  let copy: Run = { offset: 0, count: 0 }
  for (const { offset, count } of ours.all) {
    for (let done = 0; done < count; ) {
      if (copy.count === 0) copy = copies.next().value ?? copy
      const taken = Math.min(count - done, copy.count)
      ranges.append(offset + done, copy.offset, taken)
      copy = { offset: copy.offset + taken, count: copy.count - taken }
      done += taken
    }
  }
  ranges.advance(upper.source)
  return ranges
}
