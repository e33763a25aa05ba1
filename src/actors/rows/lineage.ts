import type { ColumnAppender, ColumnSink, ColumnSpec } from '../../records/columns.ts'
import { lineageColumns } from '../../records/lineage-columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Outcome, RowDecoder, RowSource, RowValue } from './decoder.ts'

const NO_TIMESTAMP = -1

/** Adds the lineage columns to another decoder's rows. */
export class LineageDecoder implements RowDecoder {
  readonly columns: readonly ColumnSpec[]
  readonly #rows: RowDecoder
  readonly #source: RowSource
  readonly #first: number
  #offset = 0
  #timestamp = NO_TIMESTAMP

  constructor(rows: RowDecoder, source: RowSource) {
    this.#rows = rows
    this.#source = source
    this.#first = rows.columns.length
    this.columns = [...rows.columns, ...lineageColumns]
  }

  read(record: RecordCursor): Outcome {
    this.#offset = record.offset
    this.#timestamp = record.timestamp
    return this.#rows.read(record)
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#rows.ready(signal)
  }

  value(column: number): RowValue {
    switch (column - this.#first) {
      case 0:
        return this.#source.topic
      case 1:
        return this.#source.partition
      case 2:
        return BigInt(this.#offset)
      case 3:
        return this.#timestamp === NO_TIMESTAMP ? undefined : this.#timestamp
      default:
        return this.#rows.value(column)
    }
  }

  appendTo(sink: ColumnSink): void {
    this.#rows.appendTo(sink)
    const column = (index: number) => sink.columns[this.#first + index] as ColumnAppender
    column(0).appendString(this.#source.topic)
    column(1).appendNumber(this.#source.partition)
    column(2).appendNumber(this.#offset)
    if (this.#timestamp === NO_TIMESTAMP) column(3).appendNull()
    else column(3).appendNumber(this.#timestamp)
  }
}
