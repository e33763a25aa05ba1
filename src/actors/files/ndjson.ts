// biome-ignore-all lint/style/noNonNullAssertion: the caller's range lies within the buffer
import type { GrowingBytes } from '../../records/growing.ts'
import type { LineFormat } from './lines.ts'

/**
 * One JSON object a line, its members in the order of the columns, null where there is no value. 64-bit integers are numbers
 * with all their digits, moments strings as in ISO 8601, bytes base64.
 */
export const ndjsonFormat: LineFormat = {
  null: 'null',
  quote: '"',
  text: appendJsonString,
  before: (name, index) => `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`,
  end: '}\n'
}

const [QUOTE, BACKSLASH, SPACE, DELETE] = [0x22, 0x5c, 0x20, 0x7f] as const
const ESCAPED_BYTES_MAX = 6
const HEXADECIMAL = Buffer.from('0123456789abcdef')

function appendJsonString(out: GrowingBytes, source: Buffer, start: number, end: number): void {
  const bytes = out.room((end - start) * ESCAPED_BYTES_MAX + 2)
  let to = out.length
  bytes[to++] = QUOTE
  for (let at = start; at < end; at++) {
    const byte = source[at]!
    if (byte >= SPACE && byte !== DELETE) {
      if (byte === QUOTE || byte === BACKSLASH) bytes[to++] = BACKSLASH
      bytes[to++] = byte
    } else {
      bytes.write('\\u00', to, 'latin1')
      bytes[to + 4] = HEXADECIMAL[byte >> 4]!
      bytes[to + 5] = HEXADECIMAL[byte & 15]!
      to += ESCAPED_BYTES_MAX
    }
  }
  bytes[to++] = QUOTE
  out.length = to
}
