import { duration, flag, name, oneOf, size, table, text, topicPatterns } from './fields.ts'
import { refreshInterval, sessionTimeout, shards } from './schema-roles.ts'
import { parquetCodecs, type SinkConfig } from './types.ts'

/** A sink into an HDFS store or into an S3 store: both have the same keys. */
export function sinkTable() {
  return table({
    cluster: name().describe('The [cluster.NAME] read from.'),
    topics: topicPatterns(1).describe('Topics, or regular expressions that fit the whole name.'),
    store: name().describe('The [store.NAME] written to.'),
    preset: oneOf(['tweet']).default('tweet').describe('Columns that events are flattened into.'),
    lineage: flag().default(true).describe('Adds columns _topic, _partition, _offset and _timestamp.'),
    template: text(
      TEMPLATE,
      'a relative directory of letters, digits, "._=-" and {topic} {partition} {date} {hour}'
    )
      .default('{topic}/dt={date}/hour={hour}')
      .describe('Directory of a data file.'),
    rotate_bytes: size('4KiB', '4GiB').prefault('32MiB').describe('Size at which a file is finished.'),
    rotate_age: duration('100ms', '24h').prefault('60s').describe('Age at which a file is finished.'),
    codec: oneOf(parquetCodecs).default('snappy').describe('Codec of the Parquet pages.'),
    start: oneOf(['earliest', 'latest'])
      .default('earliest')
      .describe('Where a partition without a log begins.'),
    shards: shards(),
    refresh_interval: refreshInterval(),
    session_timeout: sessionTimeout()
  }).transform(
    (it): SinkConfig => ({
      cluster: it.cluster,
      topics: it.topics,
      store: it.store,
      preset: it.preset,
      lineage: it.lineage,
      template: it.template,
      rotateBytes: it.rotate_bytes,
      rotateAgeMs: it.rotate_age,
      codec: it.codec,
      start: it.start,
      shards: it.shards,
      refreshIntervalMs: it.refresh_interval,
      sessionTimeoutMs: it.session_timeout
    })
  )
}

const SEGMENT = String.raw`(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._=-]|\{(?:topic|partition|date|hour)\})+`
const TEMPLATE = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`)
