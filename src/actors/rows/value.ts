import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Row, Taken } from '../../records/row.ts'
import { alwaysReady, nullValue, type Outcome, type RowDecoder, type RowValue } from './decoder.ts'

/** A reader of one kind of values into its own row: `JsonRow`, `CsvRow`. */
export interface ValueReader {
  readonly row: Row
  read(buffer: Buffer, start: number, end: number): Taken
}

/** Rows from the records' values alone. A record without one is a dead letter. */
export class ValueDecoder implements RowDecoder {
  readonly columns: readonly ColumnSpec[]
  readonly ready = alwaysReady
  readonly #reader: ValueReader

  constructor(reader: ValueReader) {
    this.#reader = reader
    this.columns = reader.row.columns
  }

  read({ buffer, valueStart, valueEnd }: RecordCursor): Outcome {
    if (valueStart < 0) return nullValue
    const reason = this.#reader.read(buffer, valueStart, valueEnd)
    return reason === undefined ? 'row' : { reason }
  }

  value(column: number): RowValue {
    return this.#reader.row.value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#reader.row.appendTo(sink)
  }
}
