// biome-ignore-all lint/style/noNonNullAssertion: the columns' arrays have one length
import { isUtf8 } from 'node:buffer'
import { CsvScanner, fields, unquoteInto } from './csv.ts'
import { Row, type RowColumn, type Taken } from './row.ts'
import { not, setDouble, setInt32, setInt64, setTimestamp, type TimestampForm } from './values.ts'

/** A column by the index of its field. */
export interface CsvColumn extends RowColumn {
  readonly field: number
  readonly timestamp: TimestampForm
}

export interface CsvOptions {
  /** One ASCII character. */
  readonly delimiter: string
  /** How many fields a line must have; absent: at least as many as the columns ask for. */
  readonly width?: number
}

const [TRUE, FALSE] = [Buffer.from('true'), Buffer.from('false')]

/** Turns lines of CSV into rows. An empty field is null, an empty one in quotes is empty text. */
export class CsvRow {
  readonly row: Row
  readonly #columns: readonly CsvColumn[]
  readonly #scanner: CsvScanner
  readonly #options: CsvOptions
  readonly #widthMin: number

  constructor(columns: readonly CsvColumn[], options: CsvOptions) {
    this.row = new Row(columns)
    this.#columns = columns
    this.#scanner = new CsvScanner(options.delimiter)
    this.#options = options
    this.#widthMin = Math.max(...columns.map(({ field }) => field + 1))
  }

  /** Reads the line in `[start, end)`, or says why it is no row. */
  read(buffer: Buffer, start: number, end: number): Taken {
    const { row } = this
    row.clear()
    const scanner = this.#scanner
    const malformed = scanner.scan(buffer, start, end)
    if (malformed !== undefined) return malformed
    if (!isUtf8(buffer.subarray(start, end))) return 'not UTF-8'
    const { width } = this.#options
    if (scanner.count < this.#widthMin || (width !== undefined && scanner.count !== width)) {
      return `has ${scanner.count} fields, not ${width ?? `${this.#widthMin} or more`}`
    }
    for (let column = 0; column < this.#columns.length; column++) {
      const { field } = this.#columns[column]!
      const kind = scanner.kinds[field]!
      if (kind === fields.empty) continue
      const reason = this.#set(column, buffer, kind, scanner.starts[field]!, scanner.ends[field]!)
      if (reason !== undefined) return reason
    }
    return row.missing()
  }

  #set(column: number, buffer: Buffer, kind: number, start: number, end: number): Taken {
    const { row } = this
    if (kind !== fields.doubled) return this.#setText(column, buffer, start, end)
    const room = row.roomFor(end - start)
    const from = row.roomStart
    const to = unquoteInto(buffer, start, end, room, from)
    row.keepRoom(to)
    return this.#setText(column, room, from, to)
  }

  #setText(column: number, text: Buffer, start: number, end: number): Taken {
    const { row } = this
    const { type, timestamp } = this.#columns[column]!
    switch (type) {
      case 'string':
      case 'binary':
        return row.setBytes(column, text, start, end)
      case 'int64':
        return setInt64(row, column, text, start, end)
      case 'int32':
        return setInt32(row, column, text, start, end)
      case 'double':
        return setDouble(row, column, text, start, end)
      case 'timestamp':
        return setTimestamp(row, column, timestamp, text, start, end)
      case 'boolean': {
        const isTrue = TRUE.compare(text, start, end) === 0
        if (!isTrue && FALSE.compare(text, start, end) !== 0) return row.refuse(column, not.boolean)
        row.setBoolean(column, isTrue)
        return undefined
      }
    }
  }
}

const FIELDS_MAX = 4096

/** The index of the field that a pointer names, -1 when there is none. */
export function fieldOf(pointer: string, header: readonly string[] | undefined): number {
  const name = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
  if (header !== undefined) return pointer.startsWith('/') ? header.indexOf(name) : -1
  return /^\/(?:0|[1-9]\d{0,3})$/.test(pointer) && Number(name) < FIELDS_MAX ? Number(name) : -1
}
