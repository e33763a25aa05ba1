import type { ColumnSink } from '../../records/columns.ts'
import { rawColumns } from '../../records/raw-columns.ts'
import { headersOf, type RecordCursor } from '../../records/record.ts'
import { Row } from '../../records/row.ts'
import { alwaysReady, type Outcome, type RowDecoder, type RowValue } from './decoder.ts'

const [KEY, VALUE, HEADERS, OFFSET, TIMESTAMP] = [0, 1, 2, 3, 4] as const
const TWO_32 = 2 ** 32

/** The preset `raw`. */
export class RawDecoder implements RowDecoder {
  readonly columns = rawColumns
  readonly ready = alwaysReady
  readonly #row = new Row(rawColumns)

  read(record: RecordCursor): Outcome {
    const row = this.#row
    row.clear()
    if (record.keyStart >= 0) row.setBytes(KEY, record.buffer, record.keyStart, record.keyEnd)
    if (record.valueStart >= 0) row.setBytes(VALUE, record.buffer, record.valueStart, record.valueEnd)
    if (record.headersCount > 0) {
      const headers = Buffer.from(headersText(record))
      row.setBytes(HEADERS, headers, 0, headers.length)
    }
    row.setInt64(OFFSET, Math.floor(record.offset / TWO_32), record.offset | 0)
    if (record.timestamp !== -1) row.setNumber(TIMESTAMP, record.timestamp)
    return 'row'
  }

  value(column: number): RowValue {
    return this.#row.value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#row.appendTo(sink)
  }
}

function headersText(record: RecordCursor): string {
  return JSON.stringify(
    headersOf(record).map(({ key, value }) => ({
      key,
      value: value === null ? null : value.toString('base64')
    }))
  )
}
