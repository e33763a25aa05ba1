import { BACKSLASH, byteAt, hex4, LOWER_U, simpleEscape, utf8 } from './escapes'

/** The keys of an object, found among the steps of a plan as `json.ts` describes them. */

/** The step that a key without escapes leads to, or 0. */
export function find(step: usize, from: usize, length: u32): usize {
  if (length >= load<u32>(step, 16)) return 0
  let below: usize = load<u32>(load<u32>(step, 20) + (length << 2))
  while (below != 0 && !isSame(from, below + 32, length)) below = load<u32>(below, 12)
  return below
}

/** What is read beyond the ends is masked out. */
function isSame(left: usize, right: usize, length: u32): bool {
  let at: u32 = 0
  for (; at + 16 <= length; at += 16) {
    if (i8x16.bitmask(i8x16.eq(v128.load(left + at), v128.load(right + at))) != 0xffff) return false
  }
  const mask = (1 << (length - at)) - 1
  return (i8x16.bitmask(i8x16.eq(v128.load(left + at), v128.load(right + at))) & mask) == mask
}

/** The same for a key with escapes, which is never longer than they are. */
export function findEscaped(step: usize, from: usize, end: usize): usize {
  const lengths = load<u32>(step, 16)
  for (let length: u32 = 0; length < lengths; length++) {
    let below: usize = load<u32>(load<u32>(step, 20) + (length << 2))
    for (; below != 0; below = load<u32>(below, 12)) {
      if (meansKey(from, end, below + 32, length)) return below
    }
  }
  return 0
}

/** Whether `[from, end)`, with its escapes, stands for the `length` bytes of a key. */
function meansKey(from: usize, end: usize, wanted: usize, length: u32): bool {
  const wantedEnd = wanted + length
  let to = wanted
  for (let at = from; at < end; ) {
    const byte = byteAt(at)
    // The last four bytes are those of the next character, the first one lowest.
    let character = byte
    let bytes: u32 = 1
    if (byte != BACKSLASH) at++
    else if (byteAt(at + 1) != LOWER_U) {
      character = simpleEscape(byteAt(at + 1))
      at += 2
    } else {
      let point = u32(hex4(at + 2))
      at += 6
      if (point >= 0xd800 && point < 0xdc00 && at + 6 <= end && isUnicodeEscape(at)) {
        const low = u32(hex4(at + 2))
        if (low >= 0xdc00 && low < 0xe000) {
          point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
          at += 6
        }
      }
      if (point >= 0xd800 && point < 0xe000) point = 0xfffd
      bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
      character = utf8(point, bytes)
    }
    for (; bytes > 0; bytes--, character >>= 8) {
      if (to == wantedEnd || byteAt(to++) != (character & 255)) return false
    }
  }
  return to == wantedEnd
}

function isUnicodeEscape(at: usize): bool {
  return byteAt(at) == BACKSLASH && byteAt(at + 1) == LOWER_U
}
