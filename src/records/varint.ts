import { Fault } from '../errors.ts'

/**
 * Zig-zag variable-length integers, as in Kafka's records and Protocol Buffers: seven bits a byte, least significant
 * first, the sign in the lowest bit. A varint holds 32 bits, a varlong 64; varlongs beyond 2^53 lose their low bits.
 */

const TWO_32 = 0x1_0000_0000

/** Reads one after another from `[at, end)` of a buffer; throws `batch-corrupt` rather than leave that range. */
export class VarintReader {
  buffer: Uint8Array
  at: number
  end: number

  constructor(buffer: Uint8Array, at = 0, end = buffer.length) {
    this.buffer = buffer
    this.at = at
    this.end = end
  }

  varint(): number {
    const first = this.byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let value = first & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    throw new Fault('batch-corrupt', 'a varint is longer than five bytes')
  }

  varlong(): number {
    let value = 0
    let unit = 1
    for (let index = 0; index < 10; index++) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      unit *= 128
    }
    throw new Fault('batch-corrupt', 'a varlong is longer than ten bytes')
  }

  byte(): number {
    const byte = this.at < this.end ? this.buffer[this.at++] : undefined
    if (byte === undefined) throw new Fault('batch-corrupt', 'a record ends in the middle of a field')
    return byte
  }
}

/** Writes an int32 at `at` and returns the position after it. */
export function writeVarint(buffer: Uint8Array, value: number, at: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}

/** Writes an integer of at most 2^52 in magnitude at `at` and returns the position after it. */
export function writeVarlong(buffer: Uint8Array, value: number, at: number): number {
  let rest = zigZag(value)
  while (rest >= TWO_32) {
    buffer[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 0x7f) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  buffer[at++] = rest
  return at
}

export function sizeOfVarint(value: number): number {
  return sizeOfUnsigned(((value << 1) ^ (value >> 31)) >>> 0)
}

export function sizeOfVarlong(value: number): number {
  return sizeOfUnsigned(zigZag(value))
}

function zigZag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function sizeOfUnsigned(value: number): number {
  let size = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++
  return size
}
