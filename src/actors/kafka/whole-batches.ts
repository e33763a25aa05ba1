import { at, batchesOf } from '../../records/batch.ts'
import { readInt64 } from '../../records/bytes.ts'

export interface WholeBatches {
  /** Length of the record set without a cut last batch. */
  readonly bytes: number
  /** Offset after the last whole batch; `position` when there is none. */
  readonly nextOffset: number
  /** Leader epoch of the last whole batch, -1 when there is none or it tells none. */
  readonly leaderEpoch: number
}

/** How far a fetched record set goes, by its headers alone. Throws `batch-corrupt`. */
export function wholeBatches(recordSet: Buffer, position: number): WholeBatches {
  let bytes = 0
  let nextOffset = position
  let leaderEpoch = -1
  for (const batch of batchesOf(recordSet)) {
    bytes += batch.length
    const isOld = batch.readInt8(at.magic) < 2
    const lastOffset = readInt64(batch, at.baseOffset) + (isOld ? 0 : batch.readInt32BE(at.lastOffsetDelta))
    nextOffset = Math.max(nextOffset, lastOffset + 1)
    leaderEpoch = isOld ? -1 : batch.readInt32BE(at.leaderEpoch)
  }
  return { bytes, nextOffset, leaderEpoch }
}
