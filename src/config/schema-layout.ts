import { closest } from 'fastest-levenshtein'
import type * as z from 'zod'
import type { ColumnSpec } from '../records/columns.ts'
import { checkDirectories } from '../records/directories.ts'
import { duration, type Issues, integer, size, table, text, topicName } from './fields.ts'
import { replication } from './schema-roles.ts'
import type { LayoutConfig } from './types.ts'

export const rotateAge = () =>
  duration('100ms', '24h').prefault('60s').describe('Age at which a chunk of files is finished.')
export const rotateAgeMax = () =>
  duration('100ms', '24h').prefault('1h').describe('Age at which a chunk is finished however small it is.')

/** Where the files of a sink lie, how large they get, and what becomes of records that are no rows. */
export function layoutKeys() {
  return {
    template: text(
      TEMPLATE,
      'a relative directory of letters, digits, "._=-" and {topic} {partition} {date} {hour} {COLUMN}'
    )
      .default('{topic}/dt={date}/hour={hour}')
      .describe('Directory of a data file.'),
    time_column: text(/./, 'the name of a timestamp column')
      .optional()
      .describe('Column that {date} and {hour} are of; the record’s Kafka timestamp when absent.'),
    time_window: table({
      past: duration('0ms', '36500d').describe('Farthest before the Kafka timestamp.'),
      future: duration('0ms', '36500d').describe('Farthest after it.')
    })
      .optional()
      .describe('Where times of time_column can be true; others go to dt=__invalid. Anywhere when absent.'),
    rotate_bytes: size('4KiB', '4GiB')
      .prefault('32MiB')
      .describe('Size of its files at which a chunk is finished, about.'),
    rotate_records: integer(1, 1_000_000_000)
      .default(1_000_000_000)
      .describe('Number of records at which a chunk is finished.'),
    rotate_age: rotateAge(),
    rotate_bytes_min: size('0B', '4GiB')
      .prefault('0B')
      .describe('A chunk that is old but smaller waits for more, until rotate_age_max.'),
    rotate_age_max: rotateAgeMax(),
    files_per_chunk: integer(1, 10_000)
      .default(32)
      .describe('Directories that one chunk is spread over at most.'),
    files_open: integer(1, 1_000_000)
      .default(4096)
      .describe('Data files that are written at a time, in all chunks; beyond, chunks are finished early.'),
    dead_letters: deadLetters().prefault({})
  }
}

function deadLetters() {
  return table({
    max: integer(0, 1_000_000).default(500).describe('More dead letters than this …'),
    among: integer(1, 1_000_000_000)
      .default(1000)
      .describe('… among so many consecutive records stop the partition.'),
    topic: topicName().optional().describe('Topic of the same cluster that they are written to as well.'),
    replication: replication('topics that we create for them')
  }).describe('Records that cannot be rows: files beside the data, with reason, key and value.')
}

type Keys = z.output<z.ZodObject<ReturnType<typeof layoutKeys>>>

/** What the keys say about the columns of the files and about one another. */
export function checkLayout(
  it: Pick<Keys, 'template' | 'time_column' | 'time_window'>,
  columns: readonly Pick<ColumnSpec, 'name' | 'type'>[],
  issues: Issues
): void {
  for (const { of, allowed, column } of checkDirectories(it.template, it.time_column, columns)) {
    const nearest = column && column.known.length > 0 ? closest(column.given, column.known) : undefined
    const message = nearest === undefined ? allowed : `${allowed} (nearest: "${nearest}")`
    issues.addIssue({ code: 'custom', path: [of === 'time' ? 'time_column' : of], message })
  }
  if (it.time_window === undefined || it.time_column !== undefined) return
  issues.addIssue({ code: 'custom', path: ['time_window'], message: 'nothing here without `time_column`' })
}

export function layoutConfig(it: Keys): LayoutConfig {
  return {
    template: it.template,
    timeColumn: it.time_column,
    timeWindow: it.time_window && { pastMs: it.time_window.past, futureMs: it.time_window.future },
    rotateBytes: it.rotate_bytes,
    rotateRecords: it.rotate_records,
    rotateAgeMs: it.rotate_age,
    rotateBytesMin: it.rotate_bytes_min,
    rotateAgeMaxMs: it.rotate_age_max,
    filesPerChunk: it.files_per_chunk,
    filesOpen: it.files_open,
    deadLetters: { ...it.dead_letters, topic: it.dead_letters.topic }
  }
}

const SEGMENT = String.raw`(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._=-]|\{[^{}/]+\})+`
const TEMPLATE = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`)
