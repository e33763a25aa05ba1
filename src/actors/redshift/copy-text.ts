import { isUtf8 } from 'node:buffer'

/** What could not go into the warehouse as it was. */
export interface Replacements {
  /** Values in which U+0000, which PostgreSQL cannot hold, became U+FFFD. */
  readonly nul: number
  /** Values that were not UTF-8; what cannot be read became U+FFFD. */
  readonly invalidUtf8: number
}

const TAB = 0x09
const NEWLINE = 0x0a
const BACKSLASH = 0x5c

/** What stands for a byte; PostgreSQL has no text with U+0000, which becomes U+FFFD. */
const ESCAPES: ReadonlyMap<number, Buffer> = new Map([
  [0x00, Buffer.from('\ufffd')],
  [TAB, Buffer.from('\\t')],
  [NEWLINE, Buffer.from('\\n')],
  [0x0d, Buffer.from('\\r')],
  [BACKSLASH, Buffer.from('\\\\')]
])
const ESCAPE_BYTES_MAX = 3

/** `TextDecoder` drops a leading U+FEFF unless it is told not to. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Rows in the text format of COPY (PostgreSQL, "COPY", File Formats): values separated by tabs, a row per line, `\N` for
 * null, and backslash, tab, newline and carriage return escaped. Text goes from bytes to bytes without becoming a string.
 */
export class CopyTextEncoder {
  #buffer: Buffer
  #length = 0
  #atStart = true
  #nul = 0
  #invalidUtf8 = 0

  constructor(chunkBytes = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafe(chunkBytes)
  }

  /** Bytes written since the last `take`. */
  get bytes(): number {
    return this.#length
  }

  get replacements(): Replacements {
    return { nul: this.#nul, invalidUtf8: this.#invalidUtf8 }
  }

  null(): void {
    this.#separate(2)
    this.#push(BACKSLASH)
    this.#push(0x4e) // N
  }

  /** A value whose text is ASCII and needs no escape: digits, `t`, an instant. */
  plain(text: string): void {
    this.#separate(text.length)
    this.#length += this.#buffer.write(text, this.#length, 'latin1')
  }

  text(utf8: Uint8Array): void {
    const isValid = isUtf8(utf8)
    const bytes = isValid ? utf8 : Buffer.from(decoder.decode(utf8), 'utf8')
    if (!isValid) this.#invalidUtf8++
    this.#separate(bytes.length * ESCAPE_BYTES_MAX)
    if (bytes.includes(0)) this.#nul++
    for (const byte of bytes) {
      const escaped = byte <= BACKSLASH ? ESCAPES.get(byte) : undefined
      if (escaped === undefined) this.#push(byte)
      else for (const each of escaped) this.#push(each)
    }
  }

  endRow(): void {
    this.#reserve(1)
    this.#push(NEWLINE)
    this.#atStart = true
  }

  /** Hands over what was written; whole rows only when called after `endRow`. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    this.#buffer = Buffer.allocUnsafe(this.#buffer.length)
    this.#length = 0
    return taken
  }

  #push(byte: number): void {
    this.#buffer[this.#length++] = byte
  }

  #separate(bytes: number): void {
    this.#reserve(bytes + 1)
    if (!this.#atStart) this.#push(TAB)
    this.#atStart = false
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

const DIGITS_OF_YEAR = 4

/**
 * An instant as PostgreSQL reads it, from milliseconds since 1970. ISO 8601 writes the years beyond 9999 and before 1
 * with a sign; PostgreSQL wants the digits alone, and `BC`. Throws `RangeError` beyond what a `Date` holds.
 */
export function instantText(milliseconds: number): string {
  const date = new Date(milliseconds)
  const year = date.getUTCFullYear()
  const iso = date.toISOString()
  if (year >= 1 && year <= 9_999) return iso
  const rest = iso.slice(iso.indexOf('-', 1))
  const digits = String(year > 0 ? year : 1 - year).padStart(DIGITS_OF_YEAR, '0')
  return `${digits}${rest}${year > 0 ? '' : ' BC'}`
}
