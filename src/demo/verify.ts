import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import pg from 'pg'
import type { Cluster } from '../actors/kafka/cluster.ts'
import { readInternal } from '../actors/kafka/positions.ts'
import { openStore } from '../actors/store/open.ts'
import type { Store } from '../actors/store/store.ts'
import type { Config } from '../config.ts'
import { Fault } from '../errors.ts'
import type { Clusters } from '../worker/clusters.ts'
import { deadLetterTopic, demoNames } from './config.ts'
import type { StoreTallies } from './report.ts'
import type { Expected } from './tally.ts'

/** What of the demo's stores is read back. */
export interface Stores {
  readonly source: Cluster
  readonly target: Cluster
  readonly hdfs: Store
  readonly s3: Store
  readonly warehouseUrl: string
}

/** The stores as the demo's config names them. */
export function openStores(config: Config, clusters: Clusters): Stores {
  const store = (name: string) => {
    const found = config.stores[name]
    if (found === undefined) throw new Fault('config-invalid', `the demo's config has no [store.${name}]`)
    return openStore(found)
  }
  const { url } = config.warehouses.main ?? {}
  return {
    source: clusters.get('onprem'),
    target: clusters.get('aws'),
    hdfs: store('raw'),
    s3: store('crucial'),
    warehouseUrl: url?.reveal() ?? ''
  }
}

interface Row {
  readonly partition: number
  readonly id: string
}

/** Reads every store from its start and compares it with the input. */
export async function tallyStores(
  stores: Stores,
  expected: Expected,
  signal: AbortSignal
): Promise<StoreTallies> {
  const { source, target, hdfs, s3, warehouseUrl } = stores
  return {
    source: expected.tally(await topicRows(source, demoNames.topic, signal)),
    target: expected.tally(await topicRows(target, demoNames.topic, signal)),
    hdfs: expected.tally(await fileRows(hdfs, signal)),
    s3: expected.tally(await fileRows(s3, signal)),
    warehouse: expected.tally(await warehouseRows(warehouseUrl))
  }
}

/** How many dead letters the ingest has written. */
export async function countDeadLetters(source: Cluster, signal: AbortSignal): Promise<number> {
  return (await topicRows(source, deadLetterTopic, signal)).length
}

/** How many rows the warehouse holds; 0 before the loader has made the table. */
export async function countRows(client: pg.Client): Promise<number> {
  const name = `${pg.escapeIdentifier(demoNames.schema)}.${pg.escapeIdentifier(demoNames.table)}`
  const { rows: found } = await client.query<{ exists: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS exists',
    [name]
  )
  if (found[0]?.exists !== true) return 0
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) AS count FROM ${name}`)
  return Number(rows[0]?.count)
}

async function topicRows(cluster: Cluster, topic: string, signal: AbortSignal): Promise<Row[]> {
  const metadata = await cluster.metadata(signal, [topic])
  const rows: Row[] = []
  for (const { partition } of metadata.topics.get(topic)?.partitions ?? []) {
    await readInternal({
      cluster,
      topic,
      partition,
      signal,
      transactionTimeoutMs: 15_000,
      onRecord: ({ key }) => rows.push({ partition, id: key?.toString() ?? '' })
    })
  }
  return rows
}

/** Rows of the published files, by partition and offset. */
async function fileRows(store: Store, signal: AbortSignal): Promise<Row[]> {
  const rows: (Row & { readonly offset: number })[] = []
  for await (const { path } of store.list('data/', {}, signal)) {
    const content = await store.read(path, signal)
    if (content === undefined) continue
    const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength)
    for (const row of await parquetReadObjects({
      file: file as ArrayBuffer,
      columns: ['id', '_partition', '_offset'],
      compressors
    })) {
      rows.push({ partition: Number(row._partition), offset: Number(row._offset), id: String(row.id) })
    }
  }
  return rows.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

async function warehouseRows(url: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const name = `${pg.escapeIdentifier(demoNames.schema)}.${pg.escapeIdentifier(demoNames.table)}`
    const { rows } = await client.query<{ id: string; _partition: number }>(
      `SELECT id, _partition FROM ${name} ORDER BY _partition, _offset`
    )
    return rows.map((row) => ({ partition: row._partition, id: row.id }))
  } finally {
    await client.end()
  }
}
