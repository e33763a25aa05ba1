// biome-ignore-all lint/style/noNonNullAssertion: lengths are checked before positions are read
/**
 * The two ways in which tweets write a moment: "Wed Oct 10 20:19:24 +0000 2018" (API v1.1, Ruby's default) and ISO 8601,
 * "2018-10-10T20:19:24.000Z" (API v2), the latter with any fraction or none and `Z` or an offset.
 */

const MONTHS = packed('Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec')
const WEEKDAYS = packed('Mon Tue Wed Thu Fri Sat Sun')
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const RUBY_LENGTH = 'Wed Oct 10 20:19:24 +0000 2018'.length
const ISO_LENGTH_MIN = '2018-10-10T20:19:24Z'.length
const [SPACE, PLUS, MINUS, POINT, ZERO, COLON, UPPER_T, UPPER_Z] = [32, 43, 45, 46, 48, 58, 84, 90] as const
const MINUTE_MS = 60_000

/** Milliseconds since 1970, the fraction beyond them cut off; NaN when `[start, end)` is neither form or no such moment. */
export function parseTimestamp(text: Buffer, start: number, end: number): number {
  const length = end - start
  if (length === RUBY_LENGTH && text[start + 3] === SPACE) return parseRuby(text, start)
  return length >= ISO_LENGTH_MIN ? parseIso(text, start, end) : Number.NaN
}

function parseRuby(text: Buffer, at: number): number {
  const month = nameIn(MONTHS, text, at + 4)
  const spaced =
    text[at + 7] === SPACE && text[at + 10] === SPACE && text[at + 19] === SPACE && text[at + 25] === SPACE
  if (!spaced || month < 0 || nameIn(WEEKDAYS, text, at) < 0) return Number.NaN
  const day = dayNumber(number(text, at + 26, 4), month, number(text, at + 8, 2))
  return day + clock(text, at + 11) - zone(text, at + 20, at + 25)
}

function parseIso(text: Buffer, at: number, end: number): number {
  if (text[at + 4] !== MINUS || text[at + 7] !== MINUS || text[at + 10] !== UPPER_T) return Number.NaN
  const day = dayNumber(number(text, at, 4), number(text, at + 5, 2) - 1, number(text, at + 8, 2))
  let zoneAt = at + 19
  let milliseconds = 0
  if (text[zoneAt] === POINT) {
    const fraction = ++zoneAt
    while (zoneAt < end && isDigit(text[zoneAt]!)) {
      milliseconds += (text[zoneAt]! - ZERO) * FRACTION_MS[Math.min(3, zoneAt - fraction)]!
      zoneAt++
    }
    if (zoneAt === fraction) return Number.NaN
  }
  const offset = text[zoneAt] === UPPER_Z && zoneAt + 1 === end ? 0 : zone(text, zoneAt, end)
  return day + clock(text, at + 11) + milliseconds - offset
}

/** What the digits of a fraction of a second count; those after the third nothing. */
const FRACTION_MS = [100, 10, 1, 0] as const

/** "hh:mm:ss" in milliseconds. */
function clock(text: Buffer, at: number): number {
  const hours = number(text, at, 2)
  const minutes = number(text, at + 3, 2)
  const seconds = number(text, at + 6, 2)
  const sound = text[at + 2] === COLON && text[at + 5] === COLON && hours < 24 && minutes < 60 && seconds < 60
  return sound ? ((hours * 60 + minutes) * 60 + seconds) * 1000 : Number.NaN
}

/** "+hhmm" or "+hh:mm" in milliseconds. */
function zone(text: Buffer, at: number, end: number): number {
  const colon = end - at === 6 && text[at + 3] === COLON ? 1 : 0
  const sign = text[at] === PLUS ? 1 : text[at] === MINUS ? -1 : 0
  if (sign === 0 || end - at !== 5 + colon) return Number.NaN
  const [hours, minutes] = [number(text, at + 1, 2), number(text, at + 3 + colon, 2)]
  return hours < 24 && minutes < 60 ? sign * (hours * 60 + minutes) * MINUTE_MS : Number.NaN
}

/** Midnight of a day of the Gregorian calendar, `month` from 0, in milliseconds since 1970. */
function dayNumber(year: number, month: number, day: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = (MONTH_DAYS[month] ?? 0) + (leap && month === 1 ? 1 : 0)
  if (!(year >= 100 && day >= 1 && day <= days)) return Number.NaN // Date.UTC takes 0 to 99 for 1900 to 1999.
  return Date.UTC(year, month, day)
}

/** A number of exactly `digits` digits, or NaN. */
function number(text: Buffer, at: number, digits: number): number {
  let value = 0
  for (let index = at; index < at + digits; index++) {
    if (!isDigit(text[index]!)) return Number.NaN
    value = value * 10 + text[index]! - ZERO
  }
  return value
}

/** Names of three letters as numbers of three bytes. */
function packed(names: string): readonly number[] {
  return names.split(' ').map((name) => Buffer.from(name).readUIntBE(0, 3))
}

function nameIn(names: readonly number[], text: Buffer, at: number): number {
  return names.indexOf((text[at]! << 16) | (text[at + 1]! << 8) | text[at + 2]!)
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte < ZERO + 10
}
