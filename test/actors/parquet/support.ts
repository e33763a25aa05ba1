import fc from 'fast-check'
import { type ParquetOptions, ParquetWriter } from '../../../src/actors/parquet/writer.ts'
import type { ColumnAppender, ColumnSink, ColumnSpec } from '../../../src/records/columns.ts'

export type Value = string | Buffer | bigint | number | boolean | null
export type Row = readonly Value[]

/** A table to be written; int64 are bigints, timestamps milliseconds, binary values buffers. */
export interface Table {
  readonly columns: readonly ColumnSpec[]
  readonly rows: readonly Row[]
}

export function writeTable(table: Table, options: ParquetOptions): Buffer {
  const writer = new ParquetWriter(table.columns, options)
  for (const row of table.rows) appendRow(writer, table.columns, row)
  return Buffer.concat(writer.finish())
}

export function appendRow(
  file: ColumnSink & { endRow(): void },
  columns: readonly ColumnSpec[],
  row: Row
): void {
  for (const [index, column] of file.columns.entries()) {
    append(column, columns[index] as ColumnSpec, row[index] ?? null)
  }
  file.endRow()
}

function append(column: ColumnAppender, { type }: ColumnSpec, value: Value): void {
  if (value === null) column.appendNull()
  else if (typeof value === 'boolean') column.appendBoolean(value)
  else if (typeof value === 'bigint')
    column.appendInt64(Number(value >> 32n), Number(BigInt.asIntN(32, value)))
  else if (typeof value === 'number') column.appendNumber(value)
  else if (typeof value === 'object') column.appendBytes(value, 0, value.length)
  else if (type === 'string') {
    const bytes = Buffer.from(`<${value}>`)
    if (value.length % 2 === 0) column.appendBytes(bytes, 1, bytes.length - 1)
    else column.appendString(value)
  }
}

/** Strings about as long as the longest bounds, whose heads are equal, or at the end of what UTF-8 can say. */
const longText = fc
  .tuple(
    fc.constantFrom('a', 'é', '\u{7f}', '\u{7ff}', '\ud7ff', '\uffff', '😀', '\u{10ffff}'),
    fc.integer({ min: 14, max: 66 }),
    fc.string({ maxLength: 2 })
  )
  .map(([unit, times, tail]) => unit.repeat(times) + tail)

const values: Readonly<Record<ColumnSpec['type'], fc.Arbitrary<Value>>> = {
  string: fc.oneof(
    fc.constantFrom('', 'a', 'b', 'ü', '😀', 'z'.repeat(65)),
    fc.string({ unit: 'grapheme', maxLength: 10 }),
    longText
  ),
  binary: fc.oneof(
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(Buffer.alloc(70, 0xff), Buffer.alloc(70, 0x61))
  ),
  double: fc.oneof(
    fc.constantFrom(0, -0, 1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE),
    fc.double({ noNaN: true })
  ),
  int64: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer().map(BigInt)),
  int32: fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 })),
  boolean: fc.boolean(),
  timestamp: fc.oneof(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), fc.integer({ min: -5, max: 5 }))
}

const column = (name: string): fc.Arbitrary<{ spec: ColumnSpec; cell: fc.Arbitrary<Value> }> =>
  fc
    .tuple(fc.constantFrom(...(Object.keys(values) as ColumnSpec['type'][])), fc.integer({ min: 0, max: 3 }))
    .map(([type, nulls]) => ({
      spec: { name, type, nullable: nulls > 0 },
      // Of three nullable columns one has few nulls, one half of them, one nothing else.
      cell: [
        values[type],
        fc.option(values[type], { freq: 9 }),
        fc.option(values[type], { freq: 1 }),
        fc.constant(null)
      ][nulls] as fc.Arbitrary<Value>
    }))

/** Small tables of one to five columns of any type. */
export const someTable: fc.Arbitrary<Table> = fc
  .integer({ min: 1, max: 5 })
  .chain((width) =>
    fc
      .tuple(...Array.from({ length: width }, (_, index) => column(`c${index}`)))
      .chain((columns) =>
        fc
          .array(fc.tuple(...columns.map(({ cell }) => cell)), { maxLength: 60, size: 'max' })
          .map((rows) => ({ columns: columns.map(({ spec }) => spec), rows }))
      )
  )

/**
 * A table of several pages a column with all that is awkward: a column that turns from few to many distinct strings, one
 * of nothing but nulls, one that is null for longer than a page, empty strings, one long string.
 */
export function awkwardTable(rows: number, longBytes: number): Table {
  const columns: ColumnSpec[] = [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'turning', type: 'string', nullable: true },
    { name: 'distinct', type: 'string', nullable: false },
    { name: 'constant', type: 'string', nullable: false },
    { name: 'nothing', type: 'string', nullable: true },
    { name: 'late', type: 'string', nullable: true },
    { name: 'empty', type: 'string', nullable: true },
    { name: 'count', type: 'int32', nullable: true },
    { name: 'flag', type: 'boolean', nullable: true },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'nullCount', type: 'int32', nullable: true },
    { name: 'fewIds', type: 'int64', nullable: true },
    { name: 'turningNumber', type: 'int32', nullable: false },
    { name: 'ratio', type: 'double', nullable: true },
    { name: 'sometimesNaN', type: 'double', nullable: false },
    { name: 'bytes', type: 'binary', nullable: true }
  ]
  const noise = (index: number) => Math.imul(index, 0x9e3779b1) >>> 0
  const row = (index: number): Row => [
    9_007_199_254_740_993n + BigInt(index),
    index % 11 === 0 ? null : index < rows * 0.6 ? `few ${index % 5}` : `many ${noise(index)}`,
    index === rows >> 1 ? 'é'.repeat(longBytes / 2) : `text ${noise(index)} of row ${index}`,
    'constant',
    null,
    index < rows * 0.7 ? null : `late ${index % 3}`,
    index % 2 === 0 ? '' : null,
    index % 3 === 0 ? null : (noise(index) | 0) >> 3,
    index % 4 === 0 ? null : index % 5 === 0,
    index % 5 === 0 ? null : 1_700_000_000_000 - index * 977,
    null,
    index % 7 === 0 ? null : 2n ** 62n + BigInt(index % 40),
    index < rows * 0.6 ? index % 50 : noise(index) | 0,
    index % 9 === 0 ? null : (index % 100) / 8 - 4,
    index === rows - 2 ? Number.NaN : index / 3,
    index % 8 === 0 ? null : Buffer.from([index, index >> 8, 0xff, 0])
  ]
  return { columns, rows: Array.from({ length: rows }, (_, index) => row(index)) }
}
