import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentTypeOf } from '../../../src/actors/files/content-type.ts'
import { openTableFile } from '../../../src/actors/files/table-file.ts'
import type { FileFormat, TextCodec } from '../../../src/config/types.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'
import { hasPython, pythonTool } from '../../tools/python.ts'
import { appendRow, awkwardTable, someTable, type Table, type Value } from '../parquet/support.ts'

function write(table: Table, type: 'ndjson' | 'text', codec: TextCodec): Buffer {
  const file = openTableFile({ type, codec }, table.columns)
  for (const row of table.rows) appendRow(file, table.columns, row)
  expect(file.rows).toBe(table.rows.length)
  return Buffer.concat(file.finish())
}

const textCodecs: readonly TextCodec[] = ['none', 'gzip', 'zstd']
const plain = { none: (bytes: Buffer) => bytes, gzip: gunzipSync, zstd: zstdDecompressSync }

/** A value as `JSON.parse` should give it, integers being read as bigints. */
function jsonOf(value: Value, { type }: ColumnSpec): unknown {
  if (value === null) return null
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (type === 'timestamp') return new Date(Number(value)).toISOString()
  if (type === 'double' && !Number.isFinite(value)) return String(value)
  return typeof value === 'bigint' ? Number(value) : value
}

test('JSON lines hold what was appended, whatever compresses them', () => {
  fc.assert(
    fc.property(someTable, fc.constantFrom(...textCodecs), (table, codec) => {
      const lines = plain[codec](write(table, 'ndjson', codec))
        .toString()
        .split('\n')
      expect(lines.pop()).toBe('')
      const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      const expected = table.rows.map((row) =>
        Object.fromEntries(table.columns.map((spec, index) => [spec.name, jsonOf(row[index] ?? null, spec)]))
      )
      expect(rows).toEqual(expected)
    }),
    { numRuns: 200 }
  )
})

test('integers of 64 bits keep their digits', () => {
  const columns: ColumnSpec[] = [{ name: 'a "b"', type: 'int64', nullable: false }]
  const rows = [[-(2n ** 63n)], [2n ** 63n - 1n], [9_007_199_254_740_993n], [-1n]]
  expect(write({ columns, rows }, 'ndjson', 'none').toString()).toBe(
    rows.map(([value]) => `{"a \\"b\\"":${value}}\n`).join('')
  )
})

test('delimited text has a space for whatever would end a value or a line', () => {
  const columns: ColumnSpec[] = [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'text', type: 'string', nullable: true },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'flag', type: 'boolean', nullable: true }
  ]
  const rows = [
    [1n, 'a|b\nc\r\nd "é"\t', 1_539_202_764_000, true],
    [2n, null, null, false]
  ]
  expect(write({ columns, rows }, 'text', 'none').toString()).toBe(
    '1|a b c  d "é"\t|2018-10-10T20:19:24.000Z|true\n2|||false\n'
  )
})

test('strings of 5 MB go through, and blocks do not wait', () => {
  const columns: ColumnSpec[] = [{ name: 'text', type: 'string', nullable: false }]
  const text = 'a"\u0000é\n'.repeat(900_000)
  const file = openTableFile({ type: 'ndjson', codec: 'zstd' }, columns)
  file.columns[0]?.appendString(text)
  file.endRow()
  expect(file.bytes).toBeLessThan(1024 * 1024)
  expect(JSON.parse(zstdDecompressSync(Buffer.concat(file.finish())).toString())).toEqual({ text })
})

test('what does not fit is refused', () => {
  const columns: ColumnSpec[] = [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'count', type: 'int32', nullable: true }
  ]
  const file = openTableFile({ type: 'ndjson', codec: 'none' }, columns)
  const [id, count] = file.columns
  const code = (expected: string) => expect.objectContaining({ code: expected })
  expect(() => id?.appendNull()).toThrow(code('column-null'))
  expect(() => id?.appendString('x')).toThrow(code('column-type'))
  expect(() => id?.appendNumber(1.5)).toThrow(code('column-range'))
  expect(() => count?.appendNumber(2 ** 31)).toThrow(code('column-range'))
  expect(id?.appendInt64FromDigits(Buffer.from('9223372036854775808'), 0, 19)).toBe(false)
  expect(id?.appendInt64FromDigits(Buffer.from('-9223372036854775808'), 0, 20)).toBe(true)
  expect(() => id?.appendNumber(1)).toThrow(code('row-incomplete'))
  expect(() => file.endRow()).toThrow(code('row-incomplete'))
})

test('names and types tell format and codec', () => {
  const extensionOf = (format: FileFormat) => openTableFile(format, []).extension
  expect(extensionOf({ type: 'ndjson', codec: 'zstd' })).toBe('ndjson.zst')
  expect(extensionOf({ type: 'text', codec: 'none' })).toBe('txt')
  expect(extensionOf({ type: 'parquet', codec: 'zstd' })).toBe('parquet')
  expect(['a.parquet', 'a.ndjson', 'a.ndjson.gz', 'a.txt'].map(contentTypeOf)).toEqual([
    'application/vnd.apache.parquet',
    'application/x-ndjson',
    'application/gzip',
    'text/plain; charset=utf-8'
  ])
})

test.runIf(hasPython)(
  'DuckDB reads as many lines, and the same sums, from each codec',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-lines-'))
    try {
      const table = awkwardTable(21_000, 200_000)
      const sum = table.rows.reduce((total, [id]) => total + (id as bigint), 0n)
      for (const codec of textCodecs) {
        const path = join(folder, `table.${openTableFile({ type: 'ndjson', codec }, []).extension}`)
        writeFileSync(path, write(table, 'ndjson', codec))
        expect((await pythonTool('sum_lines.py', [path])).trim()).toBe(`21000 ${sum}`)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  120_000
)
