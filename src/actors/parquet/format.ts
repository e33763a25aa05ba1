import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import thrift, { type ColumnMetaData, type LogicalType } from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import type { ColumnType } from '../../records/columns.ts'
import { compressRaw } from '../../records/snappy.ts'

/** Numbers and names of the Parquet format (parquet.thrift) as far as flat columns need them. */

export const encoding = { plain: 0, rle: 3, rleDictionary: 8 } as const
export const pageType = { data: 0, dictionary: 2 } as const
export const repetition = { required: 0, optional: 1 } as const
export const boundaryOrder = { unordered: 0, ascending: 1, descending: 2 } as const

/** A page has at most so many rows. */
export const PAGE_ROWS = 20_000

export interface PhysicalType {
  readonly physical: ColumnMetaData['type']
  readonly converted?: number
  readonly logical?: LogicalType
}

const millis = new thrift.TimeUnit({ MILLIS: new thrift.MilliSeconds() })

export const types: Readonly<Record<ColumnType, PhysicalType>> = {
  boolean: { physical: 0 },
  int32: { physical: 1 },
  int64: { physical: 2 },
  double: { physical: 5 },
  binary: { physical: 6 },
  string: { physical: 6, converted: 0, logical: new thrift.LogicalType({ STRING: new thrift.StringType() }) },
  timestamp: {
    physical: 2,
    converted: 9,
    logical: new thrift.LogicalType({
      TIMESTAMP: new thrift.TimestampType({ isAdjustedToUTC: true, unit: millis })
    })
  }
}

export type PageCodecName = 'none' | 'snappy' | 'gzip' | 'zstd'

export interface PageCodec {
  readonly id: number
  /** The result shares no memory with the page. */
  readonly compress: (page: Buffer) => Buffer
}

const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }

export const pageCodecs: Readonly<Record<PageCodecName, PageCodec>> = {
  none: { id: 0, compress: (page) => Buffer.from(page) },
  snappy: { id: 1, compress: compressRaw },
  gzip: { id: 2, compress: (page) => gzipSync(page) },
  zstd: { id: 6, compress: (page) => zstdCompressSync(page, zstdOptions) }
}
