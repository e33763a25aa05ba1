// biome-ignore-all lint/style/noNonNullAssertion: a scanner has checked what is read
/** What the escapes in a JSON string stand for (RFC 8259, section 7), in bytes. */

const [BACKSLASH, LOWER_U, ZERO, NINE] = [0x5c, 0x75, 0x30, 0x39] as const

/** The byte that `\` and this byte stand for; 0 where that is no escape. */
const SIMPLE_ESCAPES = new Uint8Array(256)
for (const [letter, byte] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  SIMPLE_ESCAPES[letter!.charCodeAt(0)] = byte!.charCodeAt(0)
}

/**
 * Writes the string whose escaped bytes are `[start, end)` of `source` as UTF-8 to `target` and returns the position
 * after it; it is never longer. A surrogate without its other half becomes U+FFFD, as it does in any UTF-8 encoder.
 */
export function unescapeInto(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  targetStart: number
): number {
  let to = targetStart
  for (let at = start; at < end; ) {
    const byte = source[at]!
    if (byte !== BACKSLASH) {
      target[to++] = byte
      at++
    } else if (source[at + 1] !== LOWER_U) {
      target[to++] = SIMPLE_ESCAPES[source[at + 1]!]!
      at += 2
    } else {
      let point = hex4(source, at + 2)
      at += 6
      if (
        point >= 0xd800 &&
        point < 0xdc00 &&
        at + 6 <= end &&
        source[at] === BACKSLASH &&
        source[at + 1] === LOWER_U
      ) {
        const low = hex4(source, at + 2)
        if (low >= 0xdc00 && low < 0xe000) {
          point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
          at += 6
        }
      }
      to = writeUtf8(target, point >= 0xd800 && point < 0xe000 ? 0xfffd : point, to)
    }
  }
  return to
}

function writeUtf8(target: Buffer, point: number, start: number): number {
  let to = start
  if (point < 0x80) target[to++] = point
  else {
    if (point < 0x800) target[to++] = 0xc0 | (point >> 6)
    else {
      if (point < 0x10000) target[to++] = 0xe0 | (point >> 12)
      else {
        target[to++] = 0xf0 | (point >> 18)
        target[to++] = 0x80 | ((point >> 12) & 0x3f)
      }
      target[to++] = 0x80 | ((point >> 6) & 0x3f)
    }
    target[to++] = 0x80 | (point & 0x3f)
  }
  return to
}

/** Four hexadecimal digits, or -1. */
function hex4(buffer: Buffer, at: number): number {
  let value = 0
  for (let index = at; index < at + 4; index++) {
    const byte = buffer[index]!
    const lower = byte | 0x20
    const digit =
      byte >= ZERO && byte <= NINE ? byte - ZERO : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}
