import type { HiveColumn, HivePartition, HiveTable } from './table.ts'

/** The statements about a sink's table, each one whole, without a semicolon at its end. */

/** Creates the table where it does not exist; one that exists stays as it is. */
export function createTable(table: HiveTable): string {
  const { columns, partitionColumns, location, sink } = table
  const partitions = partitionColumns.map((name) => `${identifier(name)} STRING`).join(', ')
  return [
    `CREATE EXTERNAL TABLE IF NOT EXISTS ${nameOf(table)} (`,
    columns.map((column) => `  ${declaration(column)}`).join(',\n'),
    ')',
    ...(partitions === '' ? [] : [`PARTITIONED BY (${partitions})`]),
    'STORED AS PARQUET',
    `LOCATION ${literal(location)}`,
    `TBLPROPERTIES (${literal(SINK)} = ${literal(sink)})`
  ].join('\n')
}

/**
 * Adds columns behind those that are there. Without CASCADE the partitions that exist would go on without them, and a new
 * file in an old partition would read NULL (Hive 4.0); a table without partitions refuses the word.
 */
export function addColumns(table: HiveTable, columns: readonly HiveColumn[]): string {
  const cascade = table.partitionColumns.length === 0 ? '' : ' CASCADE'
  return `ALTER TABLE ${nameOf(table)} ADD COLUMNS (${columns.map(declaration).join(', ')})${cascade}`
}

/** Partitions of one statement, at most: Hive holds them all in memory, and answers when the last one is in. */
export const STATEMENT_PARTITIONS = 100

/** Adds partitions; those that exist stay as they are. */
export function addPartitions(table: HiveTable, partitions: readonly HivePartition[]): string {
  const specs = partitions.map(({ values, location }) => {
    const parts = table.partitionColumns.map(
      (name, index) => `${identifier(name)} = ${literal(values[index] ?? '')}`
    )
    return `  PARTITION (${parts.join(', ')}) LOCATION ${literal(location)}`
  })
  return [`ALTER TABLE ${nameOf(table)} ADD IF NOT EXISTS`, ...specs].join('\n')
}

export function describeTable(table: HiveTable): string {
  return `DESCRIBE ${nameOf(table)}`
}

export function showProperties(table: HiveTable): string {
  return `SHOW TBLPROPERTIES ${nameOf(table)}`
}

/** Gives the table an incarnation that positions can name. */
export function setIncarnation(table: HiveTable, incarnation: string): string {
  return `ALTER TABLE ${nameOf(table)} SET TBLPROPERTIES (${literal(INCARNATION)} = ${literal(incarnation)})`
}

/** The table's property that says whose files it shows. */
export const SINK = 'causeway.sink'
/** The table's property that a table which was dropped and created anew does not have. */
export const INCARNATION = 'causeway.incarnation'

function nameOf({ database, table }: HiveTable): string {
  return `${identifier(database)}.${identifier(table)}`
}

function declaration({ name, type }: HiveColumn): string {
  return `${identifier(name)} ${type.toUpperCase()}`
}

function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/**
 * A string in quotes. Hive reads `\uXXXX`, which keeps quotes, backslashes, line ends and semicolons (beeline splits
 * scripts there) out of the statement's text, and `${…}`, which Hive would replace before it parses anything.
 */
function literal(value: string): string {
  const escaped = value.replace(
    /[^ -~]|['"\\;$]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
  return `'${escaped}'`
}
