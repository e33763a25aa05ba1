import thrift, { type ColumnChunk, type RowGroup } from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import util from 'parquetjs-lite/lib/util.js'
import { Fault } from '../../errors.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { FinishedChunk } from './chunk.ts'
import type { ColumnBuilder, Table } from './column.ts'
import { type PageCodecName, pageCodecs, repetition, types } from './format.ts'
import { BooleanColumn, DoubleColumn, Int32Column, Int64Column } from './numbers.ts'
import { StringColumn } from './strings.ts'

const MAGIC = Buffer.from('PAR1')
const ROW_GROUP_BYTES = 64 * 1024 * 1024
/** Smaller row groups are counted after each row, others when a page is closed, which is at most some MiB later. */
const COUNTED_BYTES = 1024 * 1024
/** Name and version as parquet-mr parses them. */
const CREATED_BY = 'causeway version 0.1.0'

export interface ParquetOptions {
  readonly codec: PageCodecName
  /** A row group ends when it holds so many bytes, pages compressed. */
  readonly rowGroupBytes?: number
  readonly createdBy?: string
  /** Kept in the footer, for whoever reads it. */
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * A Parquet file of flat columns, built in memory from column values: for each row one append on every column, then
 * `endRow`. Pages are version 1 and carry CRCs; columns have a dictionary while it pays; chunks have bounds and null
 * counts, and the file has an offset and a column index.
 */
export class ParquetWriter implements ColumnSink {
  readonly extension = 'parquet'
  readonly columns: readonly ColumnBuilder[]
  readonly #options: ParquetOptions
  readonly #rowGroupBytes: number
  readonly #parts: Buffer[] = [MAGIC]
  readonly #rowGroups: RowGroup[] = []
  /** The chunks whose indexes are still to be written. */
  readonly #chunks: FinishedChunk[] = []
  /** Where the next part begins in the file. */
  #offset = MAGIC.length
  readonly #table: Table
  #groupRows = 0
  /** Of `table.pages`, when the row group's bytes were last counted. */
  #pages = 0
  #finished = false

  constructor(columns: readonly ColumnSpec[], options: ParquetOptions) {
    this.#options = options
    this.#rowGroupBytes = options.rowGroupBytes ?? ROW_GROUP_BYTES
    const table = { codec: pageCodecs[options.codec], rows: 0, values: 0, pages: 0 }
    this.#table = table
    this.columns = columns.map((spec) => columnFor(spec, table))
  }

  get rows(): number {
    return this.#table.rows
  }

  /** About what the file would have if it were finished now, more while pages wait for their compression. */
  get bytes(): number {
    return this.#offset + this.#groupBytes()
  }

  /** What it holds in memory, buffers that are not full included. */
  get memoryBytes(): number {
    return this.columns.reduce((sum, column) => sum + column.memoryBytes, this.#offset)
  }

  /** Call once every column has its value; throws `row-incomplete` when one has not. */
  endRow(): void {
    if (this.#finished) throw new Fault('writer-finished', 'a finished Parquet file takes no rows')
    const table = this.#table
    table.rows++
    this.#groupRows++
    // No column takes two values in a row, so each has one when there are as many.
    if (table.values !== table.rows * this.columns.length) {
      throw new Fault('row-incomplete', `row ${table.rows} has no value for some column`)
    }
    if (table.pages === this.#pages && this.#rowGroupBytes >= COUNTED_BYTES) return
    this.#pages = table.pages
    if (this.#groupBytes() >= this.#rowGroupBytes) this.#endRowGroup()
  }

  /** The whole file, in parts to be written one after another. The writer is of no use afterwards. */
  finish(): Buffer[] {
    if (this.#finished) throw new Fault('writer-finished', 'a Parquet file is finished once')
    this.#endRowGroup()
    this.#finished = true
    for (const { metadata, columnIndex } of this.#chunks) {
      if (columnIndex === undefined) continue
      metadata.column_index_offset = this.#offset
      metadata.column_index_length = columnIndex.length
      this.#write(columnIndex)
    }
    for (const { metadata, offsetIndex } of this.#chunks) {
      metadata.offset_index_offset = this.#offset
      metadata.offset_index_length = offsetIndex.length
      this.#write(offsetIndex)
    }
    const footer = this.#footer()
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    for (const part of [footer, length, MAGIC]) this.#write(part)
    return this.#parts
  }

  #endRowGroup(): void {
    if (this.#groupRows === 0) return
    const columns: ColumnChunk[] = []
    let bytes = 0
    for (const column of this.columns) {
      const chunk = column.finishChunk(this.#offset)
      for (const part of chunk.parts) this.#write(part)
      columns.push(chunk.metadata)
      bytes += chunk.metadata.meta_data.total_uncompressed_size
      this.#chunks.push(chunk)
    }
    this.#rowGroups.push(new thrift.RowGroup({ columns, total_byte_size: bytes, num_rows: this.#groupRows }))
    this.#groupRows = 0
  }

  #groupBytes(): number {
    return this.columns.reduce((sum, column) => sum + column.bytes, 0)
  }

  #footer(): Buffer {
    const specs = this.columns.map(({ spec }) => spec)
    const metadata = new thrift.FileMetaData({
      version: 1,
      schema: [
        new thrift.SchemaElement({ name: 'schema', num_children: specs.length }),
        ...specs.map(schemaElement)
      ],
      num_rows: this.#table.rows,
      row_groups: this.#rowGroups,
      created_by: this.#options.createdBy ?? CREATED_BY,
      column_orders: specs.map(() => new thrift.ColumnOrder({ TYPE_ORDER: new thrift.TypeDefinedOrder() }))
    })
    const entries = Object.entries(this.#options.metadata ?? {})
    if (entries.length > 0) {
      metadata.key_value_metadata = entries.map(([key, value]) => new thrift.KeyValue({ key, value }))
    }
    return util.serializeThrift(metadata)
  }

  #write(part: Buffer): void {
    this.#parts.push(part)
    this.#offset += part.length
  }
}

function columnFor(spec: ColumnSpec, table: Table): ColumnBuilder {
  switch (spec.type) {
    case 'string':
    case 'binary':
      return new StringColumn(spec, table)
    case 'int32':
      return new Int32Column(spec, table)
    case 'int64':
    case 'timestamp':
      return new Int64Column(spec, table)
    case 'double':
      return new DoubleColumn(spec, table)
    case 'boolean':
      return new BooleanColumn(spec, table)
  }
}

function schemaElement({ name, type, nullable }: ColumnSpec) {
  const { physical, converted, logical } = types[type]
  return new thrift.SchemaElement({
    name,
    type: physical,
    repetition_type: nullable ? repetition.optional : repetition.required,
    ...(converted === undefined ? {} : { converted_type: converted }),
    ...(logical === undefined ? {} : { logicalType: logical })
  })
}
