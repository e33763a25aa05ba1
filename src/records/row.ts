// biome-ignore-all lint/style/noNonNullAssertion: the columns' arrays have one length
import type { ColumnSink, ColumnSpec } from './columns.ts'

/** What is done with text that a column may not hold as it is. */
export type TextPolicy = 'truncate' | 'null' | 'dead_letter'

/** A column and what becomes of values that do not fit into it. */
export interface RowColumn extends ColumnSpec {
  /** Longest text in bytes of UTF-8; absent: any. */
  readonly bytesMax?: number
  /** `truncate` cuts before the first character that would go beyond. */
  readonly tooLong: TextPolicy
  /** Of text with U+0000; `truncate` cuts before the first one. */
  readonly nul: TextPolicy | 'keep'
  /** Of a value of another type or out of the type's range. */
  readonly onError: 'null' | 'dead_letter'
}

/** How a value was taken: by its column's rules it may have become null; else the reason why the record is refused. */
export type Taken = string | undefined

/**
 * One row of values, set column by column, then asked for or appended to files. Text set as a range of a buffer is
 * not copied: the buffer must keep its bytes as long as the row lasts, until `clear`.
 */
export class Row {
  readonly columns: readonly RowColumn[]
  readonly #present: Uint8Array
  readonly #buffers: Buffer[]
  readonly #starts: Int32Array
  readonly #ends: Int32Array
  readonly #numbers: Float64Array
  readonly #highs: Int32Array
  readonly #lows: Int32Array
  readonly #byType: Readonly<Record<'texts' | 'int64s' | 'numbers' | 'booleans', readonly number[]>>
  /** Columns that must have a value. */
  readonly #required: readonly number[]
  #scratch: Buffer = Buffer.allocUnsafe(4096)
  #scratchEnd = 0

  constructor(columns: readonly RowColumn[]) {
    const width = columns.length
    this.columns = columns
    this.#present = new Uint8Array(width)
    this.#buffers = columns.map(() => this.#scratch)
    this.#starts = new Int32Array(width)
    this.#ends = new Int32Array(width)
    this.#numbers = new Float64Array(width)
    this.#highs = new Int32Array(width)
    this.#lows = new Int32Array(width)
    const indexes = (...types: readonly ColumnSpec['type'][]) =>
      [...columns.keys()].filter((index) => types.includes(columns[index]!.type))
    // One loop a type, so that each call of an appender meets few kinds of them.
    this.#byType = {
      texts: indexes('string', 'binary'),
      int64s: indexes('int64'),
      numbers: indexes('int32', 'double', 'timestamp'),
      booleans: indexes('boolean')
    }
    this.#required = [...columns.keys()].filter((index) => !columns[index]!.nullable)
  }

  /** Every column null. */
  clear(): void {
    this.#present.fill(0)
    this.#scratchEnd = 0
  }

  /** The first column that must have a value and has none, as a reason. */
  missing(): Taken {
    for (const column of this.#required) {
      if (this.#present[column] === 0) return `${this.columns[column]!.name} is missing`
    }
    return undefined
  }

  /** Text, or the bytes of a `binary` column, to which no rules apply. The text must be UTF-8. */
  setBytes(column: number, buffer: Buffer, start: number, end: number): Taken {
    const { type, bytesMax = Number.POSITIVE_INFINITY, nul } = this.columns[column]!
    this.#buffers[column] = buffer
    this.#starts[column] = start
    this.#ends[column] = end
    this.#present[column] = 1
    if (type === 'binary' || (end - start <= bytesMax && nul === 'keep')) return undefined
    return this.#withoutNul(column) ?? this.#shortened(column)
  }

  setInt64(column: number, high: number, low: number): void {
    this.#highs[column] = high
    this.#lows[column] = low
    this.#present[column] = 1
  }

  /** int32, double and timestamp; the caller has checked the range. */
  setNumber(column: number, value: number): void {
    this.#numbers[column] = value
    this.#present[column] = 1
  }

  setBoolean(column: number, value: boolean): void {
    this.setNumber(column, value ? 1 : 0)
  }

  /** For a value that is not of the column's type; `what` says what it should have been: "a 64-bit integer". */
  refuse(column: number, what: string): Taken {
    const { name, onError } = this.columns[column]!
    return onError === 'null' ? undefined : `${name} is not ${what}`
  }

  /** A buffer to put `bytes` of text into, from `roomStart` on, that lasts as long as the row. */
  roomFor(bytes: number): Buffer {
    if (this.#scratchEnd + bytes > this.#scratch.length) {
      // Values already in the smaller one keep that.
      this.#scratch = Buffer.allocUnsafe(Math.max(this.#scratch.length * 2, bytes))
      this.#scratchEnd = 0
    }
    return this.#scratch
  }

  get roomStart(): number {
    return this.#scratchEnd
  }

  /** What was written to the room, up to `end`, stays. */
  keepRoom(end: number): void {
    this.#scratchEnd = end
  }

  /** Of a timestamp milliseconds since 1970, of an int64 a bigint; undefined for null. */
  value(column: number): string | number | bigint | boolean | Buffer | undefined {
    if (this.#present[column] !== 1) return undefined
    switch (this.columns[column]!.type) {
      case 'string':
        return this.#buffers[column]!.toString('utf8', this.#starts[column], this.#ends[column])
      case 'binary':
        return this.#buffers[column]!.subarray(this.#starts[column], this.#ends[column])
      case 'int64':
        return (BigInt(this.#highs[column]!) << 32n) | BigInt(this.#lows[column]! >>> 0)
      case 'boolean':
        return this.#numbers[column] === 1
      default:
        return this.#numbers[column]
    }
  }

  /** Appends the row to the first columns of a file, which are `columns`. */
  appendTo({ columns }: ColumnSink): void {
    const present = this.#present
    const { texts, int64s, numbers, booleans } = this.#byType
    for (const column of texts) {
      const appender = columns[column]!
      if (present[column] === 0) appender.appendNull()
      else appender.appendBytes(this.#buffers[column]!, this.#starts[column]!, this.#ends[column]!)
    }
    for (const column of int64s) {
      const appender = columns[column]!
      if (present[column] === 0) appender.appendNull()
      else appender.appendInt64(this.#highs[column]!, this.#lows[column]!)
    }
    for (const column of numbers) {
      const appender = columns[column]!
      if (present[column] === 0) appender.appendNull()
      else appender.appendNumber(this.#numbers[column]!)
    }
    for (const column of booleans) {
      const appender = columns[column]!
      if (present[column] === 0) appender.appendNull()
      else appender.appendBoolean(this.#numbers[column] === 1)
    }
  }

  #withoutNul(column: number): Taken {
    const { name, nul } = this.columns[column]!
    if (nul === 'keep') return undefined
    const [start, end] = [this.#starts[column]!, this.#ends[column]!]
    const at = this.#buffers[column]!.subarray(start, end).indexOf(0)
    if (at < 0) return undefined
    if (nul === 'dead_letter') return `${name} holds U+0000`
    if (nul === 'null') this.#present[column] = 0
    else this.#ends[column] = start + at
    return undefined
  }

  #shortened(column: number): Taken {
    const { name, bytesMax = Number.POSITIVE_INFINITY, tooLong } = this.columns[column]!
    const start = this.#starts[column]!
    if (this.#present[column] === 0 || this.#ends[column]! - start <= bytesMax) return undefined
    if (tooLong === 'dead_letter') return `${name} is longer than ${bytesMax} bytes`
    if (tooLong === 'null') this.#present[column] = 0
    else this.#ends[column] = characterEnd(this.#buffers[column]!, start, start + bytesMax)
    return undefined
  }
}

/** The last position up to `at` where a character of UTF-8 begins. */
function characterEnd(buffer: Buffer, start: number, at: number): number {
  let end = at
  while (end > start && (buffer[end]! & 0xc0) === 0x80) end--
  return end
}
