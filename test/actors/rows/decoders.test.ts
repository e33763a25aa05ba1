import { describe, expect, test } from 'vitest'
import { openDecoders, rowsIdentity, sinkColumns } from '../../../src/actors/rows/open.ts'
import type { ColumnConfig, RowsConfig } from '../../../src/config.ts'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { appended, decoded, visit } from '../../support/rows.ts'

const source = { topic: 'orders', partition: 3 }
const open = (config: Partial<RowsConfig>) =>
  openDecoders({ preset: 'tweet', lineage: false, ...config })(source)

const column = (name: string, type: ColumnConfig['type']): ColumnConfig => ({
  ...{ name, type, pointer: `/${name}`, nullable: true },
  ...{ tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter', timestamp: 'text' }
})
const json = { format: 'json', columns: [column('id', 'int64'), column('text', 'string')] } as const
const value = (text: string) => ({ value: Buffer.from(text) })

describe('raw', () => {
  const bytes = Buffer.from([0, 255, 0x22, 0x80])

  test('keeps key, value and headers byte for byte', () => {
    const headers = [
      { key: 'trace', value: bytes },
      { key: 'trace', value: null },
      { key: 'é"', value: Buffer.alloc(0) }
    ]
    expect(decoded(open({ preset: 'raw' }), { key: bytes, value: bytes, headers, timestamp: 12 })).toEqual({
      ...{ key: bytes, value: bytes, offset: 0n, timestamp: 12 },
      headers: '[{"key":"trace","value":"AP8igA=="},{"key":"trace","value":null},{"key":"é\\"","value":""}]'
    })
  })

  test('keeps nothing apart from nothing: null, empty, and no timestamp', () => {
    const decoder = open({ preset: 'raw' })
    const nothing = { key: null, value: null, headers: null, offset: 0n, timestamp: null }
    expect(decoded(decoder, { timestamp: -1 })).toEqual(nothing)
    const empty = Buffer.alloc(0)
    expect(decoded(decoder, { key: empty, value: empty, timestamp: -1 })).toEqual({
      ...nothing,
      key: empty,
      value: empty
    })
  })

  test('keeps offsets beyond 2^32 and up to 2^53', () => {
    const decoder = open({ preset: 'raw' })
    for (const base of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      visit([value('x')], (record) => expect(decoder.read(record)).toBe('row'), base)
      expect(appended(5, (sink) => decoder.appendTo(sink))[3]).toBe(BigInt(base))
    }
  })
})

describe('select', () => {
  test('keeps the named columns in the order of the names, and lineage after them', () => {
    const config = { preset: 'tweet', select: ['text', 'id'], lineage: true } as const
    const decoder = openDecoders(config)(source)
    const tweet = tweetAt(1, 0)
    expect(decoder.columns.map(({ name }) => name)).toEqual([
      'text',
      'id',
      '_topic',
      '_partition',
      '_offset',
      '_timestamp'
    ])
    expect(decoder.columns).toEqual(sinkColumns(config))
    expect(decoded(decoder, value(tweet.json))).toEqual({
      ...{
        text: tweet.text,
        id: BigInt(tweet.id),
        _topic: 'orders',
        _partition: 3,
        _offset: 0n,
        _timestamp: 0
      }
    })
  })

  test('writes one row to several files', () => {
    const decoder = open({ values: json, select: ['text'] })
    visit([value('{"id":1,"text":"a"}'), value('{"id":2,"text":"b"}')], (record) => {
      decoder.read(record)
      const [one, other] = [0, 1].map(() => appended(1, (sink) => decoder.appendTo(sink)))
      expect(one).toEqual(other)
    })
  })
})

describe('where', () => {
  const where = 'value.id > 1 && topic == "orders"'

  test('leaves out what it is false for', () => {
    const decoder = open({ values: json, where })
    expect(decoded(decoder, value('{"id":1,"text":"x"}'))).toBe('filtered')
    expect(decoded(decoder, value('{"id":2,"text":"x"}'))).toEqual({ id: 2n, text: 'x' })
  })

  test('sees 64-bit integers as they are', () => {
    const decoder = open({ values: json, where: 'value.id == 9223372036854775807' })
    expect(decoded(decoder, value('{"id":9223372036854775806}'))).toBe('filtered')
    expect(decoded(decoder, value('{"id":9223372036854775807}'))).toMatchObject({ id: 2n ** 63n - 1n })
  })

  test('without an answer makes a dead letter, for what is wrong with the record if that is the reason', () => {
    const decoder = open({ values: json, where })
    expect(decoded(decoder, value('{"id":'))).toEqual({ reason: 'not JSON: the text ends early, at byte 6' })
    expect(decoded(decoder, value('{"text":"x"}'))).toEqual({
      reason: expect.stringMatching(/^the filter has no answer: /)
    })
    expect(decoded(decoder, { value: null })).toEqual({ reason: 'value is null' })
  })

  test('chooses among raw records by their headers', () => {
    const decoder = open({ preset: 'raw', where: '"trace" in headers' })
    expect(decoded(decoder, value('x'))).toBe('filtered')
    expect(decoded(decoder, { headers: [{ key: 'trace', value: null }] })).toMatchObject({ value: null })
  })
})

test('the columns of a sink are its decoders’', () => {
  const configs: readonly Partial<RowsConfig>[] = [
    {},
    { preset: 'raw' },
    { lineage: true },
    { values: json, lineage: true },
    { values: { format: 'csv', delimiter: ',', columns: [{ ...column('a', 'json'), pointer: '/0' }] } },
    { values: json, select: ['text'], where: 'true' }
  ]
  for (const config of configs) {
    const whole = { preset: 'tweet', lineage: false, ...config } as const
    const plain = open(config).columns.map(({ name, type, nullable }) => ({ name, type, nullable }))
    expect(sinkColumns(whole)).toEqual(plain)
  }
})

test('another rule is another identity, another registry is not', () => {
  const identity = (values: RowsConfig['values'], more: Partial<RowsConfig> = {}) =>
    JSON.stringify(rowsIdentity({ preset: 'tweet', lineage: true, ...(values && { values }), ...more }))
  const avro = (url: string) => ({ format: 'avro', columns: json.columns, registry: { url } }) as const
  expect(identity(avro('http://a'))).toBe(identity(avro('http://b')))
  const [first, ...rest] = json.columns
  const shorter = { ...json, columns: [{ ...first, onError: 'null' } as const, ...rest] }
  const all = [
    identity(undefined),
    identity(json),
    identity(shorter),
    identity(avro('http://a')),
    identity(json, { where: 'true' }),
    identity(json, { select: ['id'] })
  ]
  expect(new Set(all).size).toBe(all.length)
})
