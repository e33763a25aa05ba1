import { crc32 } from 'node:zlib'
import thrift, {
  type ColumnChunk,
  type LogicalType,
  type PageEncodingStats,
  type Statistics
} from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import util from 'parquetjs-lite/lib/util.js'
import { boundaryOrder, encoding, type PageCodec, pageType } from './format.ts'

const NOTHING = Buffer.alloc(0)

/** The least and the greatest value of a page or a chunk, in PLAIN encoding without a length. */
export interface Bounds {
  readonly min: Buffer
  readonly max: Buffer
  /** Whether it is a value, and not only below, or above, all of them. */
  readonly isMinExact: boolean
  readonly isMaxExact: boolean
}

export type CompareBounds = (left: Buffer, right: Buffer) => number

export function exactBounds(min: Buffer, max: Buffer): Bounds {
  return { min, max, isMinExact: true, isMaxExact: true }
}

export interface DataPage {
  /** Uncompressed: definition levels, if any, and values. */
  readonly body: Buffer
  readonly rows: number
  readonly nulls: number
  readonly encoding: number
  /** Undefined when no value is in the page, or when its values have no bounds: see `ColumnBuilder`. */
  readonly bounds: Bounds | undefined
}

interface FinishedPage {
  readonly bytes: number
  readonly firstRow: number
  readonly page: Omit<DataPage, 'body'>
}

/** A column chunk as it stands in the file, and the indexes that the file keeps apart. */
export interface FinishedChunk {
  readonly parts: readonly Buffer[]
  readonly metadata: ColumnChunk
  readonly columnIndex: Buffer | undefined
  readonly offsetIndex: Buffer
}

export interface ChunkFacts {
  readonly name: string
  readonly physical: number
  readonly logical: LogicalType | undefined
  readonly statistics: Statistics
  readonly compareBounds: CompareBounds
}

/** Gathers the pages of one column in one row group. */
export class ChunkBuilder {
  /** Bytes of the finished pages, headers included. */
  bytes = 0
  rows = 0
  readonly #codec: PageCodec
  readonly #parts: Buffer[] = []
  readonly #pages: FinishedPage[] = []
  readonly #encodings = new Set<number>([encoding.rle])
  #uncompressedBytes = 0
  #dictionary: readonly Buffer[] = []

  constructor(codec: PageCodec) {
    this.#codec = codec
  }

  get pages(): number {
    return this.#pages.length
  }

  addData(page: DataPage): void {
    const header = new thrift.DataPageHeader({
      num_values: page.rows,
      encoding: page.encoding,
      definition_level_encoding: encoding.rle,
      repetition_level_encoding: encoding.rle
    })
    const parts = this.#encode(page.body, pageType.data, { data_page_header: header })
    const { body: _, ...facts } = page
    this.#pages.push({ bytes: lengthOf(parts), firstRow: this.rows, page: facts })
    this.#parts.push(...parts)
    this.#encodings.add(page.encoding)
    this.rows += page.rows
  }

  addDictionary(body: Buffer, values: number): void {
    const header = new thrift.DictionaryPageHeader({ num_values: values, encoding: encoding.plain })
    this.#dictionary = this.#encode(body, pageType.dictionary, { dictionary_page_header: header })
    this.#encodings.add(encoding.plain)
  }

  /** The chunk, to be put at byte `offset` of the file. */
  finish(offset: number, facts: ChunkFacts): FinishedChunk {
    const dataOffset = offset + lengthOf(this.#dictionary)
    const metadata = new thrift.ColumnMetaData({
      type: facts.physical,
      encodings: [...this.#encodings].sort((a, b) => a - b),
      path_in_schema: [facts.name],
      codec: this.#codec.id,
      num_values: this.rows,
      total_uncompressed_size: this.#uncompressedBytes,
      total_compressed_size: this.bytes,
      data_page_offset: dataOffset,
      statistics: facts.statistics,
      encoding_stats: this.#encodingStats()
    })
    if (this.#dictionary.length > 0) metadata.dictionary_page_offset = offset
    return {
      parts: [...this.#dictionary, ...this.#parts],
      metadata: new thrift.ColumnChunk({ file_offset: offset, meta_data: metadata }),
      columnIndex: this.#columnIndex(facts),
      offsetIndex: this.#offsetIndex(dataOffset)
    }
  }

  #encode(body: Buffer, type: number, header: object): Buffer[] {
    const compressed = this.#codec.compress(body)
    const head = util.serializeThrift(
      new thrift.PageHeader({
        type,
        uncompressed_page_size: body.length,
        compressed_page_size: compressed.length,
        crc: crc32(compressed) | 0,
        ...header
      })
    )
    this.bytes += head.length + compressed.length
    this.#uncompressedBytes += head.length + body.length
    return [head, compressed]
  }

  #offsetIndex(dataOffset: number): Buffer {
    let offset = dataOffset
    const locations = this.#pages.map(({ bytes, firstRow }) => {
      const location = { offset, compressed_page_size: bytes, first_row_index: firstRow }
      offset += bytes
      return new thrift.PageLocation(location)
    })
    return util.serializeThrift(new thrift.OffsetIndex({ page_locations: locations }))
  }

  /** Tells readers that prune by dictionary whether it holds all values of the chunk. */
  #encodingStats(): PageEncodingStats[] {
    const counts = new Map<number, number>()
    for (const { page } of this.#pages) counts.set(page.encoding, (counts.get(page.encoding) ?? 0) + 1)
    const data = [...counts].map(([of, count]) => ({ page_type: pageType.data, encoding: of, count }))
    const dictionary = { page_type: pageType.dictionary, encoding: encoding.plain, count: 1 }
    const all = this.#dictionary.length > 0 ? [dictionary, ...data] : data
    return all.map((one) => new thrift.PageEncodingStats(one))
  }

  /**
   * Bounds by page; undefined when a page has values and no bounds. Of a page of nulls the bounds are empty, as the format
   * wants it, at which hyparquet fails if the column is of timestamps: these go without.
   */
  #columnIndex({ logical, compareBounds }: ChunkFacts): Buffer | undefined {
    const pages = this.#pages.map(({ page }) => page)
    const isNull = (page: FinishedPage['page']) => page.nulls === page.rows
    const isTimestamp = Boolean(logical?.TIMESTAMP)
    if (pages.some((page) => page.bounds === undefined && (isTimestamp || !isNull(page)))) {
      return undefined
    }
    const index = new thrift.ColumnIndex({
      null_pages: pages.map(isNull),
      min_values: pages.map(({ bounds }) => bounds?.min ?? NOTHING),
      max_values: pages.map(({ bounds }) => bounds?.max ?? NOTHING),
      boundary_order: orderOf(
        pages.flatMap(({ bounds }) => bounds ?? []),
        compareBounds
      ),
      null_counts: pages.map(({ nulls }) => nulls)
    })
    return util.serializeThrift(index)
  }
}

function orderOf(bounds: readonly Bounds[], compare: CompareBounds): number {
  const follows = (sign: 1 | -1) =>
    bounds.every((own, index) => {
      const previous = bounds[index - 1]
      if (previous === undefined) return true
      return compare(previous.min, own.min) * sign <= 0 && compare(previous.max, own.max) * sign <= 0
    })
  if (follows(1)) return boundaryOrder.ascending
  return follows(-1) ? boundaryOrder.descending : boundaryOrder.unordered
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}
