import { byteAt } from './escapes'

/** Whether `[start, end)` is UTF-8. After it come a byte of ASCII and 15 that may be read. */
export function isUtf8(start: usize, end: usize): bool {
  let at = start
  while (at < end) {
    const others = i8x16.bitmask(v128.load(at))
    if (others == 0) {
      at += 16
      continue
    }
    at += ctz(others)
    if (at >= end) break
    const bytes = sequence(at)
    if (bytes == 0) return false
    at += bytes
  }
  return true
}

/** Bytes of the character that begins with one that is not ASCII; 0 where it is none (Unicode 17, table 3-7). */
function sequence(at: usize): u32 {
  const first = byteAt(at)
  const second = byteAt(at + 1)
  if (first < 0xc2 || first > 0xf4 || !continues(second)) return 0
  if (first < 0xe0) return 2
  if (!continues(byteAt(at + 2))) return 0
  if (first < 0xf0) return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ? 0 : 3
  if (!continues(byteAt(at + 3))) return 0
  return (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) ? 0 : 4
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function continues(byte: u32): bool {
  return (byte & 0xc0) == 0x80
}
