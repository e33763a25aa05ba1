import type { RecordCursor } from './record.ts'
import { sizeOfVarint, writeVarint } from './varint.ts'

/** A header to be added; its value is text in UTF-8. */
export type AddedHeader = readonly [key: string, value: string]

/**
 * The body of the visited record (key, value and headers, each byte as it is) with some more headers behind its own: a
 * copy, for a batch to be made of.
 */
export function withHeaders(record: RecordCursor, added: readonly AddedHeader[]): Buffer {
  const { buffer, bodyStart, bodyEnd, headersStart, headersCount } = record
  const before = buffer.subarray(bodyStart, headersStart - sizeOfVarint(headersCount))
  const count = varint(headersCount + added.length)
  const more = added.flatMap((header) => header.flatMap(sized))
  return Buffer.concat([before, count, buffer.subarray(headersStart, bodyEnd), ...more])
}

/** Length and bytes. */
function sized(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  return [varint(bytes.length), bytes]
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(sizeOfVarint(value))
  writeVarint(bytes, value, 0)
  return bytes
}
