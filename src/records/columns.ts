/** Flat columns: what a row is made of between a decoder and a file. */

/** `timestamp` is milliseconds since 1970 in UTC; `string` is UTF-8; `binary` is any bytes. */
export type ColumnType = 'int64' | 'int32' | 'double' | 'string' | 'binary' | 'boolean' | 'timestamp'

export interface ColumnSpec {
  readonly name: string
  readonly type: ColumnType
  readonly nullable: boolean
}

/**
 * Takes the values of one column, one call a row. A method that does not fit the column's type throws
 * `column-type`, a null where none may be `column-null`: both are defects of the caller.
 */
export interface ColumnAppender {
  appendNull(): void
  /** string: the UTF-8 bytes `[start, end)`, copied. binary: the same of any bytes. */
  appendBytes(buffer: Buffer, start: number, end: number): void
  /** string */
  appendString(value: string): void
  /** int64: two signed halves. */
  appendInt64(high: number, low: number): void
  /** int32, int64 and timestamp: an integer of at most 2^53 in magnitude. double: any number, NaN and infinities too. */
  appendNumber(value: number): void
  /** int64: decimal digits; false, and nothing is appended, when they are not a 64-bit integer. */
  appendInt64FromDigits(buffer: Buffer, start: number, end: number): boolean
  appendBoolean(value: boolean): void
}

/** Where decoded rows go: one appender a column. */
export interface ColumnSink {
  readonly columns: readonly ColumnAppender[]
}
