import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The checksum algorithms of `x-amz-checksum-<algorithm>`. */
export const algorithms = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const
export type Algorithm = (typeof algorithms)[number]

/** A running checksum; `digest` gives the big-endian bytes that S3 writes in base64. */
export interface Checksum {
  update(chunk: Uint8Array): void
  digest(): Buffer
}

export function algorithmNamed(name: string | undefined): Algorithm | undefined {
  return algorithms.find((algorithm) => algorithm === name?.toLowerCase())
}

export function startChecksum(algorithm: Algorithm): Checksum {
  if (algorithm === 'crc32') return startCrc32()
  if (algorithm === 'crc32c') return startCrc32c()
  if (algorithm === 'crc64nvme') return startCrc64()
  const hash = createHash(algorithm)
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest() }
}

function startCrc32(): Checksum {
  let value = 0
  return {
    update: (chunk) => {
      value = crc32(chunk, value)
    },
    digest: () => bigEndian(value)
  }
}

function startCrc32c(): Checksum {
  let value = 0xffffffff
  return {
    update: (chunk) => {
      for (const byte of chunk) value = (value >>> 8) ^ (castagnoli[(value ^ byte) & 0xff] ?? 0)
    },
    digest: () => bigEndian(~value)
  }
}

function startCrc64(): Checksum {
  let high = 0xffffffff
  let low = 0xffffffff
  return {
    update: (chunk) => {
      for (const byte of chunk) {
        const at = (low ^ byte) & 0xff
        low = ((low >>> 8) | (high << 24)) ^ (nvme.low[at] ?? 0)
        high = (high >>> 8) ^ (nvme.high[at] ?? 0)
      }
    },
    digest: () => Buffer.concat([bigEndian(~high), bigEndian(~low)])
  }
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

const castagnoli = crcTable(0, 0x82f63b78).low
/** CRC-64/NVME, reflected polynomial 0x9a6c9329ac4bc9b5. */
const nvme = crcTable(0x9a6c9329, 0xac4bc9b5)

/** The byte table of a reflected CRC whose polynomial is given in two halves. */
function crcTable(polynomialHigh: number, polynomialLow: number) {
  const high = new Uint32Array(256)
  const low = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let [h, l] = [0, byte]
    for (let bit = 0; bit < 8; bit++) {
      const odd = l & 1
      l = (l >>> 1) | (h << 31)
      h >>>= 1
      if (odd === 1) {
        h ^= polynomialHigh
        l ^= polynomialLow
      }
    }
    high[byte] = h >>> 0
    low[byte] = l >>> 0
  }
  return { high, low }
}
