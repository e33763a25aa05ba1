import { snappyCompressor, snappyUncompressor } from 'hysnappy'
import { GrowingBytes } from './growing.ts'

/**
 * Snappy as Kafka carries it: the framing of the Java library snappy-java ("xerial"), which is eight magic bytes, two
 * int32 versions, then blocks of an int32 length and a raw snappy block. Some producers write one raw block instead;
 * both are read, the framing is written, since the Java client reads nothing else reliably.
 */

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const HEADER_BYTES = 16
const BLOCK_BYTES = 32 * 1024

const compressBlock = snappyCompressor()
const decompressBlock = snappyUncompressor()

/** One raw snappy block, as Parquet uses it. */
export function compressRaw(plain: Uint8Array): Buffer {
  const block = compressBlock(plain)
  return Buffer.from(block.buffer, block.byteOffset, block.length)
}

export function compressXerial(plain: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  const parts: Buffer[] = [header]
  for (let start = 0; start < plain.length; start += BLOCK_BYTES) {
    const block = compressRaw(plain.subarray(start, start + BLOCK_BYTES))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/** Throws an Error that says what is wrong, and a `too-large` fault beyond `limit` bytes. */
export function decompressSnappy(bytes: Buffer, limit: number): Buffer {
  const out = new GrowingBytes(Math.min(limit, bytes.length * 4), limit)
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    appendBlock(bytes, out)
    return out.view()
  }
  let at = HEADER_BYTES
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw new Error('a snappy block length is cut')
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0 || at + length > bytes.length) throw new Error('a snappy block is cut')
    appendBlock(bytes.subarray(at, at + length), out)
    at += length
  }
  return out.view()
}

function appendBlock(block: Buffer, out: GrowingBytes): void {
  const length = uncompressedLength(block)
  out.room(length)
  if (length > 0) out.append(decompressBlock(block, length), 0, length)
}

/** A raw block begins with the length of its text, an unsigned varint of 32 bits. */
function uncompressedLength(block: Buffer): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  throw new Error('a snappy block has no length')
}
