// biome-ignore-all lint/style/noNonNullAssertion: the columns' arrays have one length
import { JsonScanner, kinds } from './json.ts'
import { JsonPlan } from './json-plan.ts'
import { unescapeInto } from './json-string.ts'
import { Row, type RowColumn, type Taken } from './row.ts'
import { not, setDouble, setInt32, setInt64, setTimestamp, type TimestampForm } from './values.ts'

/** A column by a JSON Pointer. `asJson` takes whatever is there as the text of the document, strings with their quotes. */
export interface JsonColumn extends RowColumn {
  readonly pointer: string
  readonly asJson: boolean
  readonly timestamp: TimestampForm
}

/** Columns and what to look for in documents for them: the same for all rows. */
export class JsonColumns {
  readonly list: readonly JsonColumn[]
  readonly plan: JsonPlan
  readonly root: number
  /** By column. */
  readonly slots: readonly number[]

  constructor(list: readonly JsonColumn[]) {
    const pointers = [...new Set(['', ...list.map(({ pointer }) => pointer)])]
    this.list = list
    this.plan = new JsonPlan(pointers)
    this.root = pointers.indexOf('')
    this.slots = list.map(({ pointer }) => pointers.indexOf(pointer))
  }
}

/**
 * Turns JSON documents into rows of the columns that were asked for, without making a JavaScript value of anything else.
 *
 * - What is missing, or null, or beneath something that is no object, is null.
 * - Integers are digits, as a number or as a string; a fraction or an exponent is none. Numbers are not read as
 *   text nor text as booleans: that is what `asJson` is for.
 * - Of repeated keys the last counts.
 */
export class JsonRow {
  readonly row: Row
  readonly #columns: JsonColumns
  readonly #scanner: JsonScanner
  #document: Buffer = Buffer.alloc(0)

  constructor(columns: JsonColumns) {
    this.row = new Row(columns.list)
    this.#columns = columns
    this.#scanner = new JsonScanner(columns.plan)
  }

  /** Reads the document in `[start, end)`, or says why it is no row. */
  read(buffer: Buffer, start: number, end: number): Taken {
    const { row } = this
    row.clear()
    this.#document = buffer
    const malformed = this.#scanner.scan(buffer, start, end)
    if (malformed !== undefined) return malformed
    const { root, slots } = this.#columns
    if (this.#scanner.kinds[root] !== kinds.object) return 'not an object'
    for (let column = 0; column < slots.length; column++) {
      const slot = slots[column]!
      const kind = this.#scanner.kinds[slot]!
      if (kind <= kinds.null) continue
      const reason = this.#set(column, kind, this.#scanner.starts[slot]!, this.#scanner.ends[slot]!)
      if (reason !== undefined) return reason
    }
    return row.missing()
  }

  #set(column: number, kind: number, start: number, end: number): Taken {
    const { row } = this
    const { type, asJson, timestamp } = this.#columns.list[column]!
    const buffer = this.#document
    switch (type) {
      case 'string':
        if (asJson) {
          const quote = kind === kinds.text || kind === kinds.escaped ? 1 : 0
          return row.setBytes(column, buffer, start - quote, end + quote)
        }
        return setText(row, column, kind, buffer, start, end)
      case 'int64':
        return isDigits(kind) ? setInt64(row, column, buffer, start, end) : row.refuse(column, not.int64)
      case 'int32':
        return isDigits(kind) ? setInt32(row, column, buffer, start, end) : row.refuse(column, not.int32)
      case 'double':
        return kind === kinds.number
          ? setDouble(row, column, buffer, start, end)
          : row.refuse(column, not.double)
      case 'timestamp':
        return setMoment(row, column, timestamp, kind, buffer, start, end)
      case 'boolean':
        if (kind !== kinds.true && kind !== kinds.false) return row.refuse(column, not.boolean)
        row.setBoolean(column, kind === kinds.true)
        return undefined
      case 'binary':
        return row.refuse(column, 'of a type that JSON has')
    }
  }
}

/** Text from what a scanner has found; it must last as long as the row. */
export function setText(
  row: Row,
  column: number,
  kind: number,
  source: Buffer,
  start: number,
  end: number
): Taken {
  if (kind === kinds.text) return row.setBytes(column, source, start, end)
  if (kind !== kinds.escaped) return row.refuse(column, not.text)
  const room = row.roomFor(end - start)
  const from = row.roomStart
  const to = unescapeInto(source, start, end, room, from)
  row.keepRoom(to)
  return row.setBytes(column, room, from, to)
}

/** A moment from what a scanner has found. */
export function setMoment(
  row: Row,
  column: number,
  form: TimestampForm,
  kind: number,
  source: Buffer,
  start: number,
  end: number
): Taken {
  if (kind === kinds.text || (kind === kinds.number && form !== 'text')) {
    return setTimestamp(row, column, form, source, start, end)
  }
  if (kind !== kinds.escaped) return row.refuse(column, not.date)
  // Some encoders write "+" as an escape.
  const plain = Buffer.allocUnsafe(end - start)
  return setTimestamp(row, column, form, plain, 0, unescapeInto(source, start, end, plain, 0))
}

/** A number, or a string without escapes, which may be one of digits. */
function isDigits(kind: number): boolean {
  return kind === kinds.number || kind === kinds.text
}
