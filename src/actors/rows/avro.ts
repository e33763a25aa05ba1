// biome-ignore-all lint/style/noNonNullAssertion: the columns' arrays have one length
import { Row, type RowColumn, type Taken } from '../../records/row.ts'
import { countedMs, not, setTime, type TimestampForm } from '../../records/values.ts'
import { Instant } from './instant.ts'

/** A column by a JSON Pointer into the decoded record. */
export interface AvroColumn extends RowColumn {
  readonly pointer: string
  /** Takes whatever is there as JSON. */
  readonly asJson: boolean
  readonly timestamp: TimestampForm
}

const [INT32_MIN, INT32_MAX] = [-(2 ** 31), 2 ** 31 - 1] as const

/** Turns records that avsc has decoded, with the types of `avro-types.ts`, into rows. */
export class AvroRow {
  readonly row: Row
  readonly #columns: readonly AvroColumn[]
  /** By column: the names on the way. */
  readonly #paths: readonly (readonly string[])[]

  constructor(columns: readonly AvroColumn[]) {
    this.row = new Row(columns)
    this.#columns = columns
    this.#paths = columns.map(({ pointer }) =>
      pointer
        .split('/')
        .slice(1)
        .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    )
  }

  /** Takes the row from a record, or says why it is none. `payload` is what the record was decoded from. */
  read(record: unknown, payload: Buffer): Taken {
    const { row } = this
    row.clear()
    for (let column = 0; column < this.#columns.length; column++) {
      const value = follow(record, this.#paths[column]!)
      if (value === undefined || value === null) continue
      const reason = this.#set(column, value, payload)
      if (reason !== undefined) return reason
    }
    return row.missing()
  }

  #set(column: number, value: unknown, payload: Buffer): Taken {
    const { row } = this
    const { type, asJson, timestamp } = this.#columns[column]!
    switch (type) {
      case 'string': {
        if (asJson) return this.#setText(column, jsonOf(value, payload))
        return this.#setText(column, typeof value === 'string' ? intact(value, payload) : undefined)
      }
      case 'int64': {
        const integer = integerOf(value)
        if (integer === undefined) return row.refuse(column, not.int64)
        row.setInt64(column, Number(integer >> 32n), Number(BigInt.asIntN(32, integer)))
        return undefined
      }
      case 'int32': {
        const integer = Number(integerOf(value) ?? Number.NaN)
        if (!(integer >= INT32_MIN && integer <= INT32_MAX)) return row.refuse(column, not.int32)
        row.setNumber(column, integer)
        return undefined
      }
      case 'double':
        if (typeof value !== 'number' && typeof value !== 'bigint') return row.refuse(column, not.double)
        row.setNumber(column, Number(value))
        return undefined
      case 'boolean':
        if (typeof value !== 'boolean') return row.refuse(column, not.boolean)
        row.setBoolean(column, value)
        return undefined
      case 'timestamp':
        return setTime(row, column, msOf(value, timestamp))
      case 'binary':
        return row.refuse(column, 'of a type that columns have')
    }
  }

  #setText(column: number, text: string | undefined): Taken {
    if (text === undefined) return this.row.refuse(column, not.text)
    const bytes = Buffer.from(text)
    return this.row.setBytes(column, bytes, 0, bytes.length)
  }
}

function follow(record: unknown, path: readonly string[]): unknown {
  let value = unwrapped(record)
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = unwrapped((value as { readonly [member: string]: unknown })[name])
  }
  return value
}

/** Of a union whose branches JavaScript cannot tell apart avsc gives an object that holds the value by its type's name. */
function unwrapped(value: unknown): unknown {
  const isWrapped = typeof value === 'object' && value !== null && 'unwrap' in value
  return isWrapped && typeof value.unwrap === 'function' ? (value.unwrap() as unknown) : value
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (value instanceof Instant) return value.count
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined
}

function msOf(value: unknown, form: TimestampForm): number {
  if (value instanceof Instant) return value.ms
  const count = form === 'text' ? undefined : integerOf(value)
  if (form === 'text' || count === undefined || !Number.isSafeInteger(Number(count))) return Number.NaN
  return countedMs(Number(count), form)
}

/** avsc puts U+FFFD where bytes are not UTF-8: text that does not stand in the payload as it is was changed. */
function intact(text: string, payload: Buffer): string | undefined {
  return text.includes('\ufffd') && !payload.includes(text) ? undefined : text
}

/** Integers stay exact, bytes become base64. Undefined when a text in it was not UTF-8. */
function jsonOf(value: unknown, payload: Buffer): string | undefined {
  let isIntact = true
  const exact = (member: unknown): unknown => {
    const plain = unwrapped(member)
    if (typeof plain === 'string' && intact(plain, payload) === undefined) isIntact = false
    if (typeof plain === 'bigint') return rawJson(String(plain))
    if (plain instanceof Instant) return rawJson(String(plain.count))
    if (Buffer.isBuffer(plain)) return plain.toString('base64')
    if (Array.isArray(plain)) return plain.map(exact)
    if (typeof plain !== 'object' || plain === null) return plain
    const members = Object.entries(plain)
    if (members.some(([name]) => intact(name, payload) === undefined)) isIntact = false
    return Object.fromEntries(members.map(([name, below]) => [name, exact(below)]))
  }
  const text = JSON.stringify(exact(value))
  return isIntact ? text : undefined
}

/** TypeScript does not know it yet (ES2026). */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }
