import { toFault } from '../../errors.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { RecordFilter } from '../../records/filter.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Outcome, RowDecoder, RowSource, RowValue } from './decoder.ts'

/**
 * Leaves out the records for which a CEL expression is false. Where it has no answer the record is a dead letter, for the
 * reason why it is no row, if it is none.
 */
export class WhereDecoder implements RowDecoder {
  readonly columns: readonly ColumnSpec[]
  readonly #rows: RowDecoder
  readonly #source: RowSource
  readonly #filter: RecordFilter

  constructor(rows: RowDecoder, filter: RecordFilter, source: RowSource) {
    this.#rows = rows
    this.#source = source
    this.#filter = filter
    this.columns = rows.columns
  }

  read(record: RecordCursor): Outcome {
    let unanswered: string | undefined
    try {
      if (!this.#filter(record, this.#source)) return 'filtered'
    } catch (error) {
      unanswered = toFault(error).message
    }
    const outcome = this.#rows.read(record)
    return outcome === 'row' && unanswered !== undefined ? { reason: unanswered } : outcome
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#rows.ready(signal)
  }

  value(column: number): RowValue {
    return this.#rows.value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#rows.appendTo(sink)
  }
}
