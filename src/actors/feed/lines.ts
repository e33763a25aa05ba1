import type { FeedLine } from './feed.ts'

/**
 * Cuts a stream of bytes into lines at `\n`, a `\r` before it belonging to the line end. Blank lines are counted and left
 * out. A line that is longer than `lineBytesMax` is given with its first `keptBytes` only, and its whole length.
 */
export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #keptBytes: number
  /** Pieces of the line that has not ended yet. */
  #pieces: Buffer[] = []
  /** Bytes of that line so far, whether kept or not. */
  #open = 0
  #line: number
  #offset: number

  /** @param start the line (from 1) and the byte offset at which the stream begins */
  constructor(options: SplitterOptions, start: { readonly line: number; readonly offset: number }) {
    this.#lineBytesMax = options.lineBytesMax
    this.#keptBytes = options.keptBytes
    this.#line = start.line
    this.#offset = start.offset
  }

  /** The number of the next line that begins, and the offset of its first byte. */
  get next(): { readonly line: number; readonly offset: number } {
    return { line: this.#line, offset: this.#offset }
  }

  /** Bytes held of a line that has not ended yet. */
  get openBytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  /** The lines that end in this piece of the stream. They may be views of it. */
  push(chunk: Buffer): FeedLine[] {
    const lines: FeedLine[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      this.#end(lines, 1)
      start = end + 1
    }
    // What is kept over the next read must not hold on to the whole piece.
    if (start < chunk.length) this.#keep(Buffer.from(chunk.subarray(start)))
    return lines
  }

  /** The last line, when the stream ends without a line end. */
  finish(): FeedLine[] {
    const lines: FeedLine[] = []
    if (this.#open > 0) this.#end(lines, 0)
    return lines
  }

  #keep(piece: Buffer): void {
    this.#open += piece.length
    if (this.#open <= this.#lineBytesMax) {
      this.#pieces.push(piece)
      return
    }
    const kept = Buffer.concat([...this.#pieces, piece]).subarray(0, this.#keptBytes)
    this.#pieces = [Buffer.from(kept)]
  }

  #end(lines: FeedLine[], terminator: number): void {
    const [only, ...more] = this.#pieces
    const whole =
      only === undefined ? Buffer.alloc(0) : more.length === 0 ? only : Buffer.concat(this.#pieces)
    const isWhole = whole.length === this.#open
    const bytes = isWhole && whole.at(-1) === 13 ? whole.subarray(0, -1) : whole
    const length = isWhole ? bytes.length : this.#open
    if (!isBlank(bytes)) lines.push({ bytes, length, line: this.#line, offset: this.#offset })
    this.#line++
    this.#offset += this.#open + terminator
    this.#open = 0
    this.#pieces = []
  }
}

export interface SplitterOptions {
  readonly lineBytesMax: number
  readonly keptBytes: number
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9 && byte !== 13) return false
  return true
}
