import type { ColumnSpec, ColumnType } from './columns.ts'

/** Stands where a row has no value. */
export const NULL = '__null'

const FIELD = /\{([^{}/]*)\}/g
const OF_SOURCE = new Set(['topic', 'partition'])
const OF_TIME = new Set(['date', 'hour'])
/** Types whose values name directories. */
const NAMING: ReadonlySet<ColumnType> = new Set(['string', 'int32', 'int64', 'boolean', 'timestamp'])

/** What is wrong with directories: with the template, or with the column of its time. */
export interface DirectoryFault {
  readonly of: 'template' | 'time'
  /** What there may be in its place. */
  readonly allowed: string
  /** The column that is not there, and those that could be. */
  readonly column?: { readonly given: string; readonly known: readonly string[] }
}

/**
 * Every directory that the template can give must be made of columns that are there, stay below its prefix, and be
 * visible: Hive and Spark pass over names that begin with `_` or `.`, which `__null` does.
 *
 * @param timeColumn of `{date}` and `{hour}`; undefined: the Kafka timestamp, which every record has
 */
export function* checkDirectories(
  template: string,
  timeColumn: string | undefined,
  columns: readonly Pick<ColumnSpec, 'name' | 'type'>[]
): Iterable<DirectoryFault> {
  for (const segment of template.replace(FIELD, 'x').split('/')) {
    if (/^[A-Za-z0-9=-][A-Za-z0-9=._-]*$/.test(segment)) continue
    yield {
      of: 'template',
      allowed: 'directories of plain ASCII, none of them empty or hidden by "." or "_"'
    }
  }
  const naming = columns.filter(({ type }) => NAMING.has(type)).map(({ name }) => name)
  for (const given of columnsOf(template)) {
    if (naming.includes(given)) continue
    const allowed = `{topic}, {partition}, {date}, {hour} and columns that can name a directory, which "${given}" is not`
    yield { of: 'template', allowed, column: { given, known: naming } }
  }
  for (const [, field = ''] of template.matchAll(/(?:^|\/)\{([^{}/]*)\}/g)) {
    if (OF_SOURCE.has(field) || (OF_TIME.has(field) && timeColumn === undefined)) continue
    yield { of: 'template', allowed: `"${field}={${field}}", as a directory must not begin with ${NULL}` }
  }
  const times = columns.filter(({ type }) => type === 'timestamp').map(({ name }) => name)
  if (timeColumn === undefined || times.includes(timeColumn)) return
  yield { of: 'time', allowed: 'a column of type timestamp', column: { given: timeColumn, known: times } }
}

/** The columns that a template names, each once, in order. */
export function columnsOf(template: string): string[] {
  const fields = [...template.matchAll(FIELD)].map(([, field = '']) => field)
  return [...new Set(fields)].filter((field) => !OF_SOURCE.has(field) && !OF_TIME.has(field))
}
