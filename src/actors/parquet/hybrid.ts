// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the loops
import type { GrowingBytes } from '../../records/growing.ts'

/**
 * Parquet's hybrid of run-length encoding and bit packing (parquet-format, Encodings.md, RLE = 3), of definition levels
 * and dictionary indexes: runs of at least eight equal values, and between them groups of eight values packed.
 */

const GROUP = 8

/** Bits of an index into so many values; readers do not expect none. */
export function widthOf(values: number): number {
  return Math.max(1, 32 - Math.clz32(values - 1))
}

/** Appends the encoding of `values[0, count)`, each below 2^width; width is 1 to 24. */
export function encodeHybrid(
  values: Uint8Array | Uint32Array,
  count: number,
  width: number,
  out: GrowingBytes
): void {
  let packed = 0
  let at = 0
  while (at < count) {
    const value = values[at]!
    let runEnd = at + 1
    while (runEnd < count && values[runEnd] === value) runEnd++
    // Values before a run must fill whole groups, so the run gives some of its own.
    const runStart = packed + Math.ceil((at - packed) / GROUP) * GROUP
    if (runEnd - runStart >= GROUP) {
      pack(values, packed, runStart, width, out)
      writeRun(value, runEnd - runStart, width, out)
      packed = runEnd
    }
    at = runEnd
  }
  pack(values, packed, count, width, out)
}

function writeRun(value: number, count: number, width: number, out: GrowingBytes): void {
  writeUnsigned(count * 2, out)
  const bytes = out.room(4)
  for (let bits = 0; bits < width; bits += 8) bytes[out.length++] = value >>> bits
}

/** Whole groups, the last filled up with zeros. */
function pack(
  values: Uint8Array | Uint32Array,
  start: number,
  end: number,
  width: number,
  out: GrowingBytes
): void {
  if (start === end) return
  const groups = Math.ceil((end - start) / GROUP)
  writeUnsigned(groups * 2 + 1, out)
  const bytes = out.room(groups * width)
  let to = out.length
  out.length += groups * width
  let bits = 0
  let held = 0
  for (let at = start; at < end; at++) {
    bits |= values[at]! << held
    for (held += width; held >= 8; held -= 8) {
      bytes[to++] = bits
      bits >>>= 8
    }
  }
  if (held > 0) bytes[to++] = bits
  bytes.fill(0, to, out.length)
}

function writeUnsigned(value: number, out: GrowingBytes): void {
  const bytes = out.room(5)
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes[out.length++] = (rest & 0x7f) | 0x80
  bytes[out.length++] = rest
}
