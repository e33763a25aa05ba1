// biome-ignore-all lint/style/noNonNullAssertion: the caller's range lies within the buffer
import type { GrowingBytes } from '../../records/growing.ts'
import type { LineFormat } from './lines.ts'

/**
 * Delimited text as the original system wrote it: values in the order of the columns, `|` between them, nothing where
 * there is none, no header. Text has a space for each line break and each `|`, which would be taken for an end otherwise.
 */
export const textFormat: LineFormat = {
  null: '',
  quote: '',
  text: appendText,
  before: (_, index) => (index === 0 ? '' : '|'),
  end: '\n'
}

const [LINE_FEED, RETURN, SPACE, DELIMITER] = [0x0a, 0x0d, 0x20, 0x7c] as const

function appendText(out: GrowingBytes, source: Buffer, start: number, end: number): void {
  const bytes = out.room(end - start)
  let to = out.length
  for (let at = start; at < end; at++) {
    const byte = source[at]!
    bytes[to++] = byte === LINE_FEED || byte === RETURN || byte === DELIMITER ? SPACE : byte
  }
  out.length = to
}
