import { describe, expect, test } from 'vitest'
import { addColumns, addPartitions, createTable } from '../../../src/actors/hive/ddl.ts'
import { describedTable, missingColumns } from '../../../src/actors/hive/ensure.ts'
import { type HiveTableOptions, hiveTable } from '../../../src/actors/hive/table.ts'

const options: HiveTableOptions = {
  hive: { database: 'Raw', table: 'Tweets', timestamps: 'timestamp' },
  sink: 'hybrid.raw',
  template: '{topic}/dt={date}/hour={hour}',
  columns: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'createdAt', type: 'timestamp', nullable: true },
    { name: '_topic', type: 'string', nullable: false }
  ],
  store: { path: '/lake' }
}
const file = 'hybrid+0+0+10+0000.parquet'

test('the table has the columns of the files and a partition column for each directory that differs', () => {
  expect(createTable(hiveTable(options))).toBe(`CREATE EXTERNAL TABLE IF NOT EXISTS \`raw\`.\`tweets\` (
  \`id\` BIGINT,
  \`createdat\` TIMESTAMP,
  \`_topic\` STRING
)
PARTITIONED BY (\`topic\` STRING, \`dt\` STRING, \`hour\` STRING)
STORED AS PARQUET
LOCATION '/lake/data/hybrid.raw'
TBLPROPERTIES ('causeway.sink' = 'hybrid.raw')`)
})

test('instants can be BIGINT, and locations name the file system that Hive is told', () => {
  const hive = { ...options.hive, timestamps: 'bigint', fileSystem: 'hdfs://ns1' } as const
  const statement = createTable(hiveTable({ ...options, hive, template: 'all/of/it' }))
  expect(statement).toContain('`createdat` BIGINT')
  expect(statement).toContain("LOCATION 'hdfs://ns1/lake/data/hybrid.raw/all/of/it'")
  expect(statement).not.toContain('PARTITIONED')
})

test('a partition is the directory of a file, its values as the path has them', () => {
  const table = hiveTable({ ...options, template: 'v1/{topic}/dt={date}/p{partition}-{hour}' })
  const directory = 'data/hybrid.raw/v1/a~2B~20b/dt=__invalid/p7-03'
  const partition = table.partitionOf(`${directory}/${file}`)
  expect(partition).toEqual({ values: ['a~2B~20b', '__invalid', 'p7-03'], location: `/lake/${directory}` })
  expect(addPartitions(table, partition ? [partition] : [])).toBe(
    `ALTER TABLE \`raw\`.\`tweets\` ADD IF NOT EXISTS
  PARTITION (\`topic\` = 'a~2B~20b', \`dt\` = '__invalid', \`partition_hour\` = 'p7-03') LOCATION '/lake/${directory}'`
  )
})

test.each([
  `data/hybrid.raw/hybrid/${file}`,
  `data/hybrid.raw/hybrid/day=2026-01-02/hour=03/${file}`,
  `data/other/hybrid/dt=2026-01-02/hour=03/${file}`,
  `data/hybrid.raw/hybrid/dt=2026-01-02/hour=03/more/${file}`
])('%s was placed by another template, so it is in no partition', (path) => {
  expect(hiveTable(options).partitionOf(path)).toBeUndefined()
})

test('a column that names a directory is the partition column alone', () => {
  const table = hiveTable({ ...options, template: 'ID={id}/dt={date}' })
  expect(table.columns.map(({ name }) => name)).toEqual(['createdat', '_topic'])
  expect(table.partitionColumns).toEqual(['id', 'dt'])
})

test('values cannot leave their quotes, end a statement of a script, or name a variable', () => {
  const table = hiveTable({ ...options, sink: 'a', store: { path: `/it's;\${env:HOME}\\\n\u00fc` } })
  expect(createTable(table)).toContain(
    "LOCATION '/it\\u0027s\\u003b\\u0024{env:HOME}\\u005c\\u000a\\u00fc/data/a'"
  )
})

describe('names that Hive cannot hold are refused', () => {
  test.each(['a b', 'a.b', 'a:b', 'a,b', 'a`b', `\${env:x}`, 'a;b', ''])('%j', (name) => {
    const columns = [{ name, type: 'string', nullable: true }] as const
    expect(() => hiveTable({ ...options, columns })).toThrow(
      expect.objectContaining({ code: 'config-invalid' })
    )
  })
  test('two that differ by case alone', () => {
    const columns = ['a', 'A'].map((name) => ({ name, type: 'string', nullable: true }) as const)
    expect(() => hiveTable({ ...options, columns })).toThrow('knows no case')
  })
})

/** As HiveServer2 4.0.1 answers DESCRIBE. */
const description = [
  { col_name: 'id', data_type: 'bigint', comment: '' },
  { col_name: 'createdat', data_type: 'timestamp', comment: '' },
  { col_name: 'topic', data_type: 'string', comment: '' },
  { col_name: 'dt', data_type: 'string', comment: '' },
  { col_name: 'hour', data_type: 'string', comment: '' },
  { col_name: '', data_type: null, comment: null },
  { col_name: '# Partition Information', data_type: null, comment: null },
  { col_name: '# col_name', data_type: 'data_type', comment: 'comment' },
  { col_name: 'topic', data_type: 'string', comment: '' },
  { col_name: 'dt', data_type: 'string', comment: '' },
  { col_name: 'hour', data_type: 'string', comment: '' }
]

test('columns that the table lacks are added, to its partitions too', () => {
  const table = hiveTable(options)
  const missing = missingColumns(table, describedTable(description))
  expect(addColumns(table, missing)).toBe('ALTER TABLE `raw`.`tweets` ADD COLUMNS (`_topic` STRING) CASCADE')
  const flat = hiveTable({ ...options, template: 'all' })
  expect(addColumns(flat, missing)).toBe('ALTER TABLE `raw`.`tweets` ADD COLUMNS (`_topic` STRING)')
})

test('a column never changes, nor do the partition columns', () => {
  const found = describedTable(description)
  const differs = expect.objectContaining({ code: 'hive-table-differs' })
  const hive = { ...options.hive, timestamps: 'bigint' } as const
  expect(() => missingColumns(hiveTable({ ...options, hive }), found)).toThrow(differs)
  expect(() => missingColumns(hiveTable({ ...options, template: 'dt={date}' }), found)).toThrow(differs)
  const more = [...options.columns.slice(0, 1)]
  expect(missingColumns(hiveTable({ ...options, columns: more }), found)).toEqual([])
})
