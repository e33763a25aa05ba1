import { expect, test } from 'vitest'
import { ParquetWriter } from '../../../src/actors/parquet/writer.ts'
import { openParquet } from '../../../src/actors/redshift/parquet-rows.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'

const columns: readonly ColumnSpec[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'text', type: 'string', nullable: true },
  { name: 'flag', type: 'boolean', nullable: true },
  { name: 'count', type: 'int32', nullable: true },
  { name: 'at', type: 'timestamp', nullable: true }
]

type Row = readonly [
  id: string,
  text: string | null,
  flag: boolean | null,
  count: number | null,
  at: number | null
]

function write(
  rows: readonly Row[],
  codec: 'none' | 'snappy' | 'gzip' | 'zstd',
  rowGroupBytes = 1 << 20
): Buffer {
  const writer = new ParquetWriter(columns, { codec, rowGroupBytes })
  const [id, text, flag, count, at] = writer.columns
  for (const row of rows) {
    const digits = Buffer.from(row[0])
    expect(id?.appendInt64FromDigits(digits, 0, digits.length)).toBe(true)
    if (row[1] === null) text?.appendNull()
    else text?.appendString(row[1])
    if (row[2] === null) flag?.appendNull()
    else flag?.appendBoolean(row[2])
    if (row[3] === null) count?.appendNull()
    else count?.appendNumber(row[3])
    if (row[4] === null) at?.appendNull()
    else at?.appendNumber(row[4])
    writer.endRow()
  }
  return Buffer.concat(writer.finish())
}

async function read(content: Buffer) {
  const parquet = openParquet(content, 'f.parquet')
  const parts: Buffer[] = []
  const chunks = parquet.chunks()
  for (;;) {
    const next = await chunks.next()
    if (next.done) return { parquet, parts, text: Buffer.concat(parts).toString(), replacements: next.value }
    parts.push(next.value)
  }
}

const rows: readonly Row[] = [
  ['9223372036854775807', '\ufeffbom 🎉', true, 2_147_483_647, 1_539_202_764_001],
  ['-9223372036854775808', null, false, -1, -1],
  ['9007199254740993', 'tab\t', null, null, null],
  ['0', 'nul\0', true, 0, 0]
]

const expected = [
  '9223372036854775807\t\ufeffbom 🎉\tt\t2147483647\t2018-10-10T20:19:24.001Z',
  '-9223372036854775808\t\\N\tf\t-1\t1969-12-31T23:59:59.999Z',
  '9007199254740993\ttab\\t\t\\N\t\\N\t\\N',
  '0\tnul\ufffd\tt\t0\t1970-01-01T00:00:00.000Z'
].map((line) => `${line}\n`)

test.each(['none', 'snappy', 'gzip', 'zstd'] as const)(
  'every value arrives exactly, codec %s',
  async (codec) => {
    const { text, replacements, parquet } = await read(write(rows, codec))
    expect(text).toBe(expected.join(''))
    expect(replacements).toEqual({ nul: 1, invalidUtf8: 0 })
    expect(parquet.columns).toEqual(columns.map(({ name, type }) => ({ name, type })))
    expect(parquet.rows).toBe(rows.length)
  }
)

test('many row groups and dictionaries that end: all rows, in order, whole rows in every chunk', async () => {
  const many = Array.from({ length: 20_000 }, (_, index): Row => {
    const text = index % 3 === 0 ? 'same' : `text ${index} ${'x'.repeat(index % 40)}`
    return [String(index), text, index % 2 === 0, index % 7, index * 1_000]
  })
  const { text, parts } = await read(write(many, 'snappy', 64 * 1024))
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line) => line.split('\t')[0])).toEqual(many.map(([id]) => id))
  expect(lines.map((line) => line.split('\t')[1])).toEqual(many.map(([, value]) => value))
  expect(parts.length).toBeGreaterThan(5)
  expect(parts.every((part) => part.at(-1) === 0x0a)).toBe(true)
})

test('a value far above the chunk size passes', async () => {
  const text = `${'\n'.repeat(300_000)}${'é'.repeat(300_000)}`
  const found = await read(write([['1', text, null, null, null]], 'zstd'))
  expect(found.text).toBe(`1\t${'\\n'.repeat(300_000)}${'é'.repeat(300_000)}\t\\N\t\\N\t\\N\n`)
})

test('a file without rows has columns and no chunks', async () => {
  const { parts, parquet } = await read(write([], 'snappy'))
  expect([parts.length, parquet.rows, parquet.columns.length]).toEqual([0, 0, columns.length])
})

test('what is no such file is refused with its path', async () => {
  const whole = write(rows, 'snappy')
  expect(() => openParquet(whole.subarray(0, whole.length - 20), 'cut.parquet')).toThrow(/^cut\.parquet: /)
  expect(() => openParquet(Buffer.from('PAR1'), 'short.parquet')).toThrow(/^short\.parquet: /)
  expect(() => openParquet(Buffer.alloc(0), 'empty.parquet')).toThrow(
    expect.objectContaining({ code: 'file-corrupt' })
  )
})

test('doubles and bytes arrive as PostgreSQL writes them', async () => {
  const writer = new ParquetWriter(
    [
      { name: 'ratio', type: 'double', nullable: false },
      { name: 'body', type: 'binary', nullable: true }
    ],
    { codec: 'none' }
  )
  const bytes = Buffer.from([0x00, 0xff, 0x5c])
  for (const ratio of [0.1, -0, Number.NaN, Number.NEGATIVE_INFINITY, 5e-324]) {
    writer.columns[0]?.appendNumber(ratio)
    if (Number.isNaN(ratio)) writer.columns[1]?.appendNull()
    else writer.columns[1]?.appendBytes(bytes, 0, bytes.length)
    writer.endRow()
  }
  const { text, parquet } = await read(Buffer.concat(writer.finish()))
  const body = '\\\\x00ff5c'
  expect(text).toBe(`0.1\t${body}\n-0\t${body}\nNaN\t\\N\n-Infinity\t${body}\n5e-324\t${body}\n`)
  expect(parquet.columns.map(({ type }) => type)).toEqual(['double', 'binary'])
})
