import { DecimalReader } from './decimal.ts'
import type { Row, Taken } from './row.ts'
import { parseTimestamp } from './timestamp.ts'

/** What a timestamp is written as: text (ISO 8601 with a zone, or as tweets have it), or a count since 1970. */
export type TimestampForm = 'text' | 'seconds' | 'milliseconds' | 'microseconds'

/** Milliseconds in one of what is counted. */
const UNIT_MS: Readonly<Record<Exclude<TimestampForm, 'text'>, number>> = {
  seconds: 1000,
  milliseconds: 1,
  microseconds: 0.001
}
/** As ECMAScript's dates: 100 million days on either side of 1970. */
const TIMESTAMP_MAX_MS = 8.64e15

export const not = {
  text: 'a string',
  int64: 'a 64-bit integer',
  int32: 'a 32-bit integer',
  double: 'a number that a double can hold',
  boolean: 'true or false',
  date: 'a date'
} as const

const decimal = new DecimalReader()
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** Values that are written as text, as columns want them. What does not fit is refused by the column's rules. */
export function setInt64(row: Row, column: number, text: Buffer, start: number, end: number): Taken {
  if (!decimal.read(text, start, end)) return row.refuse(column, not.int64)
  row.setInt64(column, decimal.high, decimal.low)
  return undefined
}

export function setInt32(row: Row, column: number, text: Buffer, start: number, end: number): Taken {
  // The upper half of a 32-bit integer is its sign.
  if (!decimal.read(text, start, end) || decimal.high !== decimal.low >> 31)
    return row.refuse(column, not.int32)
  row.setNumber(column, decimal.low)
  return undefined
}

/** The nearest double. A number beyond the largest is refused, and not taken for infinity. */
export function setDouble(row: Row, column: number, text: Buffer, start: number, end: number): Taken {
  const digits = text.toString('latin1', start, end)
  const value = NUMBER.test(digits) ? Number(digits) : Number.NaN
  if (!Number.isFinite(value)) return row.refuse(column, not.double)
  row.setNumber(column, value)
  return undefined
}

export function setTimestamp(
  row: Row,
  column: number,
  form: TimestampForm,
  text: Buffer,
  start: number,
  end: number
): Taken {
  let time: number
  if (form === 'text') time = parseTimestamp(text, start, end)
  else if (decimal.read(text, start, end)) {
    const count = decimal.high * 2 ** 32 + (decimal.low >>> 0)
    // Beyond 2^53 microseconds, in the year 2255, a double would be off by one or more.
    time = Number.isSafeInteger(count) ? countedMs(count, form) : Number.NaN
  } else return row.refuse(column, `an integer that counts ${form}`)
  return setTime(row, column, time)
}

/** Milliseconds since 1970, or NaN. */
export function setTime(row: Row, column: number, time: number): Taken {
  if (!(Math.abs(time) <= TIMESTAMP_MAX_MS)) return row.refuse(column, not.date)
  row.setNumber(column, time)
  return undefined
}

/** Milliseconds since 1970; a part of one is cut off towards the past, as clocks do. */
export function countedMs(count: number, form: Exclude<TimestampForm, 'text'>): number {
  return form === 'microseconds' ? Math.floor(count / 1000) : count * UNIT_MS[form]
}
