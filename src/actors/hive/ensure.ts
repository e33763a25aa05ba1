import { Fault } from '../../errors.ts'
import {
  addColumns,
  addPartitions,
  createTable,
  describeTable,
  INCARNATION,
  SINK,
  STATEMENT_PARTITIONS,
  setIncarnation,
  showProperties
} from './ddl.ts'
import type { Hive, HiveRow } from './session.ts'
import type { HiveColumn, HivePartition, HiveTable } from './table.ts'

/** A table as Hive describes it. */
export interface FoundTable {
  /** Without the partition columns. */
  readonly columns: readonly HiveColumn[]
  readonly partitionColumns: readonly string[]
}

/**
 * Creates the table or adds the columns that it lacks, and resolves with its incarnation: positions that were noted for
 * another one count for nothing. Rejects with `hive-table-differs` where a column would have to change: columns are added
 * and never changed, because the files that are there cannot.
 */
export async function ensureTable(hive: Hive, table: HiveTable, fresh: string): Promise<string> {
  await hive.run(createTable(table))
  const missing = missingColumns(table, describedTable(await hive.run(describeTable(table))))
  if (missing.length > 0) await hive.run(addColumns(table, missing))
  const found = await incarnationOf(hive, table)
  if (found !== undefined) return found
  await hive.run(setIncarnation(table, fresh))
  // Two workers may have found none: what stands there now is what both go by.
  return (await incarnationOf(hive, table)) ?? fresh
}

/** Adds partitions to the table. Rejects with `hive-table-changed` when it is not the one that `ensureTable` saw. */
export async function registerPartitions(
  hive: Hive,
  table: HiveTable,
  incarnation: string,
  partitions: readonly HivePartition[]
): Promise<void> {
  for (let from = 0; from < partitions.length; from += STATEMENT_PARTITIONS) {
    await hive.run(addPartitions(table, partitions.slice(from, from + STATEMENT_PARTITIONS)))
  }
  if ((await incarnationOf(hive, table)) === incarnation) return
  const what = `${table.database}.${table.table} was dropped and created anew`
  throw new Fault('hive-table-changed', what, { retryable: true })
}

/** What `DESCRIBE` answers, taken apart: columns, then a blank row, then the partition columns once more. */
export function describedTable(rows: readonly HiveRow[]): FoundTable {
  const named = rows.map((row) => ({
    name: textOf(row.col_name).toLowerCase(),
    type: textOf(row.data_type).toLowerCase()
  }))
  const end = named.findIndex(({ name }) => name === '' || name.startsWith('# '))
  if (end === -1) return { columns: named, partitionColumns: [] }
  const partitionColumns = named
    .slice(end)
    .flatMap(({ name }) => (name === '' || name.startsWith('# ') ? [] : [name]))
  const columns = named.slice(0, end).filter(({ name }) => !partitionColumns.includes(name))
  return { columns, partitionColumns }
}

/** The columns that a table lacks. Columns that only the table has read NULL. Throws `hive-table-differs`. */
export function missingColumns(table: HiveTable, found: FoundTable): readonly HiveColumn[] {
  const differs = (what: string) =>
    new Fault('hive-table-differs', `${table.database}.${table.table} ${what}`, { retryable: true })
  if (found.partitionColumns.join() !== table.partitionColumns.join()) {
    const [has, needs] = [found.partitionColumns, table.partitionColumns].map(
      (names) => names.join(', ') || 'nothing'
    )
    throw differs(`is partitioned by ${has}, the sink's template gives ${needs}: name another table`)
  }
  const types = new Map(found.columns.map(({ name, type }) => [name, type]))
  for (const { name, type } of table.columns) {
    const has = types.get(name)
    if (has === undefined || has === type) continue
    throw differs(`has ${name} as ${has}, the sink writes ${type}: name another table, columns never change`)
  }
  return table.columns.filter(({ name }) => !types.has(name))
}

async function incarnationOf(hive: Hive, table: HiveTable): Promise<string | undefined> {
  const properties = new Map(
    (await hive.run(showProperties(table))).map((row) => [textOf(row.prpt_name), textOf(row.prpt_value)])
  )
  const owner = properties.get(SINK)
  if (owner === undefined || owner === table.sink) return properties.get(INCARNATION)
  // Of two sinks' directories with the same values only one could be the partition.
  const what = `${table.database}.${table.table} shows the files of ${owner}: each sink needs a table of its own`
  throw new Fault('hive-table-taken', what, { retryable: true })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}
