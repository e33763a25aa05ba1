import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type JsonColumn, JsonColumns, JsonRow } from '../../src/records/json-columns.ts'
import { appended, type Cell } from '../support/rows.ts'

const rules = { nullable: true, tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter' } as const
const at = { asJson: false, timestamp: 'text', ...rules } as const

/** The row of a document that stands between other bytes, text as strings; or why it is none. */
function read(
  document: string | Buffer,
  ...columns: readonly Partial<JsonColumn>[]
): readonly Cell[] | string {
  const defaults = { ...at, pointer: '/a', type: 'string' } as const
  const list = columns.map((column, index) => ({ ...defaults, name: `c${index}`, ...column }))
  const reader = new JsonRow(new JsonColumns(list))
  const bytes = Buffer.from(document)
  const buffer = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"}')])
  const reason = reader.read(buffer, 2, 2 + bytes.length)
  if (reason !== undefined) return reason
  const cells = appended(columns.length, (sink) => reader.row.appendTo(sink))
  return cells.map((cell) => (Buffer.isBuffer(cell) ? cell.toString() : cell))
}

const json = { asJson: true } as const

describe('a value of each type', () => {
  const nine = '9'.repeat(5_000_000)
  test.each<[string, Partial<JsonColumn>, string, Cell | undefined]>([
    ['text', {}, '"x"', 'x'],
    ['text with escapes', {}, String.raw`"\u00e9\n\ud83d\ude00\ud800"`, 'é\n😀\ufffd'],
    ['empty text', {}, '""', ''],
    ['text of 5 MB', {}, `"${nine}"`, nine],
    ['null', {}, 'null', null],
    ['a number is no text', {}, '1', undefined],
    ['the greatest int64', { type: 'int64' }, '9223372036854775807', 9223372036854775807n],
    ['the least int64', { type: 'int64' }, '-9223372036854775808', -9223372036854775808n],
    ['an int64 as a string', { type: 'int64' }, '"9007199254740993"', 9007199254740993n],
    ['one more than int64 holds', { type: 'int64' }, '9223372036854775808', undefined],
    ['an integer with a fraction', { type: 'int64' }, '1.0', undefined],
    ['an integer with an exponent', { type: 'int64' }, '1e3', undefined],
    ['an integer with a leading zero in a string', { type: 'int64' }, '"01"', undefined],
    ['the greatest int32', { type: 'int32' }, '2147483647', 2147483647],
    ['one more than int32 holds', { type: 'int32' }, '2147483648', undefined],
    ['the least int32', { type: 'int32' }, '-2147483648', -2147483648],
    ['one less than int32 holds', { type: 'int32' }, '-2147483649', undefined],
    ['2^32, whose lower half is zero', { type: 'int32' }, '4294967296', undefined],
    ['a double', { type: 'double' }, '-1.5e-7', -1.5e-7],
    ['minus zero', { type: 'double' }, '-0', -0],
    ['the least double', { type: 'double' }, '5e-324', 5e-324],
    ['more than a double holds', { type: 'double' }, '1e400', undefined],
    ['a double in a string', { type: 'double' }, '"1.5"', undefined],
    ['true', { type: 'boolean' }, 'true', true],
    ['false', { type: 'boolean' }, 'false', false],
    ['a boolean in a string', { type: 'boolean' }, '"true"', undefined],
    ['one is not true', { type: 'boolean' }, '1', undefined],
    [
      'an object as JSON, byte for byte',
      json,
      '{"b": [1, 12345678901234567890.10]}',
      '{"b": [1, 12345678901234567890.10]}'
    ],
    ['a string as JSON', json, String.raw`"\u00e9 "`, String.raw`"\u00e9 "`],
    ['a number as JSON', json, '1e999', '1e999'],
    ['null as JSON is null', json, 'null', null],
    ['an object is no text', {}, '{"b":1}', undefined]
  ])('%s', (_what, column, value, expected) => {
    const found = read(`{"a":${value}}`, column)
    if (expected === undefined) expect(found).toMatch(/^c0 is not /)
    else expect(found).toEqual([expected])
  })
})

describe('a moment in each form', () => {
  const text = (value: string) => JSON.stringify(value)
  const moment = Date.UTC(2018, 9, 10, 20, 19, 24)
  test.each<[string, string, JsonColumn['timestamp'], number | undefined]>([
    ['UTC', text('2018-10-10T20:19:24Z'), 'text', moment],
    ['an offset', text('2018-10-10T22:19:24+02:00'), 'text', moment],
    ['an offset whose sign is an escape', String.raw`"2018-10-10T22:19:24\u002b02:00"`, 'text', moment],
    ['as tweets have it', text('Wed Oct 10 20:19:24 +0000 2018'), 'text', moment],
    ['nanoseconds, cut off', text('2018-10-10T20:19:24.123456789Z'), 'text', moment + 123],
    ['before 1970', text('1969-12-31T23:59:59.999Z'), 'text', -1],
    ['a leap day', text('2024-02-29T00:00:00Z'), 'text', Date.UTC(2024, 1, 29)],
    ['no leap day', text('2023-02-29T00:00:00Z'), 'text', undefined],
    ['without a zone: which one is a guess', text('2018-10-10T20:19:24'), 'text', undefined],
    ['a day alone', text('2018-10-10'), 'text', undefined],
    ['days and months in doubt', text('10/11/2018 20:19'), 'text', undefined],
    ['hour 24', text('2018-10-10T24:00:00Z'), 'text', undefined],
    ['a number, of which the unit is a guess', '1539202764', 'text', undefined],
    ['seconds', '1539202764', 'seconds', moment],
    ['milliseconds', '1539202764001', 'milliseconds', moment + 1],
    ['milliseconds as a string', '"1539202764001"', 'milliseconds', moment + 1],
    ['microseconds, cut off', '1539202764001999', 'microseconds', moment + 1],
    ['microseconds before 1970, cut off towards the past', '-1', 'microseconds', -1],
    ['seconds with a fraction', '1539202764.5', 'seconds', undefined],
    ['text where a count is wanted', text('2018-10-10T20:19:24Z'), 'seconds', undefined],
    ['milliseconds where seconds are wanted, beyond all dates', '8640000000000001', 'seconds', undefined],
    ['the last moment', '8640000000000000', 'milliseconds', 8.64e15],
    ['2^63 - 1 microseconds, which a double would round', '9223372036854775807', 'microseconds', undefined]
  ])('%s', (_what, value, timestamp, expected) => {
    const found = read(`{"a":${value}}`, { type: 'timestamp', timestamp })
    if (expected === undefined) expect(found).toMatch(/^c0 is not /)
    else expect(found).toEqual([expected])
  })
})

describe('the document', () => {
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
  test.each<[string, string | Buffer, Partial<JsonColumn>, string | readonly Cell[]]>([
    ['of repeated keys the last counts', '{"a":"first","a":"last"}', {}, ['last']],
    ['also when it is null', '{"a":"first","a":null}', {}, [null]],
    ['and when it takes what lay beneath', '{"a":{"b":"x"},"a":{}}', { pointer: '/a/b' }, [null]],
    ['a key with escapes', String.raw`{"\u0061":"x"}`, {}, ['x']],
    ['a name with a slash and a tilde', '{"a/b~":"x"}', { pointer: '/a~1b~0' }, ['x']],
    ['an empty name', '{"":"x"}', { pointer: '/' }, ['x']],
    ['a name that objects have anyway', '{"a":{}}', { pointer: '/a/constructor' }, [null]],
    ['an array is not entered', '{"a":["x"]}', { pointer: '/a/0' }, [null]],
    ['the whole document', '{"a": 1}', { pointer: '', ...json }, ['{"a": 1}']],
    ['nothing of what is wanted', '{}', {}, [null]],
    ['an array', '[1]', {}, 'not an object'],
    ['null', 'null', {}, 'not an object'],
    ['nothing', '', {}, 'not JSON: the text ends early, at byte 0'],
    ['cut', '{"a":"x"', {}, 'not JSON: the text ends early, at byte 8'],
    ['more than one', '{}{}', {}, 'not JSON: text after the document, at byte 2'],
    ['NaN', '{"a":NaN}', {}, 'not JSON: not a value, at byte 5'],
    [
      'a control character in a string',
      '{"a":"\u0001"}',
      {},
      'not JSON: a control character in a string, at byte 6'
    ],
    ['bytes that are not UTF-8', Buffer.from([...Buffer.from('{"a":"'), 0xff, 0x22, 0x7d]), {}, 'not UTF-8'],
    [
      'a surrogate encoded as if it were a character',
      Buffer.from([...Buffer.from('{"a":"'), 0xed, 0xa0, 0x80, 0x22, 0x7d]),
      {},
      'not UTF-8'
    ],
    ['a byte order mark', '\ufeff{"a":"x"}', {}, 'not JSON: not a value, at byte 0'],
    ['nested as deep as it may be', `{"a":${deep(512)}}`, json, [deep(512)]],
    ['nested deeper', `{"a":${deep(513)}}`, json, 'not JSON: nested deeper than 512, at byte 517']
  ])('%s', (_what, document, column, expected) => {
    expect(read(document, column)).toEqual(expected)
  })
})

describe('what a column may not hold', () => {
  test.each<[string, Partial<JsonColumn>, string, string | readonly Cell[]]>([
    ['nothing, where there must be a value', { nullable: false }, '{}', 'c0 is missing'],
    ['null, where there must be a value', { nullable: false }, '{"a":null}', 'c0 is missing'],
    ['another type', {}, '{"a":1}', 'c0 is not a string'],
    ['another type, which may be null', { onError: 'null' }, '{"a":1}', [null]],
    ['text of just so many bytes', { bytesMax: 4 }, '{"a":"éé"}', ['éé']],
    ['longer text', { bytesMax: 4 }, '{"a":"éée"}', 'c0 is longer than 4 bytes'],
    ['longer text, which may be null', { bytesMax: 4, tooLong: 'null' }, '{"a":"éée"}', [null]],
    ['longer text, cut', { bytesMax: 4, tooLong: 'truncate' }, '{"a":"ééé"}', ['éé']],
    [
      'longer text, cut before a character that does not fit',
      { bytesMax: 5, tooLong: 'truncate' },
      '{"a":"ééé"}',
      ['éé']
    ],
    ['longer text of one character', { bytesMax: 3, tooLong: 'truncate' }, '{"a":"😀"}', ['']],
    ['longer text with escapes, measured without them', { bytesMax: 2 }, String.raw`{"a":"\u00e9"}`, ['é']],
    ['U+0000', {}, String.raw`{"a":"x\u0000y"}`, ['x\0y']],
    ['U+0000, refused', { nul: 'dead_letter' }, String.raw`{"a":"x\u0000y"}`, 'c0 holds U+0000'],
    ['U+0000, which may be null', { nul: 'null' }, String.raw`{"a":"x\u0000y"}`, [null]],
    ['U+0000, cut', { nul: 'truncate' }, String.raw`{"a":"x\u0000y"}`, ['x']],
    [
      'U+0000, cut before it is too long',
      { nul: 'truncate', bytesMax: 1 },
      String.raw`{"a":"x\u0000y"}`,
      ['x']
    ],
    [
      'an escaped backslash before u0000 is none',
      { nul: 'dead_letter' },
      String.raw`{"a":"\\u0000"}`,
      [String.raw`\u0000`]
    ]
  ])('%s', (_what, column, document, expected) => {
    expect(read(document, column)).toEqual(expected)
  })

  test('a value that is refused leaves nothing of the row before or of this one', () => {
    const columns = new JsonColumns([
      { ...at, name: 'a', pointer: '/a', type: 'string' },
      { ...at, name: 'b', pointer: '/b', type: 'int32' }
    ])
    const row = new JsonRow(columns)
    const outcomes = ['{"a":"first","b":1}', '{"a":"second","b":"x"}', '{"b":2}'].map((text) => {
      const buffer = Buffer.from(text)
      return row.read(buffer, 0, buffer.length) ?? appended(2, (sink) => row.row.appendTo(sink))
    })
    expect(outcomes).toEqual([[Buffer.from('first'), 1], 'b is not a 32-bit integer', [null, 2]])
  })
})

test('any object gives what JSON.parse would, whatever else is in it', () => {
  const columns = (['s', 'i', 'd', 'b', 'j'] as const).map((key) => ({ pointer: `/x/${key}`, name: key }))
  const [s, i, d, b, j] = columns
  const cells = fc.record({
    s: fc.option(fc.string({ unit: 'grapheme' })),
    i: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    d: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    b: fc.option(fc.boolean()),
    j: fc.jsonValue()
  })
  fc.assert(
    fc.property(cells, fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(4), (cell, noise, indent) => {
      const x = Object.entries(cell).map(
        ([name, value]) =>
          `"${name}": ${typeof value === 'bigint' ? value : JSON.stringify(value, undefined, indent)}`
      )
      const others = JSON.stringify(noise, undefined, indent).slice(0, -1)
      const document = `${others}${Object.keys(noise).length > 0 ? ',' : ''}"x":{${x.join()}}}`
      const found = read(
        document,
        { ...s },
        { ...i, type: 'int64' },
        { ...d, type: 'double' },
        { ...b, type: 'boolean' },
        { ...j, ...json }
      )
      expect(found.slice(0, 4)).toEqual([
        cell.s,
        cell.i,
        cell.d === null || !Object.is(cell.d, -0) ? cell.d : 0,
        cell.b
      ])
      const nested = found[4] ?? null
      expect(nested === null ? null : JSON.parse(String(nested))).toEqual(JSON.parse(JSON.stringify(cell.j)))
    })
  )
})
