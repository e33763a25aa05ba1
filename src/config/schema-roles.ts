import * as z from 'zod'
import type { Environment } from './environment.ts'
import {
  duration,
  httpUrl,
  integer,
  list,
  name,
  oneOf,
  path,
  secret,
  size,
  table,
  text,
  topicName
} from './fields.ts'
import { compressions, type IngestConfig, type RedshiftLoaderConfig } from './types.ts'

export const shards = () =>
  integer(1, 1024)
    .default(32)
    .describe('Fixed number of hash classes of partitions, the unit of ownership; set once per instance.')
export const refreshInterval = () =>
  duration('1s', '1h').prefault('30s').describe('How often new topics and partitions are looked for.')
export const sessionTimeout = () =>
  duration('1s', '30m')
    .prefault('10s')
    .describe('Silence after which the group gives a dead worker’s shards away.')
export const transactionTimeout = () =>
  duration('1s', '15s')
    .prefault('15s')
    .describe('Age after which the broker aborts a transaction of a dead worker.')
export const commitInterval = () =>
  duration('10ms', '5m').prefault('500ms').describe('Age at which a transaction is committed.')
export const replication = (what: string) =>
  integer(1, 32).default(1).describe(`Replication factor of ${what}.`)

export const quarantineMin = () =>
  duration('10ms', '1h').prefault('1s').describe('First pause of a partition whose batch the target refused.')
export const quarantineMax = () => duration('10ms', '24h').prefault('60s').describe('Longest such pause.')

export function ingestTable(environment: Environment) {
  return table({
    cluster: name().describe('The [cluster.NAME] written to.'),
    topic: topicName().describe('The topic written to; created when it is missing.'),
    partitions: integer(1, 10_000).default(4).describe('Partitions of the topic when we create it.'),
    replication: replication('topics that we create'),
    compression: oneOf(compressions).default('zstd').describe('Codec of the batches.'),
    commit_interval: commitInterval(),
    batch_bytes: size('1KiB', '64MiB').prefault('512KiB').describe('Size at which a batch is sent.'),
    transaction_timeout: transactionTimeout(),
    recent_ids: duration('1s', '24h')
      .prefault('10m')
      .describe('How long an id is remembered to drop repeats; longer than the backfill.'),
    source: z.discriminatedUnion('type', [xSource(environment), fileSource(environment)], {
      error: 'a table with type = "x" or type = "file"'
    })
  }).transform(
    (it): IngestConfig => ({
      cluster: it.cluster,
      topic: it.topic,
      partitions: it.partitions,
      replication: it.replication,
      compression: it.compression,
      commitIntervalMs: it.commit_interval,
      batchBytes: it.batch_bytes,
      transactionTimeoutMs: it.transaction_timeout,
      recentIdsMs: it.recent_ids,
      source: it.source
    })
  )
}

function xSource(environment: Environment) {
  return table({
    type: z.literal('x').describe('X API v2 filtered stream.'),
    keywords: list(text(/\S/, 'a keyword'), 1, 'an array of at least one keyword').describe(
      'Events with any of these words; a space asks for the phrase.'
    ),
    token: secret(environment).describe('Bearer token of the API.'),
    url: httpUrl('an http(s) URL').default('https://api.x.com').describe('Address of the API.'),
    backfill: duration('0s', '5m')
      .refine((ms) => ms % 60_000 === 0, { error: 'whole minutes from 0m to 5m' })
      .prefault('5m')
      .describe('What the stream is asked to repeat after a disconnection.')
  }).transform(({ backfill, ...rest }) => ({ ...rest, backfillMs: backfill }))
}

function fileSource(environment: Environment) {
  return table({
    type: z.literal('file').describe('A file of newline-separated JSON.'),
    path: path(environment).describe('The file.')
  })
}

export function loaderTable() {
  return table({
    from: text(/^s3_sink\.[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, '"s3_sink.NAME"').describe(
      'The [s3_sink.NAME] whose log is loaded.'
    ),
    warehouse: name().describe('The [warehouse.NAME] written to.'),
    table: text(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'an SQL name')
      .default('tweets')
      .describe('Table of the rows.'),
    poll_interval: duration('10ms', '1h').prefault('1s').describe('How often the log is looked at.'),
    batch_entries: integer(1, 10_000).default(16).describe('Most log entries loaded in one transaction.')
  }).transform(
    (it): RedshiftLoaderConfig => ({
      s3Sink: it.from.slice('s3_sink.'.length),
      warehouse: it.warehouse,
      table: it.table,
      pollIntervalMs: it.poll_interval,
      batchEntries: it.batch_entries
    })
  )
}
