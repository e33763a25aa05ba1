import { constants, crc32, deflateRawSync, zstdCompressSync } from 'node:zlib'
import type { TextCodec } from '../../config/types.ts'

/** Compresses a file block by block, so that no more than a block waits uncompressed. */
export interface Compressor {
  /** The result shares no memory with the block. */
  block(block: Buffer): Buffer
  /** What follows the last block. */
  end(): Buffer
}

const NOTHING = Buffer.alloc(0)

export function compressor(codec: TextCodec): Compressor {
  switch (codec) {
    case 'none':
      return { block: (block) => Buffer.from(block), end: () => NOTHING }
    case 'gzip':
      return new Gzip()
    case 'zstd':
      // A file may have several frames (RFC 8878, section 3); the last one says no more.
      return { block: (block) => zstdCompressSync(block), end: () => zstdCompressSync(NOTHING) }
  }
}

/** RFC 1952: deflate, no flags, no time, no file system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
const TWO_32 = 0x1_0000_0000

/** One member, since not every reader goes on after the first: each block is flushed to whole bytes, the last one ends it. */
class Gzip implements Compressor {
  #crc = 0
  #bytes = 0

  block(block: Buffer): Buffer {
    const flushed = deflateRawSync(block, { finishFlush: constants.Z_SYNC_FLUSH })
    const compressed = this.#bytes === 0 ? Buffer.concat([HEADER, flushed]) : flushed
    this.#crc = crc32(block, this.#crc)
    this.#bytes += block.length
    return compressed
  }

  end(): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc, 0)
    trailer.writeUInt32LE(this.#bytes % TWO_32, 4)
    return Buffer.concat([...(this.#bytes === 0 ? [HEADER] : []), deflateRawSync(NOTHING), trailer])
  }
}
