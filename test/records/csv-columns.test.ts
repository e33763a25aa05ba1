import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CsvColumn, type CsvOptions, CsvRow, fieldOf } from '../../src/records/csv-columns.ts'
import { appended, type Cell } from '../support/rows.ts'

const rules = { nullable: true, tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter' } as const

/** The row of a line that stands between other bytes, text as strings; or why it is none. */
function read(
  line: string | Buffer,
  columns: readonly Partial<CsvColumn>[],
  options: Partial<CsvOptions> = {}
) {
  const whole = columns.map((column, field) => ({
    ...({ name: `c${field}`, type: 'string', field, timestamp: 'text', ...rules } as const),
    ...column
  }))
  const reader = new CsvRow(whole, { delimiter: ',', ...options })
  const bytes = Buffer.from(line)
  const buffer = Buffer.concat([Buffer.from('"'), bytes, Buffer.from('",x')])
  const reason = reader.read(buffer, 1, 1 + bytes.length)
  if (reason !== undefined) return reason
  const cells = appended(columns.length, (sink) => reader.row.appendTo(sink))
  return cells.map((cell) => (Buffer.isBuffer(cell) ? cell.toString() : cell))
}

const [text, int64] = [{}, { type: 'int64' }] as const

describe('a line', () => {
  test.each<[string, string | Buffer, readonly Cell[] | string]>([
    ['fields', 'a,b', ['a', 'b']],
    ['an empty field is null, an empty one in quotes is not', ',""', [null, '']],
    ['a delimiter, a quote and a line break in quotes', '"a,b","say ""x""\r\n"', ['a,b', 'say "x"\r\n']],
    ['a field of quotes alone', '"""","""""" ', 'not CSV: text beside the quotes of a field, at byte 11'],
    ['spaces belong to their field', ' a , b ', [' a ', ' b ']],
    ['its line break', 'a,b\n', ['a', 'b']],
    ['its line break of two characters', 'a,b\r\n', ['a', 'b']],
    ['a line break after an empty last field', 'a,\n', ['a', null]],
    ['two lines', 'a,b\nc,d', 'not CSV: more than one line'],
    ['a carriage return alone', 'a\rb,c', 'not CSV: more than one line'],
    ['quotes without their end', 'a,"b', 'not CSV: a quoted field without its end, at byte 2'],
    ['a quote in the middle of a field', 'a,b"c"', 'not CSV: text beside the quotes of a field, at byte 3'],
    ['text after the quotes', '"a"b,c', 'not CSV: text beside the quotes of a field, at byte 3'],
    ['too few fields', 'a', 'has 1 fields, not 2 or more'],
    ['nothing', '', 'has 1 fields, not 2 or more'],
    ['more fields than are asked for', 'a,b,c', ['a', 'b']],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0x2c, 0xff]), 'not UTF-8'],
    ['text of 5 MB', `${'é'.repeat(2_500_000)},b`, ['é'.repeat(2_500_000), 'b']]
  ])('%s', (_what, line, expected) => {
    expect(read(line, [text, text])).toEqual(expected)
  })

  test('has all fields of its header, where there is one', () => {
    expect(read('a,b,c', [text], { width: 2 })).toBe('has 3 fields, not 2')
    expect(read('a,b', [text], { width: 2 })).toEqual(['a'])
  })

  test('is what csv-parse makes of the same text', () => {
    const field = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.string({ unit: fc.constantFrom('"', ',', ';', '\n', '\r', 'é', ' ') })
    )
    fc.assert(
      fc.property(
        fc.array(field, { minLength: 1, maxLength: 100 }),
        fc.constantFrom(',', ';', '|'),
        (fields, delimiter) => {
          const quoted = fields.map((value) => `"${value.replaceAll('"', '""')}"`).join(delimiter)
          const columns = fields.map(() => text)
          expect(read(quoted, columns, { delimiter })).toEqual(parse(quoted, { delimiter })[0])
        }
      )
    )
  })

  test('of any text is what csv-parse makes of it, or refused by both', () => {
    const line = fc.string({
      unit: fc.constantFrom('"', ',', 'a', 'é', ' ', '\n'),
      minLength: 1,
      maxLength: 12
    })
    fc.assert(
      fc.property(line, (given) => {
        const theirs = attempt(() => parse(given, { relax_column_count: true, skip_empty_lines: false }))
        const width = theirs?.[0]?.length ?? 1
        const ours = read(
          given,
          Array.from({ length: width }, () => text)
        )
        if (theirs?.length !== 1) expect(ours).toBeTypeOf('string')
        else expect(typeof ours === 'string' ? ours : ours.map((cell) => cell ?? '')).toEqual(theirs[0])
      }),
      { numRuns: 2_000 }
    )
  })
})

test.each<[string, Partial<CsvColumn>, string, Cell | undefined]>([
  ['the greatest int64', int64, '9223372036854775807', 9223372036854775807n],
  ['one more', int64, '9223372036854775808', undefined],
  ['an int64 in quotes', int64, '"1"', 1n],
  ['an int64 with a space', int64, ' 1', undefined],
  ['an int32', { type: 'int32' }, '-2147483648', -2147483648],
  ['a double', { type: 'double' }, '1.5e3', 1500],
  ['a double as other languages write it', { type: 'double' }, '0x10', undefined],
  ['no double', { type: 'double' }, 'Infinity', undefined],
  ['a double without its integer', { type: 'double' }, '.5', undefined],
  ['true', { type: 'boolean' }, 'true', true],
  ['another truth', { type: 'boolean' }, 'TRUE', undefined],
  ['a moment', { type: 'timestamp' }, '2018-10-10T20:19:24Z', Date.UTC(2018, 9, 10, 20, 19, 24)],
  ['a count of seconds', { type: 'timestamp', timestamp: 'seconds' }, '1', 1000],
  ['a word that means null elsewhere', int64, 'NULL', undefined]
])('a value: %s', (_what, column, line, expected) => {
  const found = read(line, [column])
  if (expected === undefined) expect(found).toMatch(/^c0 is not /)
  else expect(found).toEqual([expected])
})

test('a pointer names a field by the header, or by its number', () => {
  expect(['/b', '/a~1b', '', 'b', '/c'].map((pointer) => fieldOf(pointer, ['a/b', 'b']))).toEqual([
    1, 0, -1, -1, -1
  ])
  expect(
    ['/0', '/4095', '/4096', '/01', '/-1', '', '/x'].map((pointer) => fieldOf(pointer, undefined))
  ).toEqual([0, 4095, -1, -1, -1, -1, -1])
})

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
