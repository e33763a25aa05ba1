import { Fault } from '../../errors.ts'
import type { ColumnAppender, ColumnSpec } from '../../records/columns.ts'
import { GrowingBytes } from '../../records/growing.ts'

/** How values look in a file of lines. */
export interface CellFormat {
  readonly null: string
  /** Appends UTF-8 text, or what the format does with it. */
  readonly text: (out: GrowingBytes, buffer: Buffer, start: number, end: number) => void
  /** Of what is ASCII and needs no escape: moments, base64, and numbers that are none. */
  readonly quote: string
}

/** A text may have six times its bytes once it is escaped. */
const CELL_BYTES_LIMIT = 2 ** 31 - 1

/** The value of one column in the row that is being built, as it will stand in the line. */
export class Cell implements ColumnAppender {
  readonly spec: ColumnSpec
  readonly bytes = new GrowingBytes(64, CELL_BYTES_LIMIT)
  readonly #format: CellFormat
  #isSet = false

  constructor(spec: ColumnSpec, format: CellFormat) {
    this.spec = spec
    this.#format = format
  }

  /** Appends it to the line, and is empty for the next row. Throws `row-incomplete` when it has no value. */
  moveTo(line: GrowingBytes): void {
    if (!this.#isSet) throw new Fault('row-incomplete', `column ${this.spec.name} has no value in a row`)
    line.append(this.bytes.bytes, 0, this.bytes.length)
    this.bytes.length = 0
    this.#isSet = false
  }

  appendNull(): void {
    if (!this.spec.nullable) throw new Fault('column-null', `column ${this.spec.name} takes no null`)
    this.#set(this.#format.null)
  }

  appendBytes(buffer: Buffer, start: number, end: number): void {
    if (this.spec.type === 'binary') {
      this.#quoted(buffer.toString('base64', start, end))
      return
    }
    this.#expect('string')
    this.#begin()
    this.#format.text(this.bytes, buffer, start, end)
  }

  appendString(value: string): void {
    this.#expect('string')
    const bytes = Buffer.from(value)
    this.appendBytes(bytes, 0, bytes.length)
  }

  appendInt64(high: number, low: number): void {
    this.#expect('int64', 'timestamp')
    const value = (BigInt(high) << 32n) | BigInt(low >>> 0)
    if (this.spec.type === 'timestamp') this.#moment(Number(value))
    else this.#set(String(value))
  }

  appendNumber(value: number): void {
    const { type, name } = this.spec
    if (type === 'double') {
      this.#double(value)
      return
    }
    this.#expect('int32', 'int64', 'timestamp')
    if (!(type === 'int32' ? (value | 0) === value : Number.isSafeInteger(value))) {
      throw new Fault('column-range', `column ${name} cannot hold ${value}`)
    }
    if (type === 'timestamp') this.#moment(value)
    else this.#set(String(value))
  }

  appendInt64FromDigits(buffer: Buffer, start: number, end: number): boolean {
    this.#expect('int64')
    const digits = buffer.toString('latin1', start, end)
    if (!/^(0|-?[1-9][0-9]{0,18})$/.test(digits) || BigInt.asIntN(64, BigInt(digits)) !== BigInt(digits))
      return false
    this.#set(digits)
    return true
  }

  appendBoolean(value: boolean): void {
    this.#expect('boolean')
    this.#set(String(value))
  }

  /** JSON has neither NaN nor infinities: they are strings, which readers of doubles take. */
  #double(value: number): void {
    if (!Number.isFinite(value)) this.#quoted(String(value))
    else this.#set(Object.is(value, -0) ? '-0.0' : String(value))
  }

  /** Milliseconds that no date can have stay a number. */
  #moment(ms: number): void {
    const date = new Date(ms)
    if (Number.isNaN(date.getTime())) this.#set(String(ms))
    else this.#quoted(date.toISOString())
  }

  #quoted(ascii: string): void {
    this.#set(this.#format.quote + ascii + this.#format.quote)
  }

  #set(ascii: string): void {
    this.#begin()
    const bytes = this.bytes.room(ascii.length)
    this.bytes.length += bytes.write(ascii, this.bytes.length, 'latin1')
  }

  #begin(): void {
    if (this.#isSet) throw new Fault('row-incomplete', `column ${this.spec.name} has two values in a row`)
    this.#isSet = true
  }

  #expect(...types: readonly ColumnSpec['type'][]): void {
    if (types.includes(this.spec.type)) return
    throw new Fault('column-type', `column ${this.spec.name} is ${this.spec.type}, not ${types.join(' or ')}`)
  }
}
