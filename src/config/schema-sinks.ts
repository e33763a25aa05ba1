import { z } from 'zod'
import { duration, flag, name, oneOf, present, refuse, table, topicPatterns } from './fields.ts'
import { layoutConfig, layoutKeys } from './schema-layout.ts'
import { refreshInterval, sessionTimeout, shards } from './schema-roles.ts'
import { parquetCodecs, type SinkConfig } from './types.ts'
import { parseDuration } from './units.ts'

export function hdfsSinkTable() {
  return table(sinkKeys()).transform(sinkConfig)
}

export function s3SinkTable() {
  const ttl = wholeDays()
    .optional()
    .describe(
      'How long files stay; whole days. S3 removes them by the rules of `causeway s3 lifecycle`, at a midnight UTC or later.'
    )
  return table({ ...sinkKeys(), ttl }).transform(
    ({ ttl, ...keys }): SinkConfig => ({ ...sinkConfig(keys), ...present({ ttlMs: ttl }) })
  )
}

const WHOLE_DAYS =
  'whole days from "1d", such as "30d": S3 expires objects at the midnight UTC after so many days, never within one'

function wholeDays() {
  return z.string({ error: WHOLE_DAYS }).transform((given, issues) => {
    const ms = parseDuration(given) ?? 0
    const isWhole = ms >= DAY_MS && ms % DAY_MS === 0 && ms <= DAYS_MAX * DAY_MS
    return isWhole ? ms : refuse(issues, WHOLE_DAYS)
  })
}

const DAY_MS = 86_400_000
/** A century: more is a slip of the pen. */
const DAYS_MAX = 36_500

/** The keys of every sink, whatever kind of store it writes into. */
function sinkKeys() {
  return {
    cluster: name().describe('The [cluster.NAME] read from.'),
    topics: topicPatterns(1).describe('Topics, or regular expressions that fit the whole name.'),
    store: name().describe('The [store.NAME] written to.'),
    preset: oneOf(['tweet']).default('tweet').describe('Columns that events are flattened into.'),
    lineage: flag().default(true).describe('Adds columns _topic, _partition, _offset and _timestamp.'),
    ...layoutKeys(),
    codec: oneOf(parquetCodecs).default('snappy').describe('Codec of the Parquet pages.'),
    start: oneOf(['earliest', 'latest'])
      .default('earliest')
      .describe('Where a partition without a log begins.'),
    shards: shards(),
    refresh_interval: refreshInterval(),
    session_timeout: sessionTimeout()
  }
}

function sinkConfig(it: z.output<z.ZodObject<ReturnType<typeof sinkKeys>>>): SinkConfig {
  return {
    cluster: it.cluster,
    topics: it.topics,
    store: it.store,
    preset: it.preset,
    lineage: it.lineage,
    ...layoutConfig(it),
    codec: it.codec,
    start: it.start,
    shards: it.shards,
    refreshIntervalMs: it.refresh_interval,
    sessionTimeoutMs: it.session_timeout
  }
}
