// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the loops and checks beside them
import { GrowingBytes } from './growing.ts'
import { xxh32 } from './xxh32.ts'

/**
 * LZ4 frames (LZ4 Frame Format 1.6.4, LZ4 Block Format), as Kafka carries them. Reading takes everything the format
 * has but dictionaries: several blocks, linked or not, stored blocks, and all checksums, which are verified. Writing
 * gives what every Kafka client reads: independent blocks of 64 KiB without checksums. (Kafka's Java client refuses
 * linked blocks, which is what the lz4js package writes; it also ends matches too near the end of a block.)
 */

const MAGIC = 0x184d2204
const flag = {
  version: 0xc0,
  independent: 0x20,
  blockSum: 0x10,
  size: 0x08,
  contentSum: 0x04,
  dictionary: 0x01
}
const VERSION_1 = 0x40
const STORED = 0x80000000
/** Block size by its code: 64 KiB, 256 KiB, 1 MiB, 4 MiB. */
const BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 0x10000, 5: 0x40000, 6: 0x100000, 7: 0x400000 }
const BLOCK_CODE = 4
const BLOCK = 0x10000

const MATCH_MIN = 4
/** The last match begins at least 12 bytes before a block's end, and the last five bytes are literals. */
const MATCH_START_MARGIN = 12
const LAST_LITERALS = 5
const HASH_BITS = 13
/** Positions of the current block by hash, plus one. */
const positions = new Int32Array(1 << HASH_BITS)

/** Throws an Error that says what is wrong with the frame, and a `too-large` fault beyond `limit` bytes. */
export function decompressFrame(frame: Buffer, limit: number): Buffer {
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC) throw new Error('not an lz4 frame')
  const flags = frame[4]!
  const blockBytesMax = BLOCK_BYTES[frame[5]! >> 4]
  if ((flags & flag.version) !== VERSION_1 || blockBytesMax === undefined)
    throw new Error('unknown lz4 frame version')
  if (flags & flag.dictionary) throw new Error('an lz4 frame with a dictionary')
  let at = flags & flag.size ? 14 : 6
  // Kafka before 0.10 took the magic bytes into the header's checksum, and so do its messages of magic 0 to this day.
  const isHeaderOf = (start: number) => ((xxh32(frame, start, at) >>> 8) & 255) === frame[at]
  if (at >= frame.length || !(isHeaderOf(4) || isHeaderOf(0))) throw new Error('wrong lz4 header checksum')
  at++

  const out = new GrowingBytes(frame.length * 4, limit)
  for (;;) {
    const mark = word(frame, at)
    at += 4
    if (mark === 0) break
    const length = mark & ~STORED
    const end = at + length
    if (end > frame.length || length > blockBytesMax) throw new Error('an lz4 block is cut or too long')
    const blockStart = out.length
    if (mark & STORED) out.append(frame, at, end)
    else decompressBlock(frame, at, end, out)
    if (out.length - blockStart > blockBytesMax) throw new Error('an lz4 block expands beyond its limit')
    if (flags & flag.blockSum) {
      if (word(frame, end) !== xxh32(frame, at, end)) throw new Error('wrong lz4 block checksum')
      at = end + 4
    } else at = end
  }
  if (flags & flag.contentSum && word(frame, at) !== xxh32(out.bytes, 0, out.length)) {
    throw new Error('wrong lz4 content checksum')
  }
  return out.view()
}

export function compressFrame(plain: Buffer): Buffer {
  const blocks = Math.ceil(plain.length / BLOCK)
  const out = Buffer.allocUnsafe(7 + plain.length + 4 * blocks + 4)
  out.writeUInt32LE(MAGIC, 0)
  out[4] = VERSION_1 | flag.independent
  out[5] = BLOCK_CODE << 4
  out[6] = xxh32(out, 4, 6) >>> 8
  let to = 7
  for (let start = 0; start < plain.length; start += BLOCK) {
    const end = Math.min(plain.length, start + BLOCK)
    const written = compressBlock(plain, start, end, out, to + 4)
    if (written > 0) out.writeUInt32LE(written, to)
    else {
      out.writeUInt32LE((STORED | (end - start)) >>> 0, to)
      plain.copy(out, to + 4, start, end)
    }
    to += 4 + (written > 0 ? written : end - start)
  }
  out.writeUInt32LE(0, to)
  return out.subarray(0, to + 4)
}

function decompressBlock(source: Buffer, start: number, end: number, out: GrowingBytes): void {
  let at = start
  while (at < end) {
    const token = source[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more: number
      do {
        if (at >= end) throw new Error('an lz4 length is cut')
        more = source[at++]!
        literals += more
      } while (more === 255)
    }
    if (at + literals > end) throw new Error('lz4 literals are cut')
    copyLiterals(source, at, literals, out)
    at += literals
    if (at === end) return

    if (at + 2 > end) throw new Error('an lz4 match is cut')
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    let length = token & 15
    if (length === 15) {
      let more: number
      do {
        if (at >= end) throw new Error('an lz4 length is cut')
        more = source[at++]!
        length += more
      } while (more === 255)
    }
    copyMatch(out, distance, length + MATCH_MIN)
  }
}

function copyLiterals(source: Buffer, start: number, count: number, out: GrowingBytes): void {
  const to = out.room(count)
  let target = out.length
  if (count > 32) source.copy(to, target, start, start + count)
  else for (let at = start; at < start + count; at++) to[target++] = source[at]!
  out.length += count
}

function copyMatch(out: GrowingBytes, distance: number, count: number): void {
  const bytes = out.room(count)
  let target = out.length
  let from = target - distance
  if (distance === 0 || from < 0) throw new Error('an lz4 match begins outside the text')
  out.length = target + count
  if (count > 32 && distance >= count) {
    bytes.copyWithin(target, from, from + count)
    return
  }
  while (target < out.length) bytes[target++] = bytes[from++]!
}

/** Writes the compressed block and returns its length, or 0 when it would not be shorter than the text. */
function compressBlock(source: Buffer, start: number, end: number, to: Buffer, toStart: number): number {
  const toEnd = toStart + (end - start)
  const matchStartMax = end - MATCH_START_MARGIN
  const matchEndMax = end - LAST_LITERALS
  positions.fill(0)
  let out = toStart
  let anchor = start
  let at = start
  let misses = 0
  while (at <= matchStartMax) {
    const value = word(source, at)
    const hash = Math.imul(value, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = start + positions[hash]! - 1
    positions[hash] = at - start + 1
    if (candidate < start || at - candidate > 0xffff || word(source, candidate) !== value) {
      at += 1 + (misses++ >> 6) // Text that does not compress is left sooner.
      continue
    }
    misses = 0
    let length = MATCH_MIN
    while (at + length < matchEndMax && source[at + length] === source[candidate + length]) length++
    if (out + 8 + (at - anchor) + ((at - anchor + length) >>> 7) >= toEnd) return 0
    out = writeSequence(source, anchor, at, to, out, length - MATCH_MIN)
    to[out++] = at - candidate
    to[out++] = (at - candidate) >>> 8
    out = writeLength(to, out, length - MATCH_MIN)
    at += length
    anchor = at
  }
  if (out + 8 + (end - anchor) + ((end - anchor) >>> 7) >= toEnd) return 0
  return writeSequence(source, anchor, end, to, out, 0) - toStart
}

/** A token, the literals' length beyond 15, the literals. */
function writeSequence(
  source: Buffer,
  start: number,
  end: number,
  to: Buffer,
  out: number,
  match: number
): number {
  const literals = end - start
  to[out++] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
  const literalsAt = writeLength(to, out, literals)
  source.copy(to, literalsAt, start, end)
  return literalsAt + literals
}

function writeLength(to: Buffer, out: number, length: number): number {
  if (length < 15) return out
  let rest = length - 15
  for (; rest >= 255; rest -= 255) to[out++] = 255
  to[out++] = rest
  return out
}

function word(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new Error('an lz4 frame is cut')
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
