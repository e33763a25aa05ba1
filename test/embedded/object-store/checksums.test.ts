import { expect, test } from 'vitest'
import { startChecksum } from '../../../src/embedded/object-store/checksums.ts'

/** Check values of the CRC catalogue for `123456789`, and the SHA digests of `abc` (FIPS 180). */
test.each([
  ['crc32', '123456789', 'cbf43926'],
  ['crc32c', '123456789', 'e3069283'],
  ['crc64nvme', '123456789', 'ae8b14860a799888'],
  ['sha1', 'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad']
] as const)('%s of %s, in one piece and byte by byte', (algorithm, text, hex) => {
  const whole = startChecksum(algorithm)
  whole.update(Buffer.from(text))
  expect(whole.digest().toString('hex')).toBe(hex)
  const parts = startChecksum(algorithm)
  for (const letter of text) parts.update(Buffer.from(letter))
  expect(parts.digest().toString('hex')).toBe(hex)
})
