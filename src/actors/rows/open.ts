import type { ColumnConfig, RowsConfig, ValuesConfig } from '../../config.ts'
import type { ColumnSpec, ColumnType } from '../../records/columns.ts'
import { CsvRow, fieldOf } from '../../records/csv-columns.ts'
import { compileFilter } from '../../records/filter.ts'
import { JsonColumns, JsonRow } from '../../records/json-columns.ts'
import { lineageColumns } from '../../records/lineage-columns.ts'
import { rawColumns } from '../../records/raw-columns.ts'
import { tweetColumns } from '../../records/tweet.ts'
import { AvroRow } from './avro.ts'
import type { RowDecoder, RowSource } from './decoder.ts'
import { LineageDecoder } from './lineage.ts'
import { RawDecoder } from './raw.ts'
import { avroPayloads, jsonPayloads, RegisteredDecoder } from './registered.ts'
import { Registry } from './registry.ts'
import { SelectDecoder, selected } from './select.ts'
import { TweetDecoder } from './tweet.ts'
import { ValueDecoder } from './value.ts'
import { WhereDecoder } from './where.ts'

/** The columns of the sink's files, in order. */
export function sinkColumns({ preset, values, select, lineage }: RowsConfig): readonly ColumnSpec[] {
  const columns = values?.columns.map(specOf) ?? (preset === 'raw' ? rawColumns : tweetColumns)
  const kept = (select === undefined ? columns : selected(columns, select)).map(
    ({ name, type, nullable }) => ({
      ...{ name, type, nullable }
    })
  )
  return lineage ? [...kept, ...lineageColumns] : kept
}

/** What besides the columns decides which rows come of which records: two sinks of one identity make the same rows. */
export function rowsIdentity({ preset, values, where, select, lineage }: RowsConfig): object {
  if (values === undefined) return { preset, lineage, where, select }
  const { columns, format } = values
  const csv = values.format === 'csv' ? { delimiter: values.delimiter, header: values.header } : undefined
  return { format, columns, csv, lineage, where, select }
}

/** Makes the decoders of a sink, one for the records of each chain. */
export function openDecoders(config: RowsConfig): (source: RowSource) => RowDecoder {
  const { values, preset, lineage, where, select } = config
  const open = values === undefined ? () => presets[preset]() : valueDecoders(values)
  const filter = where === undefined ? undefined : compileFilter(where)
  return (source) => {
    let rows: RowDecoder = open()
    if (filter !== undefined) rows = new WhereDecoder(rows, filter, source)
    if (select !== undefined) rows = new SelectDecoder(rows, select)
    return lineage ? new LineageDecoder(rows, source) : rows
  }
}

const presets = { tweet: () => new TweetDecoder(), raw: () => new RawDecoder() } as const

function valueDecoders(values: ValuesConfig): () => RowDecoder {
  const columns = values.columns.map((column) => ({
    ...column,
    ...specOf(column),
    asJson: column.type === 'json'
  }))
  switch (values.format) {
    case 'json': {
      const json = new JsonColumns(columns)
      return () => new ValueDecoder(new JsonRow(json))
    }
    case 'csv': {
      const { delimiter, header } = values
      const fields = columns.map((column) => ({ ...column, field: fieldOf(column.pointer, header) }))
      const options = header === undefined ? { delimiter } : { delimiter, width: header.length }
      return () => new ValueDecoder(new CsvRow(fields, options))
    }
    case 'avro': {
      const registry = new Registry(values.registry)
      return () => new RegisteredDecoder(avroPayloads(new AvroRow(columns)), registry)
    }
    case 'json-schema': {
      const registry = new Registry(values.registry)
      const json = new JsonColumns(columns)
      return () => new RegisteredDecoder(jsonPayloads(new JsonRow(json)), registry)
    }
  }
}

function specOf({ name, type, nullable }: ColumnConfig): ColumnSpec {
  const stored: ColumnType = type === 'json' ? 'string' : type
  return { name, type: stored, nullable }
}
