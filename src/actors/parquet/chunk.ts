import { crc32 } from 'node:zlib'
import thrift, { type ColumnChunk, type Statistics } from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import util from 'parquetjs-lite/lib/util.js'
import { boundaryOrder, encoding, type PageCodec, pageType } from './format.ts'

/** The least and the greatest value of a page or a chunk, in PLAIN encoding without a length. */
export interface Bounds {
  readonly min: Buffer
  readonly max: Buffer
}

export interface DataPage {
  /** Uncompressed: definition levels, if any, and values. */
  readonly body: Buffer
  readonly rows: number
  readonly nulls: number
  readonly encoding: number
  /** Undefined when no value is in the page, or when bounds are not kept by page. */
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
  readonly statistics: Statistics
  readonly comparePages: ((left: Buffer, right: Buffer) => number) | undefined
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
      statistics: facts.statistics
    })
    if (this.#dictionary.length > 0) metadata.dictionary_page_offset = offset
    return {
      parts: [...this.#dictionary, ...this.#parts],
      metadata: new thrift.ColumnChunk({ file_offset: offset, meta_data: metadata }),
      columnIndex: facts.comparePages && this.#columnIndex(facts.comparePages),
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

  /**
   * Bounds by page; undefined when a page has none. The format would have empty bounds for a page of nulls, at which
   * hyparquet fails, so a column with such a page goes without.
   */
  #columnIndex(compare: (left: Buffer, right: Buffer) => number): Buffer | undefined {
    const pages = this.#pages.map(({ page }) => page)
    const bounds = pages.flatMap((page) => page.bounds ?? [])
    if (bounds.length < pages.length) return undefined
    const rising = bounds.every((own, index) => {
      const previous = bounds[index - 1]
      return !previous || (compare(previous.min, own.min) <= 0 && compare(previous.max, own.max) <= 0)
    })
    const index = new thrift.ColumnIndex({
      null_pages: pages.map(() => false),
      min_values: bounds.map(({ min }) => min),
      max_values: bounds.map(({ max }) => max),
      boundary_order: rising ? boundaryOrder.ascending : boundaryOrder.unordered,
      null_counts: pages.map(({ nulls }) => nulls)
    })
    return util.serializeThrift(index)
  }
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}
