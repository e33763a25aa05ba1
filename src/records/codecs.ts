import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { Fault } from '../errors.ts'
import type { Codec } from './batch.ts'
import { compressFrame, decompressFrame } from './lz4.ts'
import { compressXerial, decompressSnappy } from './snappy.ts'

/** Kafka's compression codecs by their number in a batch's attributes. */
export const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const satisfies Record<
  string,
  Codec
>

export type CodecName = keyof typeof codecs

/** What a batch may expand to unless the caller says otherwise: a bomb must not take the process. */
export const DECOMPRESSED_BYTES_MAX = 128 * 1024 * 1024

/**
 * Node puts what it expands into pieces of one size, and what took several into one more buffer. Batches are mostly as large as the
 * one before: a piece for all of it halves the time and the garbage.
 */
const PIECE_BYTES = { least: 64 * 1024, most: 2 * 1024 * 1024 } as const
let pieceBytes: number = PIECE_BYTES.least

export function compress(codec: Codec, plain: Buffer): Buffer {
  switch (codec) {
    case codecs.none:
      return plain
    case codecs.gzip:
      return gzipSync(plain)
    case codecs.snappy:
      return compressXerial(plain)
    case codecs.lz4:
      return compressFrame(plain)
    case codecs.zstd:
      return zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  }
}

/**
 * Throws `batch-corrupt` when the bytes are not of that codec, `batch-too-large` when they would expand beyond
 * `limit` bytes.
 */
export function decompress(codec: Codec, bytes: Buffer, limit = DECOMPRESSED_BYTES_MAX): Buffer {
  try {
    switch (codec) {
      case codecs.none:
        return bytes
      case codecs.gzip:
        return expanded(gunzipSync, bytes, limit)
      case codecs.snappy:
        return decompressSnappy(bytes, limit)
      case codecs.lz4:
        return decompressFrame(bytes, limit)
      case codecs.zstd:
        return expanded(zstdDecompressSync, bytes, limit)
    }
  } catch (cause) {
    if (isTooLarge(cause)) {
      throw new Fault('batch-too-large', `a batch expands beyond ${limit} bytes`, { cause })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('batch-corrupt', `compressed records cannot be read: ${why}`, { cause })
  }
}

function expanded(
  expand: typeof gunzipSync | typeof zstdDecompressSync,
  bytes: Buffer,
  limit: number
): Buffer {
  const plain = expand(bytes, { maxOutputLength: limit, chunkSize: pieceBytes })
  const wanted = Math.ceil(plain.length * 1.125)
  pieceBytes = Math.min(PIECE_BYTES.most, Math.max(PIECE_BYTES.least, wanted))
  return plain
}

function isTooLarge(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    'code' in cause &&
    (cause.code === 'too-large' || cause.code === 'ERR_BUFFER_TOO_LARGE')
  )
}
