import type { Position } from '../../machines/ledger.ts'
import { type ReadInternalOptions, readInternal } from '../kafka/positions.ts'
import { type Claim, decodeRecord } from './position-records.ts'

/** What the records of one partition of the position topic say together. */
export interface ShardRecords {
  /** By key. */
  readonly positions: { [key: string]: Position }
  claim: Claim | undefined
  /** The value of the record `scope`. */
  scope: Buffer | null
}

export function emptyRecords(): ShardRecords {
  return { positions: {}, claim: undefined, scope: null }
}

/** Reads on from where `records` stand; returns where to go on the next time. Rejects as `readInternal`. */
export async function readShard(
  options: Omit<ReadInternalOptions, 'onRecord'>,
  records: ShardRecords
): Promise<number> {
  const { nextOffset } = await readInternal({
    ...options,
    onRecord: ({ key, value }) => apply(records, key, value)
  })
  return nextOffset
}

function apply(records: ShardRecords, key: Buffer | null, value: Buffer | null): void {
  const decoded = decodeRecord(key, value)
  switch (decoded.type) {
    case 'position':
      records.positions[decoded.key] = decoded.position
      break
    case 'claim':
      records.claim = decoded.claim
      break
    case 'scope':
      records.scope = decoded.value
      break
    case 'tombstone':
      delete records.positions[decoded.key]
  }
}
