/**
 * What is known of records that the target refuses for good. Plain data and total functions.
 *
 * A refused batch is not copied as it was again: the records that the target named are dealt with as the rules want, and
 * where it named none, the batch is cut into parts until one record stands alone.
 */
export interface Refused {
  readonly records: readonly RefusedRecord[]
  readonly suspicion?: Suspicion
}

export interface RefusedRecord {
  readonly offset: number
  /** Why, in the target's words. */
  readonly reason: string
  /** The topic for dead letters refuses it, too. */
  readonly isFinal?: boolean
}

/** Some record at the offsets `[from, until)` is refused: no batch there may hold more than so many. */
export interface Suspicion {
  readonly from: number
  readonly until: number
  readonly recordsMax: number
}

/** Of the end of what is suspected when every batch of that size is. */
export const NO_END = Number.MAX_SAFE_INTEGER

/** Into how many parts a refused batch is cut. */
const PARTS = 16

/** What a refused batch of so many records, the first at `from`, is cut into. */
export function suspect(from: number, until: number, records: number): Refused {
  return { records: [], suspicion: { from, until, recordsMax: Math.max(1, Math.ceil(records / PARTS)) } }
}

/** Both. Once records are known by their offsets, what was suspected has found its explanation. */
export function both(known: Refused | undefined, more: Refused): Refused {
  if (known === undefined) return more
  if (more.suspicion === undefined) {
    const byOffset = new Map([...known.records, ...more.records].map((one) => [one.offset, one]))
    return { records: [...byOffset.values()] }
  }
  return { records: known.records, suspicion: wider(known.suspicion, more.suspicion) }
}

/** What of it lies at or behind an offset. */
export function behind({ records, suspicion }: Refused, offset: number): Refused | undefined {
  const later = records.filter((record) => record.offset >= offset)
  const isSuspected = suspicion !== undefined && suspicion.until > offset
  if (later.length === 0 && !isSuspected) return undefined
  return { records: later, ...(isSuspected && { suspicion }) }
}

function wider(one: Suspicion | undefined, other: Suspicion): Suspicion {
  if (one === undefined) return other
  return {
    from: Math.min(one.from, other.from),
    until: Math.max(one.until, other.until),
    recordsMax: Math.min(one.recordsMax, other.recordsMax)
  }
}
