// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the number of values
import type { ColumnSpec } from '../../records/columns.ts'
import { ColumnBuilder, type PageValues, type Table } from './column.ts'
import { Dictionary } from './dictionary.ts'
import { encoding } from './format.ts'
import { encodeHybrid, widthOf } from './hybrid.ts'
import { appendByteArray, newPageBytes } from './plain.ts'
import { scratch } from './scratch.ts'
import { StringBounds } from './string-bounds.ts'

/** A page is closed when its values have so many bytes; one value may have more. */
const PAGE_BYTES = 1024 * 1024
const DICTIONARY_BYTES_MAX = 1024 * 1024
/** A page's indexes and the new entries of the dictionary, against its plain values. */
const DICTIONARY_SHARE_MAX = 0.9

/**
 * string and binary. Each row group begins with indexes into a dictionary. When a page is full, or the dictionary is, it is
 * known whether that pays: if not, the values of this page are written plain, and so are all that follow.
 */
export class StringColumn extends ColumnBuilder {
  protected override readonly compareBounds = Buffer.compare
  #dictionary: Dictionary | undefined = new Dictionary()
  #isPlain = false
  /** Values of the open page while they are indexes, and what they would have in bytes. */
  #indexes = new Uint32Array(64)
  #count = 0
  #indexedBytes = 0
  /** The dictionary's values, and their bytes, when the page was opened. */
  #knownValues = 0
  #knownBytes = 0
  readonly #plain = newPageBytes()
  readonly #bounds: StringBounds
  #lastString = ''
  #lastBytes = Buffer.alloc(0)

  constructor(spec: ColumnSpec, table: Table) {
    super(spec, table)
    this.#bounds = new StringBounds(spec.type === 'string')
  }

  override appendBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#isPlain || !this.#addIndex(buffer, start, end)) this.#addPlain(buffer, start, end)
    this.endValue()
    if (this.#isPlain ? this.#plain.length > PAGE_BYTES : this.#isDictionaryFull()) this.closePage()
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

  protected override heldBytes(): number {
    return this.#plain.bytes.length + this.#indexes.byteLength + (this.#dictionary?.bytes ?? 0)
  }

  protected override takeValues(): PageValues {
    const packed = this.#isPlain ? undefined : this.#packed()
    const body = packed ?? this.#plain.view()
    this.#plain.length = 0
    this.#count = 0
    this.#indexedBytes = 0
    const bounds = this.#bounds.take()
    return { encoding: packed === undefined ? encoding.plain : encoding.rleDictionary, body, bounds }
  }

  protected override finishValues(): void {
    const dictionary = this.#dictionary
    if (dictionary !== undefined && dictionary.size > 0) {
      this.chunk.addDictionary(dictionary.page.view(), dictionary.size)
    }
    this.#dictionary = new Dictionary()
    this.#knownValues = 0
    this.#knownBytes = 0
    this.#isPlain = false
  }

  #isDictionaryFull(): boolean {
    return this.#dictionary!.page.length > DICTIONARY_BYTES_MAX
  }

  #addIndex(buffer: Buffer, start: number, end: number): boolean {
    const index = this.#dictionary!.indexOf(buffer, start, end)
    if (index < 0) {
      this.#unpack()
      return false
    }
    if (this.#count === this.#indexes.length) {
      const larger = new Uint32Array(this.#count * 2)
      larger.set(this.#indexes)
      this.#indexes = larger
    }
    this.#indexes[this.#count++] = index
    this.#indexedBytes += end - start + 4
    return true
  }

  #addPlain(buffer: Buffer, start: number, end: number): void {
    appendByteArray(this.#plain, buffer, start, end)
    this.#bounds.add(buffer, start, end)
  }

  /** The open page as indexes, if that pays; else its values are plain afterwards. */
  #packed(): Buffer | undefined {
    const dictionary = this.#dictionary!
    const { packed } = scratch
    const width = widthOf(dictionary.size)
    packed.room(1)[0] = width
    packed.length = 1
    encodeHybrid(this.#indexes, this.#count, width, packed)
    const added = dictionary.page.length - this.#knownBytes
    if (packed.length + added >= this.#indexedBytes * DICTIONARY_SHARE_MAX) {
      this.#unpack()
      return undefined
    }
    this.#boundIndexed(dictionary)
    this.#knownValues = dictionary.size
    this.#knownBytes = dictionary.page.length
    this.#isPlain = this.#isDictionaryFull()
    return packed.view()
  }

  #boundIndexed(dictionary: Dictionary): void {
    const isBounded = new Uint8Array(dictionary.size)
    for (let at = 0; at < this.#count; at++) {
      const index = this.#indexes[at]!
      if (isBounded[index] === 1) continue
      isBounded[index] = 1
      this.#bounds.add(dictionary.page.bytes, dictionary.startOf(index), dictionary.endOf(index))
    }
  }

  /** Makes the open page plain, and all that follow; what only it had in the dictionary leaves that. */
  #unpack(): void {
    const dictionary = this.#dictionary!
    for (let at = 0; at < this.#count; at++) {
      const index = this.#indexes[at]!
      this.#addPlain(dictionary.page.bytes, dictionary.startOf(index), dictionary.endOf(index))
    }
    this.#count = 0
    this.#isPlain = true
    if (this.#knownValues === 0) this.#dictionary = undefined
    else dictionary.cutTo(this.#knownValues)
  }
}
