import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'

/** Where the records of a decoder come from. */
export interface RowSource {
  readonly topic: string
  readonly partition: number
}

/** A value as templates and event times need it: of a timestamp milliseconds since 1970, of an int64 a bigint. */
export type RowValue = string | number | bigint | boolean | Buffer | undefined

/**
 * What became of a record:
 *
 * - `row`: it is the current row, until the next `read`;
 * - `filtered`: the configuration leaves it out;
 * - `pending`: it cannot be read before `ready` has resolved; read it again then;
 * - a reason: it can never be a row, and belongs among the dead letters.
 */
export type Outcome = 'row' | 'filtered' | 'pending' | { readonly reason: string }

/**
 * Turns the records of one chain into rows, all of the same columns. One object, many records and files: the current row
 * is read once, then asked where it belongs, then appended there. Views of the record's bytes are kept until the next `read`.
 */
export interface RowDecoder {
  readonly columns: readonly ColumnSpec[]
  /** Never throws for what a record holds. */
  read(record: RecordCursor): Outcome
  /**
   * After `pending`: resolves when the record may be read again. Rejects with a fault when what it needs cannot be had now
   * (`retryable`) or for good; the partition stays where it is, since the record itself may be sound.
   */
  ready(signal: AbortSignal): Promise<void>
  /** Of the current row; undefined when it has none there. */
  value(column: number): RowValue
  /** Appends the current row to the first columns of a file, which are `columns`. May be called for several files. */
  appendTo(sink: ColumnSink): void
}

export const nullValue = { reason: 'value is null' } as const

/** The `ready` of decoders that never wait. */
export const alwaysReady = () => Promise.resolve()
