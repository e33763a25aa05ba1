import { expect, test } from 'vitest'
import { parseDuration, parseSize } from '../../src/config/units.ts'

test.each([
  ['0s', 0],
  ['500ms', 500],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000]
])('%s is %d milliseconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected)
})

test.each([
  ['1B', 1],
  ['0.5KiB', 512],
  ['64MiB', 64 * 1024 ** 2],
  ['2GiB', 2 * 1024 ** 3]
])('%s is %d bytes', (text, expected) => {
  expect(parseSize(text)).toBe(expected)
})

test.each(['', '5', 's', '-1s', '1 s', '1S', '1e3s', '0.5ms', '1.2345s', '9999999999s', '1KB', 'Infinitys'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  }
)

test.each(['', '5', '1KB', '1mib', '0.3B', '-1B', '1 MiB'])('%j is no size', (text) => {
  expect(parseSize(text)).toBeUndefined()
})
