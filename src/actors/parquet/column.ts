import { Fault } from '../../errors.ts'
import type { ColumnAppender, ColumnSpec } from '../../records/columns.ts'
import { type Bounds, ChunkBuilder, type CompareBounds, type FinishedChunk } from './chunk.ts'
import { encoding, PAGE_ROWS, type PageCodec, types } from './format.ts'
import { encodeHybrid } from './hybrid.ts'
import { scratch } from './scratch.ts'
import { chunkStatistics } from './statistics.ts'

/** What the columns of a file have in common. */
export interface Table {
  readonly codec: PageCodec
  /** Rows that have ended. */
  rows: number
  /** Values of all columns in all rows. */
  values: number
  /** Pages that were closed. */
  pages: number
}

/** The values of a page that is being closed. */
export interface PageValues {
  readonly encoding: number
  /** Appended to the definition levels. */
  readonly body: Buffer
  /** Undefined when nothing true can be said of them. */
  readonly bounds: Bounds | undefined
}

const NO_VALUES: PageValues = { encoding: encoding.plain, body: Buffer.alloc(0), bounds: undefined }

/**
 * One column of the row group that is being built: nulls and pages are the same for all types, values are the
 * subclasses'. Buffers start small and grow with the data, since a sink holds many files open.
 *
 * A chunk has bounds when all its pages with values have.
 */
export abstract class ColumnBuilder implements ColumnAppender {
  readonly spec: ColumnSpec
  /** Rows and nulls of the open page. */
  protected pageRows = 0
  protected pageNulls = 0
  protected chunk: ChunkBuilder
  #rows = 0
  #present = new Uint8Array(64)
  #chunkNulls = 0
  #chunkBounds: Bounds | undefined
  #isBounded = true
  readonly #table: Table

  constructor(spec: ColumnSpec, table: Table) {
    this.spec = spec
    this.#table = table
    this.chunk = new ChunkBuilder(table.codec)
  }

  /** Bytes this row group holds by now: finished pages, and the open one before compression. */
  get bytes(): number {
    return this.chunk.bytes + this.openBytes()
  }

  /** Bytes of all its buffers. */
  get memoryBytes(): number {
    return this.chunk.bytes + this.heldBytes() + this.#present.length
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
    this.finishValues()
    const bounds = this.#isBounded ? this.#chunkBounds : undefined
    const finished = this.chunk.finish(offset, {
      name: this.spec.name,
      physical: types[this.spec.type].physical,
      logical: types[this.spec.type].logical,
      statistics: chunkStatistics(this.#chunkNulls, bounds),
      compareBounds: this.compareBounds
    })
    this.chunk = new ChunkBuilder(this.#table.codec)
    this.#chunkNulls = 0
    this.#chunkBounds = undefined
    this.#isBounded = true
    return finished
  }

  /** Bytes of the open page's values, and of whatever else waits for the end of the row group. */
  protected abstract openBytes(): number
  /** Bytes of the buffers for that, used or not. */
  protected abstract heldBytes(): number
  /** The values of the open page, at least one; afterwards it is empty. */
  protected abstract takeValues(): PageValues
  protected abstract readonly compareBounds: CompareBounds

  /** Called after the last page of a row group. */
  protected finishValues(): void {}

  /** Subclasses call this after each value that is not null. */
  protected endValue(): void {
    this.#endValue(1)
  }

  protected closePage(): void {
    if (this.pageRows === 0) return
    const isNull = this.pageNulls === this.pageRows
    const values = isNull ? NO_VALUES : this.takeValues()
    const body = this.spec.nullable ? Buffer.concat([this.#definitionLevels(), values.body]) : values.body
    this.chunk.addData({ ...values, body, rows: this.pageRows, nulls: this.pageNulls })
    if (values.bounds !== undefined) this.#widen(values.bounds)
    else if (!isNull) this.#isBounded = false
    this.#chunkNulls += this.pageNulls
    this.pageRows = 0
    this.pageNulls = 0
    this.#table.pages++
  }

  #widen(bounds: Bounds): void {
    const [known, compare] = [this.#chunkBounds, this.compareBounds]
    const least = known !== undefined && compare(known.min, bounds.min) <= 0 ? known : bounds
    const greatest = known !== undefined && compare(known.max, bounds.max) >= 0 ? known : bounds
    this.#chunkBounds = {
      ...{ min: least.min, isMinExact: least.isMinExact },
      ...{ max: greatest.max, isMaxExact: greatest.isMaxExact }
    }
  }

  #endValue(present: 0 | 1): void {
    const table = this.#table
    if (this.#rows++ !== table.rows) {
      throw new Fault('row-incomplete', `column ${this.spec.name} has two values in a row`)
    }
    table.values++
    if (this.pageRows === this.#present.length) {
      const larger = new Uint8Array(Math.min(PAGE_ROWS, this.#present.length * 4))
      larger.set(this.#present)
      this.#present = larger
    }
    this.#present[this.pageRows++] = present
    if (this.pageRows === PAGE_ROWS) this.closePage()
  }

  /** Data page v1: the levels' length as a little-endian int32, then one bit a row. */
  #definitionLevels(): Buffer {
    const { levels } = scratch
    levels.length = 4
    encodeHybrid(this.#present, this.pageRows, 1, levels)
    levels.bytes.writeUInt32LE(levels.length - 4, 0)
    return levels.view()
  }

  #wrongType(given: string): Fault {
    return new Fault('column-type', `column ${this.spec.name} is ${this.spec.type}, not ${given}`)
  }
}
