import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Outcome, RowDecoder, RowValue } from './decoder.ts'

/**
 * A decoder that is there while there is something to read. A decoder keeps views of its last record, and with them the whole
 * answer that the record came in, and room as large as its largest values: thousands of quiet partitions would keep
 * thousands of answers alive, which no budget counts any more.
 */
export class RestingDecoder implements RowDecoder {
  readonly #open: () => RowDecoder
  #rows: RowDecoder | undefined
  #columns: readonly ColumnSpec[]
  /** As the decoder last told them. */
  #seen: readonly ColumnSpec[] | undefined

  constructor(open: () => RowDecoder) {
    this.#open = open
    this.#columns = open().columns
  }

  /** The same array for as long as they are the same columns. */
  get columns(): readonly ColumnSpec[] {
    const columns = this.#rows?.columns
    if (columns !== undefined && columns !== this.#seen) {
      this.#seen = columns
      if (!areSame(columns, this.#columns)) this.#columns = columns
    }
    return this.#columns
  }

  /** Lets go of everything until the next `read`. There is no current row any more. */
  rest(): void {
    this.#rows = undefined
  }

  read(record: RecordCursor): Outcome {
    return this.#awake().read(record)
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#awake().ready(signal)
  }

  value(column: number): RowValue {
    return this.#awake().value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#awake().appendTo(sink)
  }

  #awake(): RowDecoder {
    this.#rows ??= this.#open()
    return this.#rows
  }
}

function areSame(one: readonly ColumnSpec[], other: readonly ColumnSpec[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, type, nullable }, index) => {
      const column = other[index]
      return name === column?.name && type === column.type && nullable === column.nullable
    })
  )
}
