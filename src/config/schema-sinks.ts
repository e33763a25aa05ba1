import * as z from 'zod'
import type { Environment } from './environment.ts'
import { name, oneOf, present, refuse, table, topicPatterns } from './fields.ts'
import { checkRows, columnsOfFiles, rowsConfig, rowsKeys } from './schema-columns.ts'
import { fileFormat, fileKeys, isTextCodec } from './schema-files.ts'
import { hiveTable } from './schema-hive.ts'
import { checkLayout, layoutConfig, layoutKeys } from './schema-layout.ts'
import { refreshInterval, sessionTimeout, shards } from './schema-roles.ts'
import type { HdfsSinkConfig, SinkConfig } from './types.ts'
import { parseDuration } from './units.ts'

export function hdfsSinkTable(environment: Environment) {
  const hive = hiveTable(environment)
    .optional()
    .describe('Table in Hive that shows the files; none when absent.')
  return table({ ...sinkKeys(environment), hive })
    .superRefine(checkRows)
    .superRefine((it, issues) => checkLayout(it, columnsOfFiles(it), issues))
    .superRefine(checkFormat)
    .transform(({ hive, ...keys }): HdfsSinkConfig => ({ ...sinkConfig(keys), ...present({ hive }) }))
}

export function s3SinkTable(environment: Environment) {
  const ttl = wholeDays()
    .optional()
    .describe(
      'How long files stay; whole days. S3 removes them by the rules of `causeway s3 lifecycle`, at a midnight UTC or later.'
    )
  return table({ ...sinkKeys(environment), ttl })
    .superRefine(checkRows)
    .superRefine((it, issues) => checkLayout(it, columnsOfFiles(it), issues))
    .superRefine(checkFormat)
    .transform(
      ({ ttl, ...keys }): SinkConfig => ({
        ...sinkConfig(keys, VARCHAR_BYTES_MAX),
        ...present({ ttlMs: ttl })
      })
    )
}

type Formatted = Pick<z.output<z.ZodObject<ReturnType<typeof sinkKeys>>>, 'format' | 'codec'> & {
  hive?: unknown
}

function checkFormat({ format, codec, hive }: Formatted, issues: z.RefinementCtx): void {
  if (format === 'parquet') return
  const refused = (key: string, message: string) => issues.addIssue({ code: 'custom', path: [key], message })
  if (codec !== undefined && !isTextCodec(codec))
    refused('codec', `none, gzip or zstd for format = "${format}"`)
  if (hive !== undefined) refused('format', '"parquet", which the table in Hive is made of')
}

/** What a VARCHAR of Redshift holds, into which S3's files are loaded. */
const VARCHAR_BYTES_MAX = 65_535

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
function sinkKeys(environment: Environment) {
  return {
    cluster: name().describe('The [cluster.NAME] read from.'),
    topics: topicPatterns(1).describe('Topics, or regular expressions that fit the whole name.'),
    store: name().describe('The [store.NAME] written to.'),
    ...rowsKeys(environment),
    ...layoutKeys(),
    ...fileKeys(),
    start: oneOf(['earliest', 'latest'])
      .default('earliest')
      .describe('Where a partition without a log begins.'),
    shards: shards(),
    refresh_interval: refreshInterval(),
    session_timeout: sessionTimeout()
  }
}

/** @param bytesMax of text columns that do not say theirs; absent: any */
function sinkConfig(it: z.output<z.ZodObject<ReturnType<typeof sinkKeys>>>, bytesMax?: number): SinkConfig {
  return {
    cluster: it.cluster,
    topics: it.topics,
    store: it.store,
    ...rowsConfig(it, bytesMax),
    ...layoutConfig(it),
    format: fileFormat(it),
    start: it.start,
    shards: it.shards,
    refreshIntervalMs: it.refresh_interval,
    sessionTimeoutMs: it.session_timeout
  }
}
