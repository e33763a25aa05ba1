// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the loops and by masks
import { kernelFor } from './kernel.ts'

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), and the algebra that updates one without reading the bytes again.
 *
 * A CRC is a polynomial over GF(2) modulo P, so it is linear: for two texts of the same length,
 * `crc(a) ^ crc(b) = raw(a ^ b)`, where `raw` has no initial value and no final complement, and every byte that follows
 * a difference multiplies it by x^8. Bit i of a reflected CRC is the coefficient of x^(31 - i).
 */

const POLYNOMIAL = 0x82f63b78
/** The polynomial 1. */
const ONE = 1 << 31

/** Below this, copying them to the kernel takes longer than what it does faster. */
const KERNEL_BYTES_MIN = 2048
const PIECE_BYTES = 16 * 1024

/** Slicing by 8: `TABLES[256 * k + b]` is the raw CRC of byte `b` followed by `k` zero bytes. */
const TABLES = buildTables()

/** `POWERS[i]` is x^(8 * 2^i) modulo P. */
const POWERS = buildPowers()

/** Powers of the lengths last asked for, by their remainder. */
const KNOWN = 1024
const knownPowers = new Int32Array(KNOWN)
const knownLengths = new Float64Array(KNOWN).fill(-1)

/** CRC-32C of `bytes[start, end)`, unsigned. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return (rawCrc32c(-1, bytes, start, end) ^ -1) >>> 0
}

/** The register after `bytes[start, end)`, without initial value or final complement; 32 bits, signed. */
export function rawCrc32c(register: number, bytes: Uint8Array, start: number, end: number): number {
  return end - start < KERNEL_BYTES_MIN
    ? ofFew(register, bytes, start, end)
    : ofMany(register, bytes, start, end)
}

/** By the kernel, piece by piece, so that it reads what was just copied from the cache. */
function ofMany(register: number, bytes: Uint8Array, start: number, end: number): number {
  const kernel = kernelFor(PIECE_BYTES)
  kernel.resident = undefined
  let crc = register
  for (let at = start; at < end; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, end - at)
    kernel.load(bytes, at, at + length, kernel.base)
    crc = kernel.exports.rawCrc32c(crc, kernel.base, length)
  }
  return crc
}

function ofFew(register: number, bytes: Uint8Array, start: number, end: number): number {
  const t = TABLES
  const b = bytes
  let crc = register
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    const low = crc ^ (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24))
    crc =
      t[1792 + (low & 255)]! ^
      t[1536 + ((low >>> 8) & 255)]! ^
      t[1280 + ((low >>> 16) & 255)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + b[at + 4]!]! ^
      t[512 + b[at + 5]!]! ^
      t[256 + b[at + 6]!]! ^
      t[b[at + 7]!]!
  }
  for (; at < end; at++) crc = t[(crc ^ b[at]!) & 255]! ^ (crc >>> 8)
  return crc
}

/**
 * What a raw CRC becomes when `bytesAfter` zero bytes follow: the CRC times x^(8 * bytesAfter).
 * So `crc32c(a + b) = shiftCrc(crc32c(a), b.length) ^ crc32c(b)`. Lengths come again and again: their powers are kept.
 */
export function shiftCrc(crc: number, bytesAfter: number): number {
  const place = bytesAfter % KNOWN
  if (knownLengths[place] !== bytesAfter) {
    knownPowers[place] = powerOf(bytesAfter)
    knownLengths[place] = bytesAfter
  }
  return multiply(crc, knownPowers[place]!) >>> 0
}

/** x^(8 * bytes) modulo P, O(log bytes). */
function powerOf(bytes: number): number {
  let power = ONE
  for (let bit = 0, rest = bytes; rest > 0; bit++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(power, POWERS[bit]!)
  }
  return power
}

/** The product of two polynomials modulo P, bits reflected; without branches, which nothing could predict. */
function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 31; bit >= 0; bit--) {
    product ^= factor & -((a >>> bit) & 1)
    factor = (factor >>> 1) ^ (POLYNOMIAL & -(factor & 1))
  }
  return product
}

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256]!
    tables[index] = tables[previous & 255]! ^ (previous >>> 8)
  }
  return tables
}

function buildPowers(): Int32Array {
  const powers = new Int32Array(48)
  powers[0] = 1 << 23
  for (let index = 1; index < powers.length; index++) {
    powers[index] = multiply(powers[index - 1]!, powers[index - 1]!)
  }
  return powers
}
