import type { TextCodec } from '../../config/types.ts'
import { Fault } from '../../errors.ts'
import type { ColumnSpec } from '../../records/columns.ts'
import { GrowingBytes } from '../../records/growing.ts'
import { Cell, type CellFormat } from './cell.ts'
import { type Compressor, compressor } from './compression.ts'
import type { TableFile } from './table-file.ts'

const BLOCK_BYTES = 1024 * 1024
const BLOCK_BYTES_LIMIT = 2 ** 31 - 1

export interface LineFormat extends CellFormat {
  /** What stands before the cell of a column. */
  readonly before: (name: string, index: number) => string
  readonly end: string
}

/** A file of one line a row, compressed as it grows. */
export class LinesFile implements TableFile {
  readonly extension: string
  readonly columns: readonly Cell[]
  rows = 0
  readonly #compressor: Compressor
  readonly #befores: readonly Buffer[]
  readonly #end: Buffer
  readonly #parts: Buffer[] = []
  readonly #block = new GrowingBytes(4096, BLOCK_BYTES_LIMIT)
  #written = 0
  #finished = false

  constructor(columns: readonly ColumnSpec[], extension: string, codec: TextCodec, format: LineFormat) {
    this.extension = extension
    this.columns = columns.map((spec) => new Cell(spec, format))
    this.#befores = columns.map(({ name }, index) => Buffer.from(format.before(name, index)))
    this.#end = Buffer.from(format.end)
    this.#compressor = compressor(codec)
  }

  get bytes(): number {
    return this.#written + this.#block.length
  }

  /** What it holds in memory, buffers that are not full included. */
  get memoryBytes(): number {
    const cells = this.columns.reduce((sum, { bytes }) => sum + bytes.bytes.length, 0)
    return this.#written + this.#block.bytes.length + cells
  }

  endRow(): void {
    if (this.#finished) throw new Fault('writer-finished', 'a finished file takes no rows')
    const block = this.#block
    for (const [index, cell] of this.columns.entries()) {
      const before = this.#befores[index] as Buffer
      block.append(before, 0, before.length)
      cell.moveTo(block)
    }
    block.append(this.#end, 0, this.#end.length)
    this.rows++
    if (block.length >= BLOCK_BYTES) this.#endBlock()
  }

  finish(): readonly Buffer[] {
    if (this.#finished) throw new Fault('writer-finished', 'a file is finished once')
    if (this.#block.length > 0) this.#endBlock()
    this.#finished = true
    this.#write(this.#compressor.end())
    return this.#parts
  }

  #endBlock(): void {
    this.#write(this.#compressor.block(this.#block.view()))
    this.#block.length = 0
  }

  #write(part: Buffer): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#written += part.length
  }
}
