/** CRC-32C (RFC 3720, appendix B.4) by slicing by 16. */

const POLYNOMIAL: u32 = 0x82f63b78
const SLICES: u32 = 16
/** At 256 * k + b, four bytes each: the raw CRC of byte b followed by k zero bytes. */
const TABLES: usize = memory.data(16 * 256 * 4, 16)

/** The register after the `bytes` at `from`, without initial value or final complement. */
export function rawCrc32c(register: u32, from: usize, bytes: u32): u32 {
  let crc = register
  let at = from
  const end = from + bytes
  const last = end - 16
  if (bytes >= 16) {
    for (; at <= last; at += 16) {
      const a = load<u32>(at) ^ crc
      const b = load<u32>(at, 4)
      const c = load<u32>(at, 8)
      const d = load<u32>(at, 12)
      // What the register has no part in is first, so that it need not be waited for.
      crc = word(8, b) ^ word(4, c) ^ word(0, d) ^ word(12, a)
    }
  }
  for (; at < end; at++) crc = entry(0, (crc ^ load<u8>(at)) & 255) ^ (crc >> 8)
  return crc
}

/** Four bytes, the first one lowest, after which `after` bytes follow in the slice. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function word(after: u32, bytes: u32): u32 {
  return (
    entry(after + 3, bytes & 255) ^
    entry(after + 2, (bytes >> 8) & 255) ^
    entry(after + 1, (bytes >> 16) & 255) ^
    entry(after, bytes >> 24)
  )
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function entry(slice: u32, byte: u32): u32 {
  return load<u32>(TABLES + (usize(slice) << 10) + (usize(byte) << 2))
}

function buildTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1
    store<u32>(TABLES + (byte << 2), crc)
  }
  for (let index: u32 = 256; index < SLICES * 256; index++) {
    const previous = load<u32>(TABLES + ((index - 256) << 2))
    store<u32>(TABLES + (index << 2), entry(0, previous & 255) ^ (previous >> 8))
  }
}

buildTables()
