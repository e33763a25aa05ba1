import thrift from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import { Fault } from '../../errors.ts'
import type { ColumnAppender, ColumnSpec } from '../../records/columns.ts'
import { type Bounds, ChunkBuilder, type FinishedChunk } from './chunk.ts'
import { encoding, type PageCodec, types } from './format.ts'
import { encodeHybrid } from './hybrid.ts'
import { newPageBytes } from './plain.ts'

/** A page has at most so many rows. */
export const PAGE_ROWS = 20_000

/** The values of a page that is being closed. */
export interface PageValues {
  readonly encoding: number
  /** Appended to the definition levels. */
  readonly body: Buffer
  readonly bounds: Bounds | undefined
}

const NO_VALUES: PageValues = { encoding: encoding.plain, body: Buffer.alloc(0), bounds: undefined }

/**
 * One column of the row group that is being built: nulls and pages are the same for all types, values are the
 * subclasses'. Buffers start small and grow with the data, since a sink holds many files open.
 */
export abstract class ColumnBuilder implements ColumnAppender {
  readonly spec: ColumnSpec
  /** Rows appended since the writer began. */
  rows = 0
  /** Rows and nulls of the open page. */
  protected pageRows = 0
  protected pageNulls = 0
  protected chunk: ChunkBuilder
  #present = new Uint8Array(64)
  #chunkNulls = 0
  #chunkBounds: Bounds | undefined
  readonly #codec: PageCodec
  readonly #levels = newPageBytes()

  constructor(spec: ColumnSpec, codec: PageCodec) {
    this.spec = spec
    this.#codec = codec
    this.chunk = new ChunkBuilder(codec)
  }

  /** Bytes this row group holds by now: finished pages, and the open one before compression. */
  get bytes(): number {
    return this.chunk.bytes + this.openBytes()
  }

  appendNull(): void {
    if (!this.spec.nullable) throw new Fault('column-null', `column ${this.spec.name} takes no null`)
    this.pageNulls++
    this.#endValue(0)
  }

  appendBytes(_buffer: Buffer, _start: number, _end: number): void {
    throw this.#wrongType('string')
  }

  appendString(_value: string): void {
    throw this.#wrongType('string')
  }

  appendInt64(_high: number, _low: number): void {
    throw this.#wrongType('int64')
  }

  appendInt64FromDigits(_buffer: Buffer, _start: number, _end: number): boolean {
    throw this.#wrongType('int64')
  }

  appendNumber(_value: number): void {
    throw this.#wrongType('number')
  }

  appendBoolean(_value: boolean): void {
    throw this.#wrongType('boolean')
  }

  /** Ends the column's part of the row group, to be put at byte `offset` of the file, and begins the next. */
  finishChunk(offset: number): FinishedChunk {
    this.closePage()
    const bounds = this.finishValues()
    const statistics = new thrift.Statistics({ null_count: this.#chunkNulls })
    if (bounds !== undefined) {
      statistics.min_value = bounds.min
      statistics.max_value = bounds.max
    }
    const finished = this.chunk.finish(offset, {
      name: this.spec.name,
      physical: types[this.spec.type].physical,
      statistics,
      comparePages: this.compareBounds
    })
    this.chunk = new ChunkBuilder(this.#codec)
    this.#chunkNulls = 0
    this.#chunkBounds = undefined
    return finished
  }

  /** Bytes of the open page's values, and of whatever else waits for the end of the row group. */
  protected abstract openBytes(): number
  /** The values of the open page, at least one; afterwards it is empty. */
  protected abstract takeValues(): PageValues
  /** The order of the bounds that `takeValues` gives; undefined when it gives none. */
  protected abstract readonly compareBounds: ((left: Buffer, right: Buffer) => number) | undefined

  /** Called after the last page of a row group; gives the bounds of all its values. */
  protected finishValues(): Bounds | undefined {
    return this.#chunkBounds
  }

  /** Subclasses call this after each value that is not null. */
  protected endValue(): void {
    this.#endValue(1)
  }

  protected closePage(): void {
    if (this.pageRows === 0) return
    const values = this.pageNulls === this.pageRows ? NO_VALUES : this.takeValues()
    const body = this.spec.nullable ? Buffer.concat([this.#definitionLevels(), values.body]) : values.body
    this.chunk.addData({ ...values, body, rows: this.pageRows, nulls: this.pageNulls })
    this.#widen(values.bounds)
    this.#chunkNulls += this.pageNulls
    this.pageRows = 0
    this.pageNulls = 0
  }

  #widen(bounds: Bounds | undefined): void {
    const [known, compare] = [this.#chunkBounds, this.compareBounds]
    if (bounds === undefined || compare === undefined) return
    this.#chunkBounds = {
      min: known !== undefined && compare(known.min, bounds.min) <= 0 ? known.min : bounds.min,
      max: known !== undefined && compare(known.max, bounds.max) >= 0 ? known.max : bounds.max
    }
  }

  #endValue(present: 0 | 1): void {
    if (this.pageRows === this.#present.length) {
      const larger = new Uint8Array(Math.min(PAGE_ROWS, this.#present.length * 4))
      larger.set(this.#present)
      this.#present = larger
    }
    this.#present[this.pageRows++] = present
    this.rows++
    if (this.pageRows === PAGE_ROWS) this.closePage()
  }

  /** Data page v1: the levels' length as a little-endian int32, then one bit a row. */
  #definitionLevels(): Buffer {
    const levels = this.#levels
    levels.length = 4
    encodeHybrid(this.#present, this.pageRows, 1, levels)
    levels.bytes.writeUInt32LE(levels.length - 4, 0)
    return levels.view()
  }

  #wrongType(given: string): Fault {
    return new Fault('column-type', `column ${this.spec.name} is ${this.spec.type}, not ${given}`)
  }
}
