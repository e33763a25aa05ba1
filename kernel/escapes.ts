/** Escapes in JSON strings (RFC 8259, section 7). */

export const TAB: u32 = 0x09
export const LINE_FEED: u32 = 0x0a
export const RETURN: u32 = 0x0d
export const ZERO: u32 = 0x30
export const BACKSLASH: u32 = 0x5c
export const LOWER_U: u32 = 0x75

/** The byte that a backslash and this byte stand for; 0 where that is no escape. */
export function simpleEscape(letter: u32): u32 {
  switch (letter) {
    case 0x22: // "
    case 0x2f: // /
    case 0x5c: // \
      return letter
    case 0x62: // b
      return 0x08
    case 0x66: // f
      return 0x0c
    case 0x6e: // n
      return LINE_FEED
    case 0x72: // r
      return RETURN
    case 0x74: // t
      return TAB
    default:
      return 0
  }
}

/** Four hexadecimal digits, or -1. */
export function hex4(at: usize): i32 {
  let value: i32 = 0
  for (let index = at; index < at + 4; index++) {
    const byte = byteAt(index)
    const lower = byte | 0x20
    if (byte - ZERO <= 9) value = value * 16 + i32(byte - ZERO)
    else if (lower - 0x61 <= 5) value = value * 16 + i32(lower - 0x57)
    else return -1
  }
  return value
}

/** The bytes of a code point in UTF-8, the first one lowest. */
export function utf8(point: u32, bytes: u32): u32 {
  if (bytes == 1) return point
  const last = 0x80 | (point & 0x3f)
  if (bytes == 2) return 0xc0 | (point >> 6) | (last << 8)
  const third = 0x80 | ((point >> 6) & 0x3f)
  if (bytes == 3) return 0xe0 | (point >> 12) | (third << 8) | (last << 16)
  return 0xf0 | (point >> 18) | ((0x80 | ((point >> 12) & 0x3f)) << 8) | (third << 16) | (last << 24)
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function byteAt(at: usize): u32 {
  return load<u8>(at)
}
