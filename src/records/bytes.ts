/**
 * Kafka's big-endian int64 fields as plain numbers. Offsets, timestamps and producer ids stay below 2^53 in practice; a
 * value beyond loses its low bits instead of failing, because a hostile timestamp must not stop a partition here.
 */

const TWO_32 = 0x1_0000_0000

export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
}

/** Writes an integer of at most 2^53 in magnitude. */
export function writeInt64(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * TWO_32, at + 4)
}
