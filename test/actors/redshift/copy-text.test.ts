import { expect, test } from 'vitest'
import { CopyTextEncoder, instantText } from '../../../src/actors/redshift/copy-text.ts'

function textOf(...values: readonly (string | Uint8Array | null)[]) {
  const encoder = new CopyTextEncoder(4)
  for (const value of values) {
    if (value === null) encoder.null()
    else encoder.text(typeof value === 'string' ? Buffer.from(value) : value)
  }
  encoder.endRow()
  return { text: encoder.take().toString(), ...encoder.replacements }
}

test('values are separated by tabs and escaped, null is not the text that looks like it', () => {
  expect(textOf('a', null, '', '\\N', 'tab\tnew\nline\rback\\').text).toBe(
    'a\t\\N\t\t\\\\N\ttab\\tnew\\nline\\rback\\\\\n'
  )
})

test('text stays as it is, a byte order mark and emoji included', () => {
  const text = '\ufeff🎉 é \u0001 \u2028'
  expect(textOf(text)).toEqual({ text: `${text}\n`, nul: 0, invalidUtf8: 0 })
})

test('U+0000 and bytes that are no UTF-8 become U+FFFD, and are counted by value', () => {
  expect(textOf('a\0b\0', '\0', 'c')).toEqual({ text: 'a\ufffdb\ufffd\t\ufffd\tc\n', nul: 2, invalidUtf8: 0 })
  const halfSurrogate = Uint8Array.of(0x61, 0xed, 0xa0, 0x80, 0x62)
  expect(textOf(halfSurrogate, Uint8Array.of(0xff))).toEqual({
    text: 'a\ufffd\ufffd\ufffdb\t\ufffd\n',
    nul: 0,
    invalidUtf8: 2
  })
})

test('a taken chunk does not change when the next rows are written', () => {
  const encoder = new CopyTextEncoder(16)
  encoder.plain('1')
  encoder.endRow()
  const first = encoder.take()
  encoder.plain('2')
  encoder.endRow()
  expect([first.toString(), encoder.take().toString(), encoder.bytes]).toEqual(['1\n', '2\n', 0])
})

test('instants are written as PostgreSQL reads them', () => {
  expect(instantText(-1)).toBe('1969-12-31T23:59:59.999Z')
  expect(instantText(Date.UTC(9_999, 11, 31))).toBe('9999-12-31T00:00:00.000Z')
  expect(instantText(Date.UTC(10_000, 0, 1))).toBe('10000-01-01T00:00:00.000Z')
  expect(instantText(new Date('0000-12-31T00:00:00.000Z').getTime())).toBe('0001-12-31T00:00:00.000Z BC')
  expect(instantText(new Date('-000043-03-15T00:00:00.000Z').getTime())).toBe('0044-03-15T00:00:00.000Z BC')
  expect(instantText(8.64e15)).toBe('275760-09-13T00:00:00.000Z')
  expect(() => instantText(8.64e15 + 1)).toThrow(RangeError)
})
