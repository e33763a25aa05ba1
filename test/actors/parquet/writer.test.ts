import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  type ParquetQueryFilter,
  parquetMetadata,
  parquetReadObjects,
  readColumnIndex,
  readOffsetIndex
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, test } from 'vitest'
import type { PageCodecName } from '../../../src/actors/parquet/format.ts'
import { BOUND_BYTES_MAX } from '../../../src/actors/parquet/string-bounds.ts'
import { ParquetWriter } from '../../../src/actors/parquet/writer.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'
import { hasPython, pythonTool } from '../../tools/python.ts'
import { awkwardTable, type Row, someTable, type Table, type Value, writeTable } from './support.ts'

const someCodec = fc.constantFrom<PageCodecName>('none', 'snappy', 'gzip', 'zstd')

const arrayBufferOf = (file: Buffer) => new Uint8Array(file).buffer

/** Bounds of strings stay bytes: cut ones need not be text. */
const parsers = { stringFromBytes: (bytes: Uint8Array) => Buffer.from(bytes) }

/** A value of hyparquet's as one of the table's. */
const plainOf = (value: unknown) =>
  value instanceof Date ? value.getTime() : value instanceof Uint8Array ? Buffer.from(value) : value

/** The rows as hyparquet reads them. */
async function read(
  file: Buffer,
  names: readonly string[],
  range: { rowStart?: number; rowEnd?: number } = {}
) {
  const objects = await parquetReadObjects({
    file: arrayBufferOf(file),
    compressors,
    useOffsetIndex: true,
    utf8: false,
    ...range
  })
  return objects.map((row) => names.map((name) => plainOf(row[name])))
}

const namesOf = (table: Table) => table.columns.map(({ name }) => name)

/** Least, greatest and number of nulls among some values, as the file should have them; long ones in full. */
function boundsOf({ type }: ColumnSpec, values: readonly Value[]) {
  const present = values.filter((value) => value !== null)
  const nulls = BigInt(values.length - present.length)
  if (type === 'string' || type === 'binary') {
    const sorted = present.map((value) => Buffer.from(value as string | Buffer)).sort(Buffer.compare)
    return { nulls, min: sorted[0], max: sorted.at(-1) }
  }
  if (present.some(Number.isNaN)) return { nulls, min: undefined, max: undefined }
  const sorted = present.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const [min, max] = [sorted[0], sorted.at(-1)]
  // Of a double, -0 is below and +0 above.
  return type === 'double'
    ? { nulls, min: min === 0 ? -0 : min, max: max === 0 ? 0 : max }
    : { nulls, min, max }
}

type Side = 'min' | 'max'

/** Long strings are cut to less, or rounded to more; one above which nothing short is has no bounds at all. */
function expectBound(name: string, side: Side, found: unknown, real: unknown): void {
  if (!Buffer.isBuffer(real) || real.length <= BOUND_BYTES_MAX) {
    expect(found, `${side} of ${name}`).toEqual(real)
    return
  }
  const bound = found as Buffer
  expect(bound.length).toBeLessThanOrEqual(BOUND_BYTES_MAX)
  const order = Buffer.compare(bound, real)
  if (side === 'min') expect(order).toBeLessThan(0)
  else expect(order).toBeGreaterThan(0)
}

function isUnbounded(real: unknown): boolean {
  if (!Buffer.isBuffer(real) || real.length <= BOUND_BYTES_MAX) return false
  const head = real.subarray(0, BOUND_BYTES_MAX)
  return head.every((byte) => byte === 0xff) || head.toString() === '\u{10ffff}'.repeat(BOUND_BYTES_MAX / 4)
}

/** Checks every chunk's statistics, and every page's, against the rows that are in it. */
function expectBounds(file: Buffer, table: Table): void {
  const metadata = parquetMetadata(arrayBufferOf(file), { parsers })
  expect(metadata.num_rows).toBe(BigInt(table.rows.length))
  let first = 0
  for (const group of metadata.row_groups) {
    const rows = table.rows.slice(first, first + Number(group.num_rows))
    first += rows.length
    for (const [index, chunk] of group.columns.entries()) {
      const spec = table.columns[index]
      const statistics = chunk.meta_data?.statistics
      if (spec === undefined || statistics === undefined)
        throw new Error('a chunk too many, or one without statistics')
      const values = rows.map((row) => row[index] ?? null)
      const whole = boundsOf(spec, values)
      expect(statistics.null_count, spec.name).toBe(whole.nulls)
      if (whole.min === undefined || isUnbounded(whole.max)) {
        expect([statistics.min_value, statistics.max_value], spec.name).toEqual([undefined, undefined])
      } else {
        expectBound(spec.name, 'min', plainOf(statistics.min_value), whole.min)
        expectBound(spec.name, 'max', plainOf(statistics.max_value), whole.max)
        const isExact = (bound: unknown) => !Buffer.isBuffer(bound) || bound.length <= BOUND_BYTES_MAX
        expect(statistics.is_min_value_exact).toBe(isExact(whole.min))
        expect(statistics.is_max_value_exact).toBe(isExact(whole.max))
      }

      const view = (offset: bigint | undefined, length: number | undefined) => ({
        view: new DataView(arrayBufferOf(file), Number(offset), length),
        offset: 0
      })
      const pages = readOffsetIndex(view(chunk.offset_index_offset, chunk.offset_index_length)).page_locations
      expect(pages[0]?.offset).toBe(chunk.meta_data?.data_page_offset)
      expect(pages[0]?.first_row_index).toBe(0n)
      const parts = pages.map(({ first_row_index }, page) => {
        const end = pages[page + 1]?.first_row_index ?? BigInt(values.length)
        return boundsOf(spec, values.slice(Number(first_row_index), Number(end)))
      })
      const isNull = parts.map(({ nulls }, page) => {
        const end = pages[page + 1]?.first_row_index ?? BigInt(values.length)
        return end - (pages[page]?.first_row_index ?? 0n) === nulls
      })
      const isWithout = parts.some(
        ({ min, max }, page) =>
          isUnbounded(max) || (min === undefined && (spec.type === 'timestamp' || !isNull[page]))
      )
      if (isWithout) {
        expect(chunk.column_index_offset).toBeUndefined()
        continue
      }
      expect(chunk.column_index_offset, `column index of ${spec.name}`).toBeDefined()
      const element = metadata.schema[index + 1]
      if (element === undefined) throw new Error('a column without a schema')
      const columnIndex = readColumnIndex(
        view(chunk.column_index_offset, chunk.column_index_length),
        element,
        parsers
      )
      expect(columnIndex.null_pages).toEqual(isNull)
      expect(columnIndex.null_counts).toEqual(parts.map(({ nulls }) => nulls))
      for (const [page, part] of parts.entries()) {
        if (isNull[page]) continue
        expectBound(spec.name, 'min', plainOf(columnIndex.min_values[page]), part.min)
        expectBound(spec.name, 'max', plainOf(columnIndex.max_values[page]), part.max)
      }
    }
  }
  expect(first).toBe(table.rows.length)
}

test('any table comes back with true statistics, in row groups of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      someTable,
      someCodec,
      fc.constantFrom(1, 300, 2 ** 30),
      async (table, codec, rowGroupBytes) => {
        const file = writeTable(table, { codec, rowGroupBytes })
        expectBounds(file, table)
        expect(await read(file, namesOf(table))).toEqual(table.rows)
      }
    ),
    { numRuns: 100 }
  )
}, 20_000)

describe('a table of many pages with awkward columns', () => {
  const table = awkwardTable(45_000, 200_000)
  const file = writeTable(table, { codec: 'snappy' })

  test('comes back, whole and in any range of rows', async () => {
    expectBounds(file, table)
    for (const [rowStart, rowEnd] of [
      [0, 45_000],
      [19_999, 20_001],
      [26_990, 27_100],
      [44_999, 45_000]
    ] as const) {
      const rows = await read(file, namesOf(table), { rowStart, rowEnd })
      expect(rows).toHaveLength(rowEnd - rowStart)
      // `toEqual` on half a million values takes seconds.
      const differs = (row: readonly unknown[], index: number) =>
        row.some((value, column) => {
          const own = table.rows[rowStart + index]?.[column]
          return Buffer.isBuffer(own) ? !own.equals(value as Buffer) : !Object.is(value, own)
        })
      expect(rows.findIndex(differs)).toBe(-1)
    }
  })

  test('gives the same rows to a reader that prunes pages by their bounds', async () => {
    const query = (filter: ParquetQueryFilter) =>
      parquetReadObjects({
        file: arrayBufferOf(file),
        compressors,
        useOffsetIndex: true,
        filter,
        columns: ['id']
      })
    const ids = (keep: (row: Row) => boolean) => table.rows.filter(keep).map(([id]) => ({ id }))
    const [from, to] = [9_007_199_254_740_993n + 19_990n, 9_007_199_254_740_993n + 20_010n]
    expect(await query({ id: { $gte: from, $lt: to } })).toEqual(
      table.rows.slice(19_990, 20_010).map(([id]) => ({ id }))
    )
    const count = table.rows[40_001]?.[7] ?? null
    expect(await query({ count: { $eq: count } })).toEqual(ids((row) => row[7] === count))
    expect(await query({ turning: { $eq: 'few 3' } })).toEqual(ids((row) => row[1] === 'few 3'))
    expect(await query({ nullCount: { $eq: 1 } })).toEqual([])
  })

  test('uses a dictionary where it pays, and leaves it where it stops to', () => {
    const chunks = parquetMetadata(arrayBufferOf(file)).row_groups[0]?.columns
    const encodings = Object.fromEntries(
      (chunks ?? []).map(({ meta_data }) => [meta_data?.path_in_schema[0], meta_data?.encodings])
    )
    expect(encodings.constant).toEqual(['PLAIN', 'RLE', 'RLE_DICTIONARY'])
    expect(encodings.distinct).toEqual(['PLAIN', 'RLE'])
    expect(encodings.nothing).toEqual(['PLAIN', 'RLE'])
    expect(encodings.turning).toContain('RLE_DICTIONARY')
    const hasDictionary = chunks?.map(({ meta_data }) => meta_data?.dictionary_page_offset !== undefined)
    const dictionaries = table.columns.filter((_, index) => hasDictionary?.[index]).map(({ name }) => name)
    expect(dictionaries).toEqual(['turning', 'constant', 'late', 'empty', 'fewIds', 'turningNumber', 'ratio'])
    expect(encodings.turningNumber).toEqual(['PLAIN', 'RLE', 'RLE_DICTIONARY'])
  })

  test('tells its footer what it was told', () => {
    const told = parquetMetadata(
      arrayBufferOf(writeTable(table, { codec: 'zstd', metadata: { entry: 'a é' }, createdBy: 'x' }))
    )
    expect(told.key_value_metadata).toEqual([{ key: 'entry', value: 'a é' }])
    expect(told.created_by).toBe('x')
  })
})

test('strings of 5 MB, among short ones and alone', async () => {
  const columns: ColumnSpec[] = [{ name: 'text', type: 'string', nullable: true }]
  const long = 'ab\u00e9'.repeat(1_310_720)
  const rows = ['a', long, null, `${long}b`, '', 'z'].map((value) => [value])
  for (const codec of ['none', 'snappy', 'zstd'] as const) {
    const file = writeTable({ columns, rows }, { codec })
    expect(await read(file, ['text'])).toEqual(rows)
  }
})

test('a file without rows is a file', async () => {
  const columns: ColumnSpec[] = [{ name: 'id', type: 'int64', nullable: false }]
  expect(await read(writeTable({ columns, rows: [] }, { codec: 'snappy' }), ['id'])).toEqual([])
})

test('the announced size follows the rows', () => {
  const writer = new ParquetWriter(
    [
      { name: 'n', type: 'int64', nullable: false },
      { name: 's', type: 'string', nullable: true }
    ],
    { codec: 'none', rowGroupBytes: 100_000 }
  )
  let [last, fell] = [writer.bytes, 0]
  for (let index = 0; index < 50_000; index++) {
    writer.columns[0]?.appendNumber(index)
    writer.columns[1]?.appendString(`value ${index}`)
    writer.endRow()
    fell = Math.max(fell, last - writer.bytes)
    last = writer.bytes
  }
  expect(fell).toBeLessThan(50_000) // What a finished page saves.
  const finished = Buffer.concat(writer.finish()).length
  expect(Math.abs(finished / last - 1)).toBeLessThan(0.1)
  expect(writer.rows).toBe(50_000)
})

test('what does not fit is refused', () => {
  const columns: ColumnSpec[] = [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'count', type: 'int32', nullable: true }
  ]
  const writer = new ParquetWriter(columns, { codec: 'none' })
  const [id, count] = writer.columns
  const code = (expected: string) => expect.objectContaining({ code: expected })
  expect(() => id?.appendNull()).toThrow(code('column-null'))
  expect(() => id?.appendString('x')).toThrow(code('column-type'))
  expect(() => id?.appendNumber(1.5)).toThrow(code('column-range'))
  expect(() => count?.appendNumber(2 ** 31)).toThrow(code('column-range'))
  expect(() => count?.appendInt64(0, 1)).toThrow(code('column-type'))
  expect(id?.appendInt64FromDigits(Buffer.from('x'), 0, 1)).toBe(false)
  expect(id?.appendInt64FromDigits(Buffer.from('9223372036854775807'), 0, 19)).toBe(true)
  expect(() => writer.endRow()).toThrow(code('row-incomplete'))
  const other = new ParquetWriter(columns, { codec: 'none' })
  other.finish()
  expect(() => other.finish()).toThrow(code('writer-finished'))
  expect(() => other.endRow()).toThrow(code('writer-finished'))
})

/** What Python's reader needs to know of a table: a line for the columns, then a line a row. */
function expectation(table: Table): string {
  const json = (value: unknown) =>
    JSON.stringify(value, (_key, one) => {
      if (typeof one === 'bigint' || (typeof one === 'number' && !Number.isFinite(one))) return String(one)
      return one?.type === 'Buffer' ? Buffer.from(one.data).toString('hex') : one
    })
  return `${[table.columns, ...table.rows].map(json).join('\n')}\n`
}

test.runIf(hasPython)(
  'pyarrow and DuckDB read the same, and find the same when they prune by statistics',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-parquet-'))
    try {
      const tables = [
        awkwardTable(21_000, 200_000),
        ...fc.sample(someTable, { numRuns: 12, seed: 20_181_010 }).filter(({ rows }) => rows.length > 0)
      ]
      const files: string[] = []
      for (const [index, table] of tables.entries()) {
        const codec = (['snappy', 'zstd', 'gzip', 'none'] as const)[index % 4] ?? 'snappy'
        const path = join(folder, `${index}`)
        writeFileSync(
          `${path}.parquet`,
          writeTable(table, { codec, rowGroupBytes: index === 0 ? 300_000 : 500 })
        )
        writeFileSync(`${path}.ndjson`, expectation(table))
        files.push(path)
      }
      expect(await pythonTool('check_parquet.py', files)).toContain(`${files.length} files agree`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  120_000
)
