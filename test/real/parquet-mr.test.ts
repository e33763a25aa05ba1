import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnSpec } from '../../src/records/columns.ts'
import { awkwardTable, someTable, type Table, type Value, writeTable } from '../actors/parquet/support.ts'
import type { JavaLines } from './java-lines.ts'
import { hasParquetMr, startParquetMr } from './parquet-mr.ts'

/** As ParquetMr.java writes a value. */
function textOf(value: Value, { type }: ColumnSpec): string {
  if (value === null) return '~'
  if (type === 'string' || type === 'binary') return Buffer.from(value as string | Buffer).toString('hex')
  if (type !== 'double') return String(value)
  const bits = Buffer.alloc(8)
  bits.writeDoubleBE(Number(value))
  return bits.readBigUInt64BE().toString(16)
}

function digestOf({ columns, rows }: Table): string {
  const line = (row: readonly Value[]) =>
    columns.map((spec, index) => textOf(row[index] ?? null, spec)).join(',')
  return createHash('sha256')
    .update(rows.map((row) => `${line(row)}\n`).join(''))
    .digest('hex')
}

/** Orders values as Parquet does; of doubles as Java does, where a NaN is the greatest. */
function compare(left: Value, right: Value): number {
  if (Buffer.isBuffer(left) || typeof left === 'string') {
    return Buffer.compare(Buffer.from(left), Buffer.from(right as string | Buffer))
  }
  const [a, b] = [left, right] as [number, number]
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -1 : a > b ? 1 : 0
}

/** Values of the column from its least to its greatest. */
function samplesOf(values: readonly Value[]): Value[] {
  const sorted = values.filter((value) => value !== null).sort(compare)
  return [0, 0.25, 0.5, 0.75, 1].flatMap((part) => sorted[Math.floor(part * (sorted.length - 1))] ?? [])
}

describe.runIf(hasParquetMr)('parquet-mr', () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-parquet-mr-'))
  let reader: JavaLines
  beforeAll(async () => {
    reader = await startParquetMr()
  }, 600_000)
  afterAll(async () => {
    await reader?.stop()
    rmSync(folder, { recursive: true })
  })

  const tables: [string, Table, number][] = [
    ['a table of many pages', awkwardTable(45_000, 200_000), 2 ** 30],
    ['a table of many row groups', awkwardTable(21_000, 200_000), 300_000],
    ...fc
      .sample(someTable, { numRuns: 20, seed: 20_181_010 })
      .filter(({ rows }) => rows.length > 0)
      .map((table, index): [string, Table, number] => [`random table ${index}`, table, 500])
  ]
  test.each(tables)(
    '%s: the same values, and as many under each predicate',
    async (_, table, rowGroupBytes) => {
      for (const codec of ['snappy', 'zstd', 'gzip', 'none'] as const) {
        const file = join(folder, 'table.parquet')
        writeFileSync(file, writeTable(table, { codec, rowGroupBytes }))
        expect(await reader.ask(`digest ${file}`), codec).toBe(digestOf(table))
        if (codec !== 'snappy') continue
        for (const [index, spec] of table.columns.entries()) {
          const values = table.rows.map((row) => row[index] ?? null)
          // Java tells -0 from +0, which JavaScript's order does not.
          for (const sample of samplesOf(values).filter((value) => value !== 0)) {
            const text = textOf(sample, spec) || '-'
            const orders = values.filter((value) => value !== null).map((value) => compare(value, sample))
            for (const operator of spec.type === 'boolean' ? ['eq'] : ['eq', 'lt', 'gt']) {
              const wanted = {
                eq: (order: number) => order === 0,
                lt: (order: number) => order < 0,
                gt: (order: number) => order > 0
              }
              const rows = orders.filter(wanted[operator as keyof typeof wanted]).length
              const question = `count ${file} ${spec.name} ${operator} ${spec.type} ${text}`
              expect(await reader.ask(question), question).toBe(String(rows))
            }
          }
        }
      }
    },
    120_000
  )
})
