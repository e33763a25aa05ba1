// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the loops
const TWO_31 = 0x8000_0000
const TWO_32 = 0x1_0000_0000
const [MINUS, ZERO] = [0x2d, 0x30] as const

/** Reads decimal digits as a 64-bit integer without rounding; the last one read is in `high` and `low`, both signed. */
export class DecimalReader {
  high = 0
  low = 0

  /** Whether `[start, end)` is an integer as Kafka, Parquet and SQL know one: `0`, or `-?[1-9][0-9]*` within int64. */
  read(buffer: Buffer, start: number, end: number): boolean {
    const negative = start < end && buffer[start] === MINUS
    const from = negative ? start + 1 : start
    const digits = end - from
    if (digits < 1 || digits > 19) return false
    if (buffer[from] === ZERO && (negative || digits > 1)) return false
    // Of at most 19 digits, the upper ten make a number below 2^34 and the lower nine one below 2^30.
    const middle = Math.max(from, end - 9)
    const upper = number(buffer, from, middle)
    const lower = number(buffer, middle, end)
    if (upper < 0 || lower < 0) return false
    if (upper > 0) return this.#combine(upper, lower, negative)
    this.low = negative ? -lower : lower
    this.high = negative ? -1 : 0
    return true
  }

  /** upper * 10^9 + lower, in pieces that a double holds exactly. */
  #combine(upper: number, lower: number, negative: boolean): boolean {
    const far = Math.floor(upper / 0x20000) * 1e9 // Counts 2^17.
    const near = (upper % 0x20000) * 1e9 + lower
    const low = (far % 0x8000) * 0x20000 + (near % TWO_32)
    const high = Math.floor(far / 0x8000) + Math.floor(near / TWO_32) + Math.floor(low / TWO_32)
    const lowest = low % TWO_32
    if (high >= TWO_31 && !(negative && high === TWO_31 && lowest === 0)) return false
    this.low = negative ? -lowest | 0 : lowest | 0
    this.high = negative ? ~high + (lowest === 0 ? 1 : 0) : high
    this.high |= 0
    return true
  }
}

/** The digits in `[start, end)`, or -1 when there is anything else. */
function number(buffer: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = buffer[at]! - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
