import type { Bounds } from './chunk.ts'
import { ColumnBuilder, type PageValues } from './column.ts'
import { encoding } from './format.ts'
import { encodeHybrid, widthOf } from './hybrid.ts'
import { NumberDictionary } from './number-dictionary.ts'
import { scratch } from './scratch.ts'

const DICTIONARY_BYTES_MAX = 1024 * 1024
/** A page's indexes and the new entries of the dictionary, against its plain values. */
const DICTIONARY_SHARE_MAX = 0.9

/**
 * A column of fixed width. Values are kept in an array whose bytes are the page, which is right on the little-endian machines
 * that Node is built for (x64, arm64). Whether a dictionary pays is known when a page is full: from the first page for which
 * it does not, the row group's pages are plain.
 */
export abstract class FixedColumn extends ColumnBuilder {
  /** 32-bit words of a value. */
  protected abstract readonly words: 1 | 2
  protected values: Int32Array = new Int32Array(32)
  /** Words in use. */
  #used = 0
  #dictionary: NumberDictionary | undefined
  #isPlain = false

  /** Where the next value goes, whose words are to be set. */
  protected room(): number {
    const at = this.#used
    this.#used += this.words
    if (this.#used > this.values.length) {
      const larger = new Int32Array(this.values.length * 2)
      larger.set(this.values)
      this.values = larger
    }
    return at
  }

  /** Of the open page, at least one value being there. */
  protected abstract boundsOfPage(): Bounds | undefined

  /** The bytes of the value that begins at a word. */
  protected bytesAt(at: number): Buffer {
    return Buffer.from(this.#view(at, at + this.words))
  }

  protected override openBytes(): number {
    return this.#used * 4 + (this.#dictionary?.page.length ?? 0)
  }

  protected override heldBytes(): number {
    return this.values.byteLength + (this.#dictionary?.bytes ?? 0)
  }

  protected override takeValues(): PageValues {
    const bounds = this.boundsOfPage()
    const indexes = this.#isPlain ? undefined : this.#indexes()
    const values = this.#view(0, this.#used)
    this.#used = 0
    if (indexes !== undefined) return { encoding: encoding.rleDictionary, body: indexes, bounds }
    return { encoding: encoding.plain, body: values, bounds }
  }

  protected override finishValues(): void {
    if (this.#dictionary !== undefined && this.#dictionary.size > 0) {
      this.chunk.addDictionary(this.#dictionary.page, this.#dictionary.size)
    }
    this.#dictionary = undefined
    this.#isPlain = false
  }

  /** The page as indexes, when that pays. */
  #indexes(): Buffer | undefined {
    this.#dictionary ??= new NumberDictionary(this.words)
    const dictionary = this.#dictionary
    const before = dictionary.size
    const count = this.#used / this.words
    if (dictionary.index(this.values, count, scratch.indexes)) {
      const { packed } = scratch
      const width = widthOf(dictionary.size)
      packed.room(1)[0] = width
      packed.length = 1
      encodeHybrid(scratch.indexes, count, width, packed)
      const added = (dictionary.size - before) * this.words * 4
      if (packed.length + added < this.#used * 4 * DICTIONARY_SHARE_MAX) {
        this.#isPlain = dictionary.page.length > DICTIONARY_BYTES_MAX
        return packed.view()
      }
    }
    this.#isPlain = true
    dictionary.size = before
    return undefined
  }

  #view(start: number, end: number): Buffer {
    return Buffer.from(this.values.buffer, this.values.byteOffset + start * 4, (end - start) * 4)
  }
}
