import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DecimalReader } from '../../src/records/decimal.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

function read(text: string): bigint | undefined {
  const buffer = Buffer.from(`7${text}7`)
  const decimal = new DecimalReader()
  if (!decimal.read(buffer, 1, buffer.length - 1)) return undefined
  return (BigInt(decimal.high) << 32n) | BigInt(decimal.low >>> 0)
}

test('every 64-bit integer is read exactly', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), fc.nat(62), (value, shift) => {
      expect(read(String(value >> BigInt(shift)))).toBe(value >> BigInt(shift))
    }),
    { numRuns: 2000 }
  )
})

test.each([
  INT64_MIN,
  INT64_MAX,
  0n,
  1n,
  -1n,
  2n ** 32n,
  -(2n ** 32n),
  2n ** 31n,
  -(2n ** 31n),
  2n ** 53n + 1n,
  999_999_999n,
  10n ** 9n,
  10n ** 18n,
  9_223_372_036_000_000_000n
])('%i is read exactly', (value) => {
  expect(read(String(value))).toBe(value)
})

test.each([
  '',
  '-',
  '-0',
  '00',
  '01',
  '+1',
  '1.0',
  '1e3',
  ' 1',
  '1 ',
  '0x1',
  'a',
  '9223372036854775808',
  '-9223372036854775809',
  '9999999999999999999',
  '10000000000000000000',
  '18446744073709551616'
])('%j is no 64-bit integer', (text) => {
  expect(read(text)).toBeUndefined()
})
