import { expect, test } from 'vitest'
import { compileFilter } from '../../src/records/filter.ts'
import { encodeBatch, forEachRecord, type Record } from '../../src/records/record.ts'

const plain: Record = { key: Buffer.from('user-7'), value: null, headers: [], timestamp: 1_700_000_000_000 }

function answer(text: string, more: Partial<Record> = {}): boolean {
  const filter = compileFilter(text)
  const answers: boolean[] = []
  forEachRecord(encodeBatch([{ ...plain, ...more }], { codec: 0 }), (record) => {
    answers.push(filter(record, { topic: 't', partition: 3 }))
  })
  return answers[0] ?? expect.fail('nothing was asked')
}

const json = (text: string) => ({ value: Buffer.from(text) })

test.each<[string, Partial<Record>, boolean]>([
  ['key.startsWith("user-")', {}, true],
  ['topic == "t" && partition == 3 && offset == 0', {}, true],
  ['timestamp >= 1700000000000', {}, true],
  ['key == null', { key: null }, true],
  ['type(key) == bytes', { key: Buffer.from([0xff]) }, true],
  ['value.lang == "en" && value.user.followers > 10', json('{"lang":"en","user":{"followers":11}}'), true],
  ['has(value.lang)', json('{}'), false],
  ['value == null', {}, true],
  ['value == null', json('no JSON'), true],
  ['value.id == 9007199254740993', json('{"id":9007199254740993}'), true],
  ['value.id == 9007199254740992', json('{"id":9007199254740993}'), false],
  ['"trace" in headers', { headers: [{ key: 'trace', value: null }] }, true],
  ['headers["a"] == "2"', { headers: ['1', '2'].map((n) => ({ key: 'a', value: Buffer.from(n) })) }, true]
])('%s', (text, record, expected) => {
  expect(answer(text, record)).toBe(expected)
})

test.each([
  ['key ==', 'Unexpected token: EOF'],
  ['nope == 1', 'Unknown variable: nope'],
  ['offset + 1', 'type int'],
  ['topic == 1', 'no such overload']
])('%s is refused with its reason, on one line', (text, reason) => {
  expect(() => compileFilter(text)).toThrow(
    expect.objectContaining({
      code: 'config-invalid',
      message: expect.stringMatching(new RegExp(`^[^\\n]*${reason}[^\\n]*$`))
    })
  )
})

test('an expression without an answer is a fault, never true or false', () => {
  for (const text of ['value.no.such', 'value.n', 'value.n > "a"']) {
    expect(() => answer(text, json('{"n":1}'))).toThrow(expect.objectContaining({ code: 'filter-failed' }))
  }
})
