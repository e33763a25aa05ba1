// biome-ignore-all lint/style/noNonNullAssertion: the caller's range lies within the source
import { GrowingBytes } from '../../records/growing.ts'

/** A page, its header's sizes being int32. */
const PAGE_BYTES_LIMIT = 2 ** 31 - 1
/** Below this a loop is faster than a native copy. */
const LOOP_BYTES_MAX = 48

export function newPageBytes(): GrowingBytes {
  return new GrowingBytes(256, PAGE_BYTES_LIMIT)
}

/** Appends a string in PLAIN encoding: its length as a little-endian int32, then its bytes. */
export function appendByteArray(out: GrowingBytes, source: Buffer, start: number, end: number): void {
  const length = end - start
  const bytes = out.room(length + 4)
  let to = out.length
  bytes[to++] = length
  bytes[to++] = length >>> 8
  bytes[to++] = length >>> 16
  bytes[to++] = length >>> 24
  if (length > LOOP_BYTES_MAX) source.copy(bytes, to, start, end)
  else for (let at = start; at < end; at++) bytes[to++] = source[at]!
  out.length += length + 4
}
