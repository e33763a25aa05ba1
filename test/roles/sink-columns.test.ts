import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ColumnConfig, SinkConfig } from '../../src/config.ts'
import { type FakeRegistry, framed, startFakeRegistry } from '../support/fake-registry.ts'
import type { RunningRole } from '../support/kafka-world.ts'
import { SinkWorld } from '../support/sink-world.ts'

/** A name that must not climb out of any prefix. */
const TOPIC = 'a..b'

let world: SinkWorld
let registry: FakeRegistry
beforeEach(async () => {
  world = await SinkWorld.start('s3')
  registry = await startFakeRegistry()
  await world.kafka.createTopic('source', TOPIC, 1, { 'max.message.bytes': '10000000' })
})
afterEach(async () => {
  await world.stop()
  await registry.close()
})

const column = (
  name: string,
  type: ColumnConfig['type'],
  more: Partial<ColumnConfig> = {}
): ColumnConfig => ({
  ...{ name, type, pointer: `/${name}`, nullable: true, timestamp: 'text' },
  ...{ tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter' },
  ...more
})

function run(config: Partial<SinkConfig>): RunningRole {
  return world.run({ role: 's3-sink', config: { topics: ['a\\.\\.b'], ...config } })
}

async function produce(values: readonly (string | Buffer | null)[]): Promise<void> {
  const producer = world.kafka.kafka('source').producer()
  await producer.connect()
  for (const value of values) await producer.send({ topic: TOPIC, messages: [{ partition: 0, value }] })
  await producer.disconnect()
}

const caughtUp = (sink: RunningRole, position: number) =>
  sink.until(({ partitions }) => partitions[0]?.position === position)

/** Rows of all data files, and dead letters, each in the order of their offsets. */
async function stored() {
  const signal = AbortSignal.timeout(30_000)
  const [rows, letters]: [Record<string, unknown>[], Record<string, unknown>[]] = [[], []]
  for await (const { path } of world.store.list('data/', {}, signal)) {
    const content = (await world.store.read(path, signal)) ?? Buffer.alloc(0)
    expect(path.split('/')).not.toContain('..')
    rows.push(
      ...(await parquetReadObjects({ file: new Uint8Array(content).buffer, compressors, utf8: false }))
    )
  }
  for await (const { path } of world.store.list('dead/', {}, signal)) {
    const lines = String(await world.store.read(path, signal))
      .trimEnd()
      .split('\n')
    letters.push(...lines.map((line) => JSON.parse(line)))
  }
  rows.sort((one, other) => Number(one._offset) - Number(other._offset))
  letters.sort((one, other) => Number(one.offset) - Number(other.offset))
  return { rows, letters }
}

test('the worst records of JSON become right values or dead letters, never wrong values', async () => {
  const long = 'é'.repeat(2_500_000)
  const deep = `${'{"a":['.repeat(200)}${']}'.repeat(200)}`
  const good = [
    '{}',
    '{"id":9223372036854775807,"a b \\"c`":"quoted","rest":{"n":12345678901234567890}}',
    `{"id":"-9223372036854775808","rest":${deep}}`,
    '{"id":1,"id":2,"at":"2018-10-10T22:19:24.5+02:00"}',
    String.raw`{"at":"Wed Oct 10 20:19:24 +0000 2018","a b \"c${'`'}":"\ud800 \u0000 \ud83d\ude00"}`,
    `{"a b \\"c\`":"${long}"}`,
    '{"ratio":1e-400,"rest":null}'
  ]
  const bad = [
    ['{"id":9223372036854775808}', 'id is not a 64-bit integer'],
    ['{"id":1.5}', 'id is not a 64-bit integer'],
    ['{"at":"2018-10-10"}', 'at is not a date'],
    ['{"ratio":1e400}', 'ratio is not a number that a double can hold'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not UTF-8'],
    [`{"rest":${'['.repeat(600)}${']'.repeat(600)}}`, 'not JSON: nested deeper than 512, at byte 520'],
    ['{"id":1', 'not JSON: the text ends early, at byte 7'],
    [null, 'value is null']
  ] as const
  await produce([...good, ...bad.map(([value]) => value)])
  const columns = [
    column('id', 'int64'),
    column('a b "c`', 'string'),
    column('ratio', 'double'),
    column('at', 'timestamp'),
    column('rest', 'json')
  ]
  const sink = run({
    values: { format: 'json', columns },
    deadLetters: { max: 100, among: 100, topic: undefined, replication: 1 }
  })
  await caughtUp(sink, good.length + bad.length)
  await sink.drain()

  const { rows, letters } = await stored()
  const moment = Date.UTC(2018, 9, 10, 20, 19, 24)
  const none = { id: null, 'a b "c`': null, ratio: null, at: null, rest: null }
  const expected = [
    none,
    { ...none, id: 2n ** 63n - 1n, 'a b "c`': 'quoted', rest: '{"n":12345678901234567890}' },
    { ...none, id: -(2n ** 63n), rest: deep },
    { ...none, id: 2n, at: new Date(moment + 500) },
    { ...none, at: new Date(moment), 'a b "c`': '\ufffd \0 😀' },
    { ...none, 'a b "c`': long },
    { ...none, ratio: 0 }
  ]
  expect(rows).toEqual(
    expected.map((row, offset) => ({
      ...row,
      ...{ _topic: TOPIC, _partition: 0, _offset: BigInt(offset), _timestamp: expect.any(Date) }
    }))
  )
  expect(letters.map(({ offset, reason }) => [offset, reason])).toEqual(
    bad.map(([, reason], index) => [good.length + index, reason])
  )
  expect(letters[4]?.valueBase64).toBe('eyL/IjoxfQ==')
})

test('a schema that the registry does not know holds the partition, until it does', async () => {
  await produce([framed(7, Buffer.from([0x02, 0x61])), framed(7, Buffer.from([0x02, 0x62])), 'no frame'])
  const values = {
    format: 'avro',
    columns: [column('c', 'string')],
    registry: { url: registry.url }
  } as const
  const sink = run({ values, deadLetters: { max: 100, among: 100, topic: undefined, replication: 1 } })
  await sink.until(({ notes }) => notes.some((note) => note.includes('registry-schema-unavailable')))
  expect((await stored()).rows).toEqual([])

  const schema = { type: 'record', name: 'r', fields: [{ name: 'c', type: 'string' }] }
  registry.schemas.set(7, { schema: JSON.stringify(schema) })
  await caughtUp(sink, 3)
  await sink.drain()
  const { rows, letters } = await stored()
  expect(rows.map(({ c, _offset }) => [c, _offset])).toEqual([
    ['a', 0n],
    ['b', 1n]
  ])
  expect(letters).toMatchObject([{ offset: 2, reason: 'not in the wire format of a schema registry' }])
})

test('what is left out is counted and covered, and raw records come back byte for byte', async () => {
  const bytes = Buffer.from([0, 255, 10, 34])
  await produce([bytes, null, '{"keep":true}', '{"keep":false}'])
  const sink = run({ preset: 'raw', where: 'offset != 3', select: ['value', 'offset'] })
  await caughtUp(sink, 4)
  await sink.drain()
  const { rows, letters } = await stored()
  expect(letters).toEqual([])
  expect(
    rows.map(({ value, offset }) => [value === null ? null : Buffer.from(value as Uint8Array), offset])
  ).toEqual([
    [bytes, 0n],
    [null, 1n],
    [Buffer.from('{"keep":true}'), 2n]
  ])
})
