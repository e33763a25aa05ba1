import type { HdfsStoreConfig, HiveConfig, HiveTimestamps, SinkConfig } from '../../config.ts'
import { Fault } from '../../errors.ts'
import type { ColumnSpec } from '../../records/columns.ts'
import { sinkDataPrefix } from '../store/names.ts'

/** The external table over the files of one sink. Names are lower-case, as Hive keeps them. */
export interface HiveTable {
  readonly database: string
  readonly table: string
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly columns: readonly HiveColumn[]
  /** The directories of the template that differ between rows, in order, each a column of type STRING. */
  readonly partitionColumns: readonly string[]
  /** The directory above all that differ. */
  readonly location: string
  /** The directory of a data file as a partition; `undefined` for a file that another template placed. */
  readonly partitionOf: (path: string) => HivePartition | undefined
}

export interface HiveColumn {
  readonly name: string
  /** As `DESCRIBE` tells it: lower-case. */
  readonly type: string
}

/** One directory of data files. A location of its own makes it independent of how Hive would name it. */
export interface HivePartition {
  /** Of the table's partition columns, in order; as the path has them, encoded. */
  readonly values: readonly string[]
  readonly location: string
}

export interface HiveTableOptions {
  readonly hive: Pick<HiveConfig, 'database' | 'table' | 'timestamps' | 'fileSystem'>
  readonly sink: string
  readonly template: SinkConfig['template']
  readonly columns: readonly ColumnSpec[]
  readonly store: Pick<HdfsStoreConfig, 'path'>
}

/**
 * What the table has to be. Each directory of the template that has a field is a partition column: `dt={date}` is `dt`,
 * a bare `{topic}` is `topic`. A column of the files with such a name is left out, because Hive has one namespace for
 * both. Throws `config-invalid` for names that Hive 4.0 cannot hold, or reads wrongly.
 */
export function hiveTable({ hive, sink, template, columns, store }: HiveTableOptions): HiveTable {
  const data = sinkDataPrefix(sink)
  const root = `${hive.fileSystem ?? ''}${store.path === '/' ? '' : store.path}/`
  const segments = template.split('/').map(segmentOf)
  const partitionColumns = segments.flatMap(({ column }) => column ?? [])
  const kept = columns
    .map(({ name, type }) => ({ name: name.toLowerCase(), type: typeOf(type, hive.timestamps) }))
    .filter(({ name }) => !partitionColumns.includes(name))
  checkNames([...kept.map(({ name }) => name), ...partitionColumns])
  const varying = segments.findIndex(({ column }) => column !== undefined)
  const fixed = template.split('/').slice(0, varying === -1 ? undefined : varying)
  return {
    database: hive.database.toLowerCase(),
    table: hive.table.toLowerCase(),
    sink,
    columns: kept,
    partitionColumns,
    location: root + [data.slice(0, -1), ...fixed].join('/'),
    partitionOf: (path) => {
      const values = path.startsWith(data) ? valuesOf(path.slice(data.length), segments) : undefined
      return values && { values, location: root + path.slice(0, path.lastIndexOf('/')) }
    }
  }
}

/** A directory of the template. */
interface Segment {
  /** What stands before the value: `dt=`, or the whole directory where it has no field. */
  readonly fixed: string
  /** The partition column; `undefined` where nothing differs. */
  readonly column: string | undefined
}

const FIELD = /\{([^{}]*)\}/g

function segmentOf(segment: string): Segment {
  const named = /^([^{}=]+)=(.*\{.*)$/.exec(segment)
  if (named) return { fixed: `${named[1]}=`, column: named[1]?.toLowerCase() }
  const fields = [...segment.matchAll(FIELD)].map(([, field]) => field)
  if (fields.length === 0) return { fixed: segment, column: undefined }
  return { fixed: '', column: fields.join('_').toLowerCase() }
}

function valuesOf(path: string, segments: readonly Segment[]): readonly string[] | undefined {
  const directories = path.split('/').slice(0, -1)
  const fits = ({ fixed, column }: Segment, index: number) =>
    column === undefined ? directories[index] === fixed : directories[index]?.startsWith(fixed)
  if (directories.length !== segments.length || !segments.every(fits)) return undefined
  return segments.flatMap(({ fixed, column }, index) =>
    column === undefined ? [] : [directories[index]?.slice(fixed.length) ?? '']
  )
}

const types: Readonly<Record<string, string>> = {
  int64: 'bigint',
  int32: 'int',
  string: 'string',
  boolean: 'boolean',
  double: 'double',
  binary: 'binary'
}

/**
 * Hive 4.0 reads the INT64 of a Parquet instant as TIMESTAMP, shown in the time zone of the machine that reads, or as
 * BIGINT, which is the same everywhere.
 */
function typeOf(type: string, timestamps: HiveTimestamps): string {
  const found = type === 'timestamp' ? timestamps : types[type]
  if (found !== undefined) return found
  throw new Fault('config-invalid', `Hive has no type for columns of type ${type}`)
}

/**
 * What Hive refuses in a name, or accepts and then cannot read from Parquet: it writes names into a schema's text, and
 * takes dots and colons for paths. `$` begins a variable.
 */
const UNUSABLE = /[\s;{}()=,.:`'"\\$]|^$/

function checkNames(names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    const invalid = (why: string) => new Fault('config-invalid', `column ${JSON.stringify(name)}: ${why}`)
    if (UNUSABLE.test(name)) throw invalid('Hive cannot read a column of this name')
    if (names.indexOf(name) !== index) throw invalid('Hive has one column of a name, and knows no case')
  }
}
