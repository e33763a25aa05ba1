import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEPTH_MAX, JsonScanner, kinds } from '../../src/records/json.ts'
import { JsonPlan } from '../../src/records/json-plan.ts'
import { unescapeInto } from '../../src/records/json-string.ts'

const kindName = (kind: number | undefined) => Object.entries(kinds).find(([, value]) => value === kind)?.[0]

/** What the scanner says of one pointer, strings and literals as JavaScript values, everything else as its text. */
function found(scanner: JsonScanner, buffer: Buffer, slot: number): unknown {
  const kind = kindName(scanner.kinds[slot])
  const text = buffer.subarray(scanner.starts[slot], scanner.ends[slot])
  if (kind === 'absent') return undefined
  if (kind === 'text') return text.toString()
  if (kind === 'escaped') {
    const plain = Buffer.alloc(text.length)
    return plain.toString('utf8', 0, unescapeInto(text, 0, text.length, plain, 0))
  }
  return wellFormed(JSON.parse(text.toString()))
}

/** Scans a text in the middle of other bytes that would change its meaning if they were read. */
function scan(text: string | Buffer, pointers: readonly string[]) {
  const document = Buffer.from(text)
  const buffer = Buffer.concat([Buffer.from('1"'), document, Buffer.from('"}],0')])
  const scanner = new JsonScanner(new JsonPlan(pointers, { array: '/a', pointers: ['/id'] }))
  const why = scanner.scan(buffer, 2, 2 + document.length)
  return { why, values: pointers.map((_, slot) => found(scanner, buffer, slot)) }
}

/** A parsed value whose strings are as UTF-8 would give them back. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)])
  )
}

/** The value a pointer leads to by way of `JSON.parse`. */
function lookUp(value: unknown, pointer: string): unknown {
  let current = value
  for (const key of pointer.split('/').slice(1)) {
    if (typeof current !== 'object' || current === null || Array.isArray(current)) return undefined
    if (!Object.hasOwn(current, key)) return undefined
    current = (current as { [key: string]: unknown })[key]
  }
  return current
}

const keys = ['id', 'user', 'name', 'é', 'a', 'ab', '']
const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...keys) }, fc.string({ maxLength: 4 }))
const pointers = ['', '/id', '/user', '/user/name', '/user/id', '/user/user/name', '/é', '/a', '/ab', '/']

/** Any value, with any string, whose keys are often those looked for. */
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object')
  ),
  object: fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true })
})).value

describe('agreement with JSON.parse', () => {
  test('on the values of every document, however it is spaced', () => {
    fc.assert(
      fc.property(anyValue, fc.constantFrom(undefined, 1, '\t', ' \r\n'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        const { why, values } = scan(text, pointers)
        expect(why).toBeUndefined()
        const parsed = wellFormed(JSON.parse(text))
        expect(values).toEqual(pointers.map((pointer) => lookUp(parsed, pointer)))
      }),
      { numRuns: 500 }
    )
  })

  test('on the first element of an array, also where the array is repeated or is none', () => {
    const inner = ['', '/id', '/user/name']
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 3 }), fc.option(anyValue), (elements, last) => {
        const repeated = last === null ? '' : `,"a":${JSON.stringify(last)}`
        const buffer = Buffer.from(`{"a":${JSON.stringify(elements)}${repeated},"id":1}`)
        const scanner = new JsonScanner(new JsonPlan(['/a', '/id'], { array: '/a', pointers: inner }))
        expect(scanner.scan(buffer, 0, buffer.length)).toBeUndefined()
        const parsed = wellFormed(JSON.parse(buffer.toString()).a)
        const first = Array.isArray(parsed) ? parsed[0] : undefined
        expect(found(scanner, buffer, 0)).toEqual(parsed)
        expect(found(scanner, buffer, 1)).toBe(1)
        const values = inner.map((_, index) => found(scanner, buffer, 2 + index))
        expect(values).toEqual(inner.map((pointer) => lookUp(first, pointer)))
      })
    )
  })

  test('on whether a damaged document is one', () => {
    const fragment = fc.constantFrom(
      ...'{}[]":,\\ \n\t0123456789.eE+-abcdeftrulsn'.split(''),
      '\\u',
      '\\u12',
      '\u0001',
      '\u00a0',
      ''
    )
    const edit = fc.tuple(fc.nat(), fc.nat(3), fragment)
    fc.assert(
      fc.property(anyValue, fc.array(edit, { minLength: 1, maxLength: 3 }), (value, edits) => {
        let text = JSON.stringify(value)
        for (const [where, cut, insert] of edits) {
          const at = where % (text.length + 1)
          text = text.slice(0, at) + insert + text.slice(at + cut)
        }
        text = text.toWellFormed()
        const { why, values } = scan(text, pointers)
        const parsed = parse(text)
        expect(why === undefined, `${text}: ${why}`).toBe(parsed !== undefined)
        if (parsed !== undefined) {
          const expected = wellFormed(parsed.value)
          expect(values).toEqual(pointers.map((pointer) => lookUp(expected, pointer)))
        }
      }),
      { numRuns: 3000 }
    )
  })

  test('on short texts of the characters that matter', () => {
    const character = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '1',
      '0',
      '-',
      '.',
      'e',
      ' ',
      'true',
      'null',
      '"a"'
    )
    fc.assert(
      fc.property(fc.array(character, { maxLength: 8 }), (characters) => {
        const text = characters.join('')
        expect(scan(text, pointers).why === undefined, text).toBe(parse(text) !== undefined)
      }),
      { numRuns: 5000 }
    )
  })
})

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

test.each([
  ['', 'the text ends early'],
  ['{"a":1', 'the text ends early'],
  ['{"a":1}}', 'text after the document'],
  ['{"a" 1}', 'no colon'],
  ['{a:1}', 'no key'],
  ['{"a":1,}', 'no key'],
  ['[1 2]', 'no comma'],
  ['{"a":[1}}', 'no comma'],
  ['{"a":tru}', 'not a value'],
  ['{"a":01}', 'no comma'],
  ['{"a":"\u0001"}', 'control character'],
  ['{"a":"\\x"}', 'an escape that does not exist'],
  ['{"a":"', 'a string without its end'],
  ['\ufeff{}', 'not a value']
])('%j is refused: %s', (text, why) => {
  expect(scan(text, []).why).toContain(why)
})

test('the position of a fault counts from the document, not from the buffer', () => {
  expect(scan('{"a":x}', []).why).toBe('not JSON: not a value, at byte 5')
})

test('bytes that are not UTF-8 are refused, in any string', () => {
  for (const bad of ['ff', 'c080', 'eda080', 'f4908080', 'e282']) {
    const text = Buffer.concat([Buffer.from('{"x":["'), Buffer.from(bad, 'hex'), Buffer.from('"]}')])
    expect(scan(text, ['/a']).why).toBe('not UTF-8')
  }
})

test('of repeated keys the last counts, with everything beneath it', () => {
  const wanted = ['/user/name', '/user/id', '/user']
  expect(scan('{"user":{"name":"a","id":1},"user":{"id":2}}', wanted).values).toEqual([
    undefined,
    2,
    { id: 2 }
  ])
  expect(scan('{"user":{"name":"a","id":1},"user":null}', wanted).values).toEqual([
    undefined,
    undefined,
    null
  ])
  expect(scan('{"user":{"name":"a","name":null}}', wanted).values[0]).toBe(null)
})

test('a key may be written with escapes', () => {
  expect(
    scan('{"\\u0069d":1,"\\u00e9":2,"u\\u0073er":{"name":3}}', ['/id', '/é', '/user/name']).values
  ).toEqual([1, 2, 3])
})

test('pointers escape slash and tilde', () => {
  expect(scan('{"a/b":1,"a~b":2}', ['/a~1b', '/a~0b']).values).toEqual([1, 2])
})

test('surrogates: a pair is one character, half a pair is U+FFFD', () => {
  const wanted = ['/a', '/b', '/c', '/d']
  const text = '{"a":"\\ud83d\\ude00","b":"\\ud83dx","c":"\\ude00\\ud83d","d":"\\ud83d\\u0041"}'
  expect(scan(text, wanted).values).toEqual(['😀', '\ufffdx', '\ufffd\ufffd', '\ufffdA'])
})

test('a number keeps its digits', () => {
  const buffer = Buffer.from('{"id":1234567890123456789012345}')
  const scanner = new JsonScanner(new JsonPlan(['/id']))
  scanner.scan(buffer, 0, buffer.length)
  expect(buffer.toString('utf8', scanner.starts[0], scanner.ends[0])).toBe('1234567890123456789012345')
})

test('nesting stops at the limit, not at the end of the stack', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  expect(scan(nested(DEPTH_MAX), []).why).toBeUndefined()
  expect(scan(nested(DEPTH_MAX + 1), []).why).toContain('nested deeper')
  expect(scan('{"a":'.repeat(100_000), []).why).toContain('nested deeper')
})

test('elements of an array are found one after another, each on its own', () => {
  const buffer = Buffer.from(' [ {"id":1,"x":[1,{}]} , 5, {"y":"]"} ,{"id":2}]')
  const scanner = new JsonScanner(new JsonPlan(['', '/id']))
  const seen: unknown[] = []
  const visit = () => {
    seen.push([kindName(scanner.kinds[0]), found(scanner, buffer, 1)])
    return scanner.kinds[0] === kinds.number
  }
  expect(scanner.some(buffer, 1, buffer.length, () => visit() && false)).toBe(false)
  expect(seen).toEqual([
    ['object', 1],
    ['number', undefined],
    ['object', undefined],
    ['object', 2]
  ])
  seen.length = 0
  expect(scanner.some(buffer, 1, buffer.length, visit)).toBe(true)
  expect(seen).toHaveLength(2)
  expect(scanner.some(Buffer.from('[ ]'), 0, 3, visit)).toBe(false)
})
