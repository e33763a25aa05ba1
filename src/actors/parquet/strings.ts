// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the number of values
import type { Bounds } from './chunk.ts'
import { ColumnBuilder, type PageValues } from './column.ts'
import { Dictionary } from './dictionary.ts'
import { encoding } from './format.ts'
import { encodeHybrid } from './hybrid.ts'
import { appendByteArray, newPageBytes } from './plain.ts'
import { StringBounds } from './string-bounds.ts'

/** A page is closed when its values have so many bytes; one value may have more. */
const PAGE_BYTES = 1024 * 1024
const DICTIONARY_BYTES_MAX = 1024 * 1024
/** After so many values a dictionary must have paid: not more than half of them distinct. */
const TRIAL_VALUES = 1000
const DISTINCT_MAX = 0.5

/**
 * Strings begin each row group as indexes into a dictionary and fall back to plain values when that does not pay. Plain
 * from the start of a chunk, if no page has been closed by then; else the pages before keep their dictionary.
 */
export class StringColumn extends ColumnBuilder {
  protected override readonly compareBounds = undefined
  #dictionary: Dictionary | undefined = new Dictionary()
  #isPlain = false
  /** Values of the open page: indexes, or themselves. */
  #indexes = new Uint32Array(64)
  #count = 0
  readonly #plain = newPageBytes()
  readonly #packed = newPageBytes()
  /** Values of this row group while it uses a dictionary. */
  #seen = 0
  readonly #bounds = new StringBounds()
  #lastString = ''
  #lastBytes = Buffer.alloc(0)

  override appendBytes(buffer: Buffer, start: number, end: number): void {
    if (!this.#isPlain && this.#addIndex(buffer, start, end)) {
      this.endValue()
      if (!this.#dictionaryPays()) this.#leaveDictionary()
    } else {
      this.#addPlain(buffer, start, end)
      this.endValue()
      if (this.#plain.length > PAGE_BYTES) this.closePage()
    }
  }

  override appendString(value: string): void {
    if (value !== this.#lastString) {
      this.#lastString = value
      this.#lastBytes = Buffer.from(value)
    }
    this.appendBytes(this.#lastBytes, 0, this.#lastBytes.length)
  }

  protected override openBytes(): number {
    return this.#plain.length + this.#count * 2 + (this.#dictionary?.page.length ?? 0)
  }

  protected override takeValues(): PageValues {
    if (this.#isPlain) {
      const body = this.#plain.view()
      this.#plain.length = 0
      return { encoding: encoding.plain, body, bounds: undefined }
    }
    const packed = this.#packed
    const width = Math.max(1, 32 - Math.clz32((this.#dictionary?.size ?? 1) - 1))
    packed.bytes[0] = width
    packed.length = 1
    encodeHybrid(this.#indexes, this.#count, width, packed)
    this.#count = 0
    return { encoding: encoding.rleDictionary, body: packed.view(), bounds: undefined }
  }

  protected override finishValues(): Bounds | undefined {
    const dictionary = this.#dictionary
    if (dictionary !== undefined && dictionary.size > 0) {
      this.chunk.addDictionary(dictionary.page.view(), dictionary.size)
      for (let index = 0; index < dictionary.size; index++) {
        this.#bounds.add(dictionary.page.bytes, dictionary.startOf(index), dictionary.endOf(index))
      }
    }
    this.#dictionary = new Dictionary()
    this.#isPlain = false
    this.#seen = 0
    return this.#bounds.take()
  }

  #addIndex(buffer: Buffer, start: number, end: number): boolean {
    const index = this.#dictionary?.indexOf(buffer, start, end) ?? -1
    if (index < 0) {
      this.#leaveDictionary()
      return false
    }
    if (this.#count === this.#indexes.length) {
      const larger = new Uint32Array(this.#count * 2)
      larger.set(this.#indexes)
      this.#indexes = larger
    }
    this.#indexes[this.#count++] = index
    this.#seen++
    return true
  }

  #addPlain(buffer: Buffer, start: number, end: number): void {
    appendByteArray(this.#plain, buffer, start, end)
    this.#bounds.add(buffer, start, end)
  }

  /** Looked at after the trial and after each page. */
  #dictionaryPays(): boolean {
    const { page, size } = this.#dictionary!
    if (page.length > DICTIONARY_BYTES_MAX) return false
    const due = this.#seen === TRIAL_VALUES || this.pageRows === 0
    return !due || this.#seen < TRIAL_VALUES || size <= this.#seen * DISTINCT_MAX
  }

  #leaveDictionary(): void {
    const dictionary = this.#dictionary!
    if (this.chunk.pages > 0) {
      this.closePage()
      this.#isPlain = true
      return
    }
    this.#isPlain = true
    this.#dictionary = undefined
    for (let at = 0; at < this.#count; at++) {
      const index = this.#indexes[at]!
      this.#addPlain(dictionary.page.bytes, dictionary.startOf(index), dictionary.endOf(index))
    }
    this.#count = 0
    if (this.#plain.length > PAGE_BYTES) this.closePage()
  }
}
