import avro from 'avsc'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RowDecoder } from '../../../src/actors/rows/decoder.ts'
import { openDecoders } from '../../../src/actors/rows/open.ts'
import { Secret } from '../../../src/config/secret.ts'
import type { ColumnConfig, RegistryConfig } from '../../../src/config.ts'
import { type FakeRegistry, framed, startFakeRegistry } from '../../support/fake-registry.ts'
import { decoded } from '../../support/rows.ts'

let registry: FakeRegistry
beforeAll(async () => {
  registry = await startFakeRegistry()
})
beforeEach(() => {
  registry.schemas.clear()
  registry.subjects.clear()
  registry.requests.length = 0
  registry.failing = { status: 500, times: 0 }
})
afterAll(() => registry.close())

const source = { topic: 't', partition: 0 }
const forever = new AbortController().signal

const column = (given: Partial<ColumnConfig>): ColumnConfig =>
  ({
    ...{ name: 'c', pointer: '/c', type: 'string', nullable: true, tooLong: 'dead_letter', nul: 'keep' },
    ...{ onError: 'dead_letter', timestamp: 'text' },
    ...given
  }) as ColumnConfig

function open(
  format: 'avro' | 'json-schema',
  columns: readonly Partial<ColumnConfig>[],
  more: Partial<RegistryConfig> = {}
) {
  const values = { format, columns: columns.map(column), registry: { url: registry.url, ...more } }
  return openDecoders({ preset: 'tweet', values, lineage: false })(source)
}

/** What becomes of a value once its schema has been fetched. */
async function settled(decoder: RowDecoder, value: Buffer) {
  const first = decoded(decoder, { value })
  if (first !== 'pending') return first
  await decoder.ready(forever)
  return decoded(decoder, { value })
}

/** Registers a record schema of one field `c` and gives a value of it. */
function avroValue(type: unknown, value: unknown, id = 1): Buffer {
  const schema = { type: 'record', name: 'r', fields: [{ name: 'c', type }] }
  registry.schemas.set(id, { schema: JSON.stringify(schema) })
  return framed(id, avro.Type.forSchema(schema as avro.Schema).toBuffer({ c: value }))
}

/** A long beyond 2^53, which avsc does not write, in a record of one field. */
function longValue(value: bigint, schema: unknown = 'long'): Buffer {
  const empty = avroValue(schema, 0)
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Buffer.concat([empty.subarray(0, 5), Buffer.from(bytes)])
}

describe('Avro', () => {
  test.each<[string, unknown, unknown, Partial<ColumnConfig>, unknown]>([
    ['text', 'string', 'é😀', {}, 'é😀'],
    ['U+FFFD that was sent', 'string', 'x\ufffd', {}, 'x\ufffd'],
    ['an enum', { type: 'enum', name: 'e', symbols: ['A', 'B'] }, 'B', {}, 'B'],
    ['null', ['null', 'string'], null, {}, null],
    ['an optional value', ['null', 'string'], 'x', {}, 'x'],
    ['a union whose branches are alike', ['null', 'int', 'double'], { double: 1.5 }, { type: 'double' }, 1.5],
    ['an int', 'int', -7, { type: 'int32' }, -7],
    ['an int as int64', 'int', -7, { type: 'int64' }, -7n],
    ['a long that fits', 'long', 7, { type: 'int32' }, 7],
    ['a double', 'double', Number.NaN, { type: 'double' }, Number.NaN],
    ['a boolean', 'boolean', false, { type: 'boolean' }, false],
    [
      'milliseconds by the schema',
      { type: 'long', logicalType: 'timestamp-millis' },
      1_539_202_764_001,
      { type: 'timestamp' },
      1_539_202_764_001
    ],
    [
      'microseconds by the schema',
      { type: 'long', logicalType: 'timestamp-micros' },
      1_539_202_764_001_999,
      { type: 'timestamp' },
      1_539_202_764_001
    ],
    ['a day by the schema', { type: 'int', logicalType: 'date' }, 365, { type: 'timestamp' }, 31_536_000_000],
    [
      'a count by the column',
      'long',
      1_539_202_764,
      { type: 'timestamp', timestamp: 'seconds' },
      1_539_202_764_000
    ],
    [
      'a record as JSON',
      { type: 'map', values: 'long' },
      { n: 9_007_199_254_740_990 },
      { type: 'json' },
      '{"n":9007199254740990}'
    ],
    [
      'bytes within JSON',
      { type: 'array', items: 'bytes' },
      [Buffer.from([255])],
      { type: 'json' },
      '["/w=="]'
    ]
  ])('%s', async (_what, type, value, config, expected) => {
    expect(await settled(open('avro', [config]), avroValue(type, value))).toEqual({ c: expected })
  })

  test.each([2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n])(
    'the long %d is exact, in a column and in JSON',
    async (value) => {
      const decoder = open('avro', [{ type: 'int64' }, { name: 'whole', pointer: '', type: 'json' }])
      expect(await settled(decoder, longValue(value))).toEqual({ c: value, whole: `{"c":${value}}` })
    }
  )

  test.each<[string, unknown, unknown, Partial<ColumnConfig>, string]>([
    ['text where a number is wanted', 'string', '1', { type: 'int64' }, 'c is not a 64-bit integer'],
    ['a long beyond int32', 'long', 2 ** 31, { type: 'int32' }, 'c is not a 32-bit integer'],
    ['a count without a unit', 'long', 1, { type: 'timestamp' }, 'c is not a date'],
    ['no value where one must be', ['null', 'string'], null, { nullable: false }, 'c is missing'],
    ['text too long', 'string', 'éé', { bytesMax: 3 }, 'c is longer than 3 bytes'],
    ['bytes are no text', 'bytes', Buffer.from('x'), {}, 'c is not a string']
  ])('%s is a dead letter', async (_what, type, value, config, reason) => {
    expect(await settled(open('avro', [config]), avroValue(type, value))).toEqual({
      reason: `schema 1: ${reason}`
    })
  })

  test('text that is not UTF-8 is a dead letter, in JSON too, and never a replacement character', async () => {
    const value = avroValue('string', 'ab')
    value[value.length - 1] = 0xff
    expect(await settled(open('avro', [{}]), value)).toEqual({ reason: 'schema 1: c is not a string' })
    expect(await settled(open('avro', [{ pointer: '', type: 'json' }]), value)).toEqual({
      reason: 'schema 1: c is not a string'
    })
  })

  test('neither is a name in a map', async () => {
    const value = avroValue({ type: 'map', values: 'int' }, { ab: 1 })
    value[value.indexOf('b')] = 0xff
    expect(await settled(open('avro', [{ type: 'json' }]), value)).toEqual({
      reason: 'schema 1: c is not a string'
    })
  })

  test('what the schema does not describe is a dead letter', async () => {
    const value = avroValue('string', 'abc')
    const decoder = open('avro', [{}])
    expect(await settled(decoder, value.subarray(0, -1))).toMatchObject({
      reason: expect.stringMatching(/^schema 1: not Avro of it: /)
    })
    expect(await settled(decoder, Buffer.concat([value, value]))).toMatchObject({
      reason: expect.stringMatching(/^schema 1: not Avro of it: /)
    })
    expect(decoded(decoder, { value: Buffer.from('{"c":"abc"}') })).toEqual({
      reason: 'not in the wire format of a schema registry'
    })
    expect(decoded(decoder, { value: Buffer.from([0, 0, 0, 1]) })).toMatchObject({
      reason: expect.stringMatching(/wire format/)
    })
    expect(decoded(decoder, { value: framed(-1, value) })).toMatchObject({
      reason: expect.stringMatching(/wire format/)
    })
    expect(decoded(decoder, { value: null })).toEqual({ reason: 'value is null' })
  })

  test('a schema that names others is read with them', async () => {
    const inner = { type: 'record', name: 'inner', fields: [{ name: 'n', type: 'long' }] }
    registry.subjects.set('inner/1', { schema: JSON.stringify(inner) })
    const value = avroValue(inner, { n: 5 })
    registry.schemas.set(1, {
      schema: JSON.stringify({ type: 'record', name: 'r', fields: [{ name: 'c', type: 'inner' }] }),
      references: [{ name: 'inner', subject: 'inner', version: 1 }]
    })
    expect(await settled(open('avro', [{ pointer: '/c/n', type: 'int64' }]), value)).toEqual({ c: 5n })
  })
})

describe('JSON Schema', () => {
  const schema = {
    type: 'object',
    properties: { c: { type: 'integer' }, at: { type: 'string', format: 'date-time' } },
    required: ['c']
  }
  const value = (text: string) => {
    registry.schemas.set(2, { schema: JSON.stringify(schema), schemaType: 'JSON' })
    return framed(2, Buffer.from(text))
  }

  test('integers stay exact', async () => {
    const decoder = open('json-schema', [{ type: 'int64' }])
    expect(await settled(decoder, value('{"c":9223372036854775807,"at":"x"}'))).toEqual({
      c: 9223372036854775807n
    })
  })

  test('what does not fit the schema is a dead letter, and so is what is no JSON', async () => {
    const decoder = open('json-schema', [{ type: 'json' }])
    expect(await settled(decoder, value('{"c":"x"}'))).toMatchObject({
      reason: expect.stringMatching(/^schema 2: not JSON of it: /)
    })
    expect(await settled(decoder, value('{"c":1'))).toMatchObject({
      reason: expect.stringMatching(/^schema 2: not JSON: /)
    })
  })
})

describe('the registry', () => {
  test('is asked once for a schema, by all chains of a sink, as its user', async () => {
    const value = avroValue('string', 'x')
    const values = {
      format: 'avro',
      columns: [column({})],
      registry: { url: registry.url, user: 'causeway', password: new Secret('sesame') }
    } as const
    const decoders = openDecoders({ preset: 'tweet', values, lineage: false })
    const [one, other] = [decoders(source), decoders({ topic: 't', partition: 1 })]
    expect([decoded(one, { value }), decoded(other, { value })]).toEqual(['pending', 'pending'])
    await Promise.all([one.ready(forever), other.ready(forever)])
    expect([decoded(one, { value }), decoded(other, { value })]).toEqual([{ c: 'x' }, { c: 'x' }])
    const authorization = `Basic ${Buffer.from('causeway:sesame').toString('base64')}`
    expect(registry.requests).toEqual([{ path: '/schemas/ids/1', authorization }])
  })

  test.each([500, 401])(
    'that answers with %i is a fault to be retried, and no dead letter',
    async (status) => {
      const value = avroValue('string', 'x')
      registry.failing = { status, times: 100 }
      const decoder = open('avro', [{}])
      expect(decoded(decoder, { value })).toBe('pending')
      await expect(decoder.ready(forever)).rejects.toMatchObject({
        code: 'registry-schema-unavailable',
        retryable: true
      })
      expect(decoded(decoder, { value })).toBe('pending')
      registry.failing.times = 0
      expect(await settled(decoder, value)).toEqual({ c: 'x' })
    }
  )

  test('that does not know a schema yet holds the record', async () => {
    const value = avroValue('string', 'x')
    registry.schemas.clear()
    const decoder = open('avro', [{}])
    await expect(settled(decoder, value)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/^schema 1 cannot be had from http/)
    })
    avroValue('string', 'x')
    expect(await settled(decoder, value)).toEqual({ c: 'x' })
  })

  test('whose schema is of another kind than the sink reads makes a dead letter', async () => {
    expect(await settled(open('json-schema', [{}]), avroValue('string', 'x'))).toEqual({
      reason: 'schema 1: is not JSON Schema'
    })
    registry.schemas.set(2, { schema: '{"type":"object"}', schemaType: 'JSON' })
    expect(await settled(open('avro', [{}]), framed(2, Buffer.from('{}')))).toEqual({
      reason: 'schema 2: is not Avro'
    })
  })

  test('is asked nothing by a decoder that has read nothing', async () => {
    await open('avro', [{}]).ready(forever)
    expect(registry.requests).toEqual([])
  })

  test('is not waited for any more once the wait is over', async () => {
    const decoder = open('avro', [{}], { url: 'http://127.0.0.1:1' })
    expect(decoded(decoder, { value: avroValue('string', 'x') })).toBe('pending')
    const stop = new AbortController()
    const waiting = decoder.ready(stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
  })
})
