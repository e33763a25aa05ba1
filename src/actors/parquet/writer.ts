import thrift, { type ColumnChunk, type RowGroup } from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import util from 'parquetjs-lite/lib/util.js'
import { Fault } from '../../errors.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { FinishedChunk } from './chunk.ts'
import type { ColumnBuilder } from './column.ts'
import { type PageCodec, type PageCodecName, pageCodecs, repetition, types } from './format.ts'
import { BooleanColumn, Int32Column, Int64Column } from './numbers.ts'
import { StringColumn } from './strings.ts'

const MAGIC = Buffer.from('PAR1')
const ROW_GROUP_BYTES = 64 * 1024 * 1024
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
 * `endRow`. Pages are version 1 and carry CRCs; strings have a dictionary while it pays; chunks have bounds and null
 * counts, and the file has an offset index, and a column index for what is no string and has no page of nulls alone.
 */
export class ParquetWriter implements ColumnSink {
  readonly columns: readonly ColumnBuilder[]
  readonly #options: ParquetOptions
  readonly #rowGroupBytes: number
  readonly #parts: Buffer[] = [MAGIC]
  readonly #rowGroups: RowGroup[] = []
  /** The chunks whose indexes are still to be written. */
  readonly #chunks: FinishedChunk[] = []
  /** Where the next part begins in the file. */
  #offset = MAGIC.length
  #rows = 0
  #groupRows = 0
  #groupBytes = 0
  #finished = false

  constructor(columns: readonly ColumnSpec[], options: ParquetOptions) {
    this.#options = options
    this.#rowGroupBytes = options.rowGroupBytes ?? ROW_GROUP_BYTES
    this.columns = columns.map((spec) => columnFor(spec, pageCodecs[options.codec]))
  }

  get rows(): number {
    return this.#rows
  }

  /** About what the file would have if it were finished now, more while pages wait for their compression. */
  get bytes(): number {
    return this.#offset + this.#groupBytes
  }

  /** Call once every column has its value; throws `row-incomplete` when one has not. */
  endRow(): void {
    if (this.#finished) throw new Fault('writer-finished', 'a finished Parquet file takes no rows')
    this.#rows++
    this.#groupRows++
    let bytes = 0
    for (const column of this.columns) {
      if (column.rows !== this.#rows) {
        throw new Fault(
          'row-incomplete',
          `column ${column.spec.name} has ${column.rows} values in ${this.#rows} rows`
        )
      }
      bytes += column.bytes
    }
    this.#groupBytes = bytes
    if (bytes >= this.#rowGroupBytes) this.#endRowGroup()
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
    this.#groupBytes = 0
  }

  #footer(): Buffer {
    const specs = this.columns.map(({ spec }) => spec)
    const metadata = new thrift.FileMetaData({
      version: 1,
      schema: [
        new thrift.SchemaElement({ name: 'schema', num_children: specs.length }),
        ...specs.map(schemaElement)
      ],
      num_rows: this.#rows,
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

function columnFor(spec: ColumnSpec, codec: PageCodec): ColumnBuilder {
  switch (spec.type) {
    case 'string':
      return new StringColumn(spec, codec)
    case 'int32':
      return new Int32Column(spec, codec)
    case 'int64':
    case 'timestamp':
      return new Int64Column(spec, codec)
    case 'boolean':
      return new BooleanColumn(spec, codec)
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
