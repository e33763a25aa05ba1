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
      const a = load<u64>(at) ^ u64(crc)
      const b = load<u64>(at, 8)
      crc =
        entry(15, u32(a) & 255) ^
        entry(14, u32(a >> 8) & 255) ^
        entry(13, u32(a >> 16) & 255) ^
        entry(12, u32(a >> 24) & 255) ^
        entry(11, u32(a >> 32) & 255) ^
        entry(10, u32(a >> 40) & 255) ^
        entry(9, u32(a >> 48) & 255) ^
        entry(8, u32(a >> 56)) ^
        entry(7, u32(b) & 255) ^
        entry(6, u32(b >> 8) & 255) ^
        entry(5, u32(b >> 16) & 255) ^
        entry(4, u32(b >> 24) & 255) ^
        entry(3, u32(b >> 32) & 255) ^
        entry(2, u32(b >> 40) & 255) ^
        entry(1, u32(b >> 48) & 255) ^
        entry(0, u32(b >> 56))
    }
  }
  for (; at < end; at++) crc = entry(0, (crc ^ load<u8>(at)) & 255) ^ (crc >> 8)
  return crc
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
