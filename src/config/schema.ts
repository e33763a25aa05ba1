import * as z from 'zod'
import type { Environment } from './environment.ts'
import { duration, integer, name, named, oneOf, path, size, table } from './fields.ts'
import { mirrorTable } from './schema-mirror.ts'
import { clusterTable, hdfsStoreTable, httpTable, s3StoreTable, warehouseTable } from './schema-places.ts'
import { ingestTable, loaderTable } from './schema-roles.ts'
import { hdfsSinkTable, s3SinkTable } from './schema-sinks.ts'
import { type Config, logFormats, logLevels, type RestartConfig } from './types.ts'

/**
 * The whole config file as one zod schema: the file's words and units in, `Config` out. Descriptions are the reasons
 * that `config.schema.json` shows in editors; what one table says about another is checked in `references.ts`.
 */
export function configSchema(environment: Environment) {
  return table({
    name: name().describe('Prefix of our consumer groups, transactional ids and own topics.'),
    data_dir: path(environment).describe("This worker's own directory: its lock, its id and its cursors."),
    memory_budget: size('16MiB', '1024GiB')
      .prefault('256MiB')
      .describe('Bytes of events held at once by all roles together; above it, intake pauses.'),
    drain_timeout: duration('0s', '1h')
      .prefault('30s')
      .describe('How long SIGTERM may take to flush, commit and leave before the worker ends anyway.'),
    log: table({
      level: oneOf(logLevels).default('info').describe('Least severe level that is logged.'),
      format: oneOf(logFormats).default('json').describe('"json" for machines, "pretty" for people.')
    }).prefault({}),
    restart: restartTable(),
    http: httpTable(environment).prefault({}),
    cluster: named(clusterTable(environment)).describe('Kafka clusters, named once.'),
    ingest: named(ingestTable(environment)).describe('Event source → Kafka topic.'),
    mirror: named(mirrorTable()).describe('Kafka cluster → Kafka cluster.'),
    store: named(
      z.discriminatedUnion('type', [hdfsStoreTable(environment), s3StoreTable(environment)], { error: STORE })
    ).describe('Places that keep files, named once.'),
    warehouse: named(warehouseTable(environment)).describe(
      'Databases that rows are loaded into, named once.'
    ),
    hdfs_sink: named(hdfsSinkTable(environment)).describe('Kafka topics → Parquet files in HDFS.'),
    s3_sink: named(s3SinkTable(environment)).describe('Kafka topics → Parquet files in S3.'),
    redshift_loader: named(loaderTable()).describe('Files of an S3 sink → rows of a warehouse table.')
  }).transform(
    (file): Config => ({
      name: file.name,
      dataDir: file.data_dir,
      memoryBudgetBytes: file.memory_budget,
      drainTimeoutMs: file.drain_timeout,
      log: file.log,
      restart: file.restart,
      http: file.http,
      clusters: file.cluster,
      ingest: file.ingest,
      mirror: file.mirror,
      stores: file.store,
      warehouses: file.warehouse,
      hdfsSinks: file.hdfs_sink,
      s3Sinks: file.s3_sink,
      redshiftLoaders: file.redshift_loader
    })
  )
}

const STORE = 'type = "hdfs" or type = "s3"'

export const backoffMin = () =>
  duration('1ms', '1h').prefault('500ms').describe('Wait before the first restart of a role.')
export const backoffMax = () =>
  duration('1ms', '24h').prefault('30s').describe('Longest wait; it doubles up to this, with jitter.')

function restartTable() {
  return table({
    backoff_min: backoffMin(),
    backoff_max: backoffMax(),
    restarts_max: integer(0, 1_000_000)
      .default(10)
      .describe('More restarts than this within `window` end the worker with the fault that caused them.'),
    window: duration('1s', '24h').prefault('5m').describe('Span in which restarts are counted.')
  })
    .prefault({})
    .transform(
      (it): RestartConfig => ({
        backoffMinMs: it.backoff_min,
        backoffMaxMs: it.backoff_max,
        restartsMax: it.restarts_max,
        windowMs: it.window
      })
    )
}
