/** The part of parquetjs-lite in use: Parquet's thrift structures (parquet.thrift) and their compact serialisation. */
declare module 'parquetjs-lite/gen-nodejs/parquet_types.js' {
  export interface Statistics {
    null_count: number
    min?: Buffer
    max?: Buffer
    min_value?: Buffer
    max_value?: Buffer
  }

  export interface DataPageHeader {
    num_values: number
    encoding: number
    definition_level_encoding: number
    repetition_level_encoding: number
  }

  export interface DictionaryPageHeader {
    num_values: number
    encoding: number
  }

  export interface PageHeader {
    type: number
    uncompressed_page_size: number
    compressed_page_size: number
    crc: number
    data_page_header?: DataPageHeader
    dictionary_page_header?: DictionaryPageHeader
  }

  export interface ColumnMetaData {
    type: number
    encodings: number[]
    path_in_schema: string[]
    codec: number
    num_values: number
    total_uncompressed_size: number
    total_compressed_size: number
    data_page_offset: number
    dictionary_page_offset?: number
    statistics: Statistics
    encoding_stats?: PageEncodingStats[]
  }

  export interface PageEncodingStats {
    page_type: number
    encoding: number
    count: number
  }

  export interface ColumnChunk {
    file_offset: number
    meta_data: ColumnMetaData
    offset_index_offset?: number
    offset_index_length?: number
    column_index_offset?: number
    column_index_length?: number
  }

  export interface RowGroup {
    columns: ColumnChunk[]
    total_byte_size: number
    num_rows: number
  }

  export interface PageLocation {
    offset: number
    compressed_page_size: number
    first_row_index: number
  }

  export interface OffsetIndex {
    page_locations: PageLocation[]
  }

  export interface ColumnIndex {
    null_pages: boolean[]
    min_values: Buffer[]
    max_values: Buffer[]
    boundary_order: number
    null_counts: number[]
  }

  export interface TimeUnit {
    MILLIS: object
  }

  export interface LogicalType {
    STRING?: object
    TIMESTAMP?: { isAdjustedToUTC: boolean; unit: TimeUnit }
  }

  export interface SchemaElement {
    name: string
    type?: number
    repetition_type?: number
    num_children?: number
    converted_type?: number
    logicalType?: LogicalType
  }

  export interface KeyValue {
    key: string
    value: string
  }

  export interface ColumnOrder {
    TYPE_ORDER: object
  }

  export interface FileMetaData {
    version: number
    schema: SchemaElement[]
    num_rows: number
    row_groups: RowGroup[]
    key_value_metadata?: KeyValue[]
    created_by: string
    column_orders: ColumnOrder[]
  }

  type Struct<T> = new (fields: T) => T

  const types: {
    readonly ColumnChunk: Struct<ColumnChunk>
    readonly ColumnIndex: Struct<ColumnIndex>
    readonly ColumnMetaData: Struct<ColumnMetaData>
    readonly ColumnOrder: Struct<ColumnOrder>
    readonly DataPageHeader: Struct<DataPageHeader>
    readonly DictionaryPageHeader: Struct<DictionaryPageHeader>
    readonly FileMetaData: Struct<FileMetaData>
    readonly KeyValue: Struct<KeyValue>
    readonly LogicalType: Struct<LogicalType>
    readonly MilliSeconds: new () => object
    readonly OffsetIndex: Struct<OffsetIndex>
    readonly PageEncodingStats: Struct<PageEncodingStats>
    readonly PageHeader: Struct<PageHeader>
    readonly PageLocation: Struct<PageLocation>
    readonly RowGroup: Struct<RowGroup>
    readonly SchemaElement: Struct<SchemaElement>
    readonly Statistics: Struct<Statistics>
    readonly StringType: new () => object
    readonly TimestampType: Struct<{ isAdjustedToUTC: boolean; unit: TimeUnit }>
    readonly TimeUnit: Struct<TimeUnit>
    readonly TypeDefinedOrder: new () => object
  }
  export default types
}

declare module 'parquetjs-lite/lib/util.js' {
  const util: { serializeThrift(struct: object): Buffer }
  export default util
}

/** Its writer, as who knows nothing of Causeway uses it (bench/sink/peers/naive.ts). */
declare module 'parquetjs-lite' {
  export interface Field {
    readonly type: string
    readonly optional?: boolean
    readonly compression?: string
  }

  export interface Writer {
    appendRow(row: object): Promise<void>
    close(): Promise<void>
  }

  const parquet: {
    readonly ParquetSchema: new (fields: Readonly<Record<string, Field>>) => object
    readonly ParquetWriter: { openFile(schema: object, path: string): Promise<Writer> }
  }
  export default parquet
}
