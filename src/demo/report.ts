import type { TallyResult } from './tally.ts'

/** The last line of `demo --json`. Counts are read back from the stores after the last event arrived. */
export interface DemoReport {
  /** Events that the source handed out, malformed ones included. */
  readonly ingested: number
  readonly sourceRecords: number
  readonly mirrored: number
  readonly hdfsRecords: number
  readonly s3Records: number
  readonly warehouseRows: number
  readonly deadLettered: number
  /** Sum over the five stores, like the two below. */
  readonly duplicates: number
  readonly missing: number
  readonly outOfOrder: number
  /** From the start of the process to the arrival of the last event, in milliseconds. */
  readonly elapsedMs: number
}

export interface StoreTallies {
  readonly source: TallyResult
  readonly target: TallyResult
  readonly hdfs: TallyResult
  readonly s3: TallyResult
  readonly warehouse: TallyResult
}

export function reportOf(
  tallies: StoreTallies,
  totals: { readonly ingested: number; readonly deadLettered: number; readonly elapsedMs: number }
): DemoReport {
  const sum = (field: 'missing' | 'repeated' | 'outOfOrder') =>
    Object.values<TallyResult>({ ...tallies }).reduce((total, tally) => total + tally[field], 0)
  return {
    ingested: totals.ingested,
    sourceRecords: tallies.source.count,
    mirrored: tallies.target.count,
    hdfsRecords: tallies.hdfs.count,
    s3Records: tallies.s3.count,
    warehouseRows: tallies.warehouse.count,
    deadLettered: totals.deadLettered,
    duplicates: sum('repeated'),
    missing: sum('missing'),
    outOfOrder: sum('outOfOrder'),
    elapsedMs: totals.elapsedMs
  }
}

/** Whether every event is in every store once and in order, or a dead letter. */
export function isFlawless(report: DemoReport): boolean {
  const { missing, duplicates, outOfOrder, ingested, sourceRecords, deadLettered } = report
  return missing + duplicates + outOfOrder === 0 && ingested === sourceRecords + deadLettered
}
