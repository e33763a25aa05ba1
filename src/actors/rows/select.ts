import type { ColumnAppender, ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Outcome, RowDecoder, RowValue } from './decoder.ts'

/** Keeps some of another decoder's columns, in the order in which they are named. */
export class SelectDecoder implements RowDecoder {
  readonly columns: readonly ColumnSpec[]
  readonly #rows: RowDecoder
  /** The other decoder's column of each of ours. */
  readonly #from: readonly number[]
  /** The file that was last appended to, as the other decoder sees it. */
  #sink: ColumnSink | undefined
  #wide: ColumnSink = { columns: [] }

  /** @param names each one of the other decoder's columns, none twice */
  constructor(rows: RowDecoder, names: readonly string[]) {
    this.#rows = rows
    this.#from = indexesOf(rows.columns, names)
    this.columns = selected(rows.columns, names)
  }

  read(record: RecordCursor): Outcome {
    return this.#rows.read(record)
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#rows.ready(signal)
  }

  value(column: number): RowValue {
    return this.#rows.value(this.#from[column] ?? -1)
  }

  appendTo(sink: ColumnSink): void {
    if (sink !== this.#sink) {
      const columns: ColumnAppender[] = this.#rows.columns.map(() => nowhere)
      this.#from.forEach((from, to) => {
        columns[from] = sink.columns[to] ?? nowhere
      })
      this.#sink = sink
      this.#wide = { columns }
    }
    this.#rows.appendTo(this.#wide)
  }
}

/** The named ones of `columns`, in the order of the names. */
export function selected(columns: readonly ColumnSpec[], names: readonly string[]): readonly ColumnSpec[] {
  return indexesOf(columns, names).flatMap((index) => columns[index] ?? [])
}

function indexesOf(columns: readonly ColumnSpec[], names: readonly string[]): readonly number[] {
  return names.map((name) => columns.findIndex((column) => column.name === name))
}

const nowhere: ColumnAppender = {
  appendNull: () => undefined,
  appendBytes: () => undefined,
  appendString: () => undefined,
  appendInt64: () => undefined,
  appendNumber: () => undefined,
  appendInt64FromDigits: () => true,
  appendBoolean: () => undefined
}
