// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the table's and the list's lengths
import { appendByteArray, newPageBytes } from './plain.ts'
import { viewOn, wordsOf } from './words.ts'

const EMPTY = 0xffffffff
/** More collisions than this are no accident: the column does better without a dictionary. */
const PROBES_MAX = 64

/** The distinct strings of a column in order of appearance, kept as a dictionary page holds them. */
export class Dictionary {
  /** The values in PLAIN encoding. */
  readonly page = newPageBytes()
  size = 0
  /** Where each value's length begins in the page. */
  #starts = new Uint32Array(64)
  #hashes = new Int32Array(64)
  /** Indexes by hash, open addressing, at most half full. */
  #table = new Uint32Array(128).fill(EMPTY)
  /** The page's buffer, which is another one when it has grown, and a view of it. */
  #viewed = this.page.bytes
  #words = viewOn(this.#viewed)

  /** The index of a value, which is added when it is new; -1 when it does not fit in. */
  indexOf(source: Buffer, start: number, end: number): number {
    const words = wordsOf(source)
    const hash = hashOf(source, words, start, end)
    const mask = this.#table.length - 1
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = (hash + probe) & mask
      const index = this.#table[slot]!
      if (index === EMPTY) return this.#add(source, start, end, hash, slot)
      if (this.#hashes[index] === hash && this.#equals(index, source, words, start, end)) return index
    }
    return -1
  }

  /** Of all its buffers. */
  get bytes(): number {
    const { page } = this
    return page.bytes.length + this.#starts.byteLength + this.#hashes.byteLength + this.#table.byteLength
  }

  /** Forgets all but the first values; it must not be asked for an index afterwards. */
  cutTo(size: number): void {
    this.page.length = size === 0 ? 0 : this.endOf(size - 1)
    this.size = size
  }

  startOf(index: number): number {
    return this.#starts[index]! + 4
  }

  endOf(index: number): number {
    return index + 1 < this.size ? this.#starts[index + 1]! : this.page.length
  }

  #add(source: Buffer, start: number, end: number, hash: number, slot: number): number {
    if (this.size === this.#starts.length) this.#grow()
    const index = this.size++
    this.#starts[index] = this.page.length
    this.#hashes[index] = hash
    appendByteArray(this.page, source, start, end)
    this.#table[slot] = index
    if (this.size * 2 > this.#table.length) this.#rehash()
    return index
  }

  #equals(index: number, source: Buffer, words: DataView, start: number, end: number): boolean {
    const { bytes } = this.page
    const begin = this.startOf(index)
    if (this.endOf(index) - begin !== end - start) return false
    const ours = this.#wordsOfPage()
    let at = start
    const moved = begin - start
    for (const last = end - 4; at <= last; at += 4) {
      if (ours.getInt32(at + moved, true) !== words.getInt32(at, true)) return false
    }
    for (; at < end; at++) if (bytes[at + moved] !== source[at]) return false
    return true
  }

  #wordsOfPage(): DataView {
    const { bytes } = this.page
    if (this.#viewed !== bytes) {
      this.#viewed = bytes
      this.#words = viewOn(bytes)
    }
    return this.#words
  }

  #grow(): void {
    const starts = new Uint32Array(this.size * 2)
    const hashes = new Int32Array(this.size * 2)
    starts.set(this.#starts)
    hashes.set(this.#hashes)
    this.#starts = starts
    this.#hashes = hashes
  }

  #rehash(): void {
    const table = new Uint32Array(this.#table.length * 2).fill(EMPTY)
    for (let index = 0; index < this.size; index++) {
      let slot = this.#hashes[index]! & (table.length - 1)
      while (table[slot] !== EMPTY) slot = (slot + 1) & (table.length - 1)
      table[slot] = index
    }
    this.#table = table
  }
}

/** By words, two at a time; the rotations let high bits reach low ones, which the table looks at. */
function hashOf(source: Buffer, words: DataView, start: number, end: number): number {
  let even = 0x811c9dc5 ^ (end - start)
  let odd = 0x7feb352d
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    even = Math.imul(even ^ words.getInt32(at, true), 0x9e3779b1)
    even = (even << 15) | (even >>> 17)
    odd = Math.imul(odd ^ words.getInt32(at + 4, true), 0x85ebca6b)
    odd = (odd << 13) | (odd >>> 19)
  }
  let hash = even ^ Math.imul(odd, 0xc2b2ae35)
  for (; at < end; at++) hash = Math.imul(hash ^ source[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}
