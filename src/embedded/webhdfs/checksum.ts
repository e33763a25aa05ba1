import { createHash } from 'node:crypto'
import { crc32c } from '../../records/crc32c.ts'

export const BYTES_PER_CRC = 512
/** Hadoop digests and prints whole buffers; they begin with so many bytes and double when they are full. */
const BUFFER_BYTES = 32

export interface FileChecksum {
  readonly algorithm: string
  /** Hexadecimal. */
  readonly bytes: string
  readonly length: number
}

/**
 * HDFS's checksum of a file: the MD5 of its blocks' MD5s, each of the CRC-32Cs of 512 bytes each (`FileChecksumHelper`,
 * `MD5MD5CRC32CastagnoliFileChecksum`: bytes per CRC, CRCs per block, MD5). It depends on the size of the blocks.
 */
export async function checksumOf(
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  bytes: number,
  blockBytes: number
): Promise<FileChecksum> {
  if (bytes === 0) return printed('CRC32', 0, 0, digestOfBuffer([]))
  const blocks: Buffer[] = []
  let block = createHash('md5')
  let left = blockBytes
  for await (const piece of pieces(content)) {
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32c(piece))
    block.update(crc)
    left -= piece.length
    if (left > 0) continue
    blocks.push(block.digest())
    block = createHash('md5')
    left = blockBytes
  }
  if (left < blockBytes) blocks.push(block.digest())
  const crcsPerBlock = bytes > blockBytes ? blockBytes / BYTES_PER_CRC : 0
  return printed('CRC32C', BYTES_PER_CRC, crcsPerBlock, digestOfBuffer(blocks))
}

function digestOfBuffer(parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  let capacity = BUFFER_BYTES
  while (capacity < content.length) capacity *= 2
  return createHash('md5')
    .update(content)
    .update(Buffer.alloc(capacity - content.length))
    .digest()
}

/** The bytes again, in pieces of 512; only the last may be shorter. */
async function* pieces(content: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of content) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (; at + BYTES_PER_CRC <= all.length; at += BYTES_PER_CRC) yield all.subarray(at, at + BYTES_PER_CRC)
    rest = all.subarray(at)
  }
  if (rest.length > 0) yield rest
}

function printed(crc: string, bytesPerCrc: number, crcsPerBlock: number, md5: Buffer): FileChecksum {
  const buffer = Buffer.alloc(BUFFER_BYTES)
  buffer.writeUInt32BE(bytesPerCrc, 0)
  buffer.writeBigUInt64BE(BigInt(crcsPerBlock), 4)
  md5.copy(buffer, 12)
  const algorithm = `MD5-of-${crcsPerBlock}MD5-of-${bytesPerCrc}${crc}`
  return { algorithm, bytes: buffer.toString('hex'), length: 28 }
}
