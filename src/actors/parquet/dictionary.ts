// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the table's and the list's lengths
import { appendByteArray, newPageBytes } from './plain.ts'
import { viewOn, wordsOf } from './words.ts'

/** The index where there is no entry. */
const EMPTY = -1
/** More collisions than this are no accident: the column does better without a dictionary. */
const PROBES_MAX = 64
/** Shorter values are read byte by byte. */
const WORDS_BYTES_MIN = 24

/** The distinct strings of a column in order of appearance, kept as a dictionary page holds them. */
export class Dictionary {
  /** The values in PLAIN encoding. */
  readonly page = newPageBytes()
  size = 0
  /** Where each value's length begins in the page. */
  #starts = new Uint32Array(64)
  /** Two words an entry, a hash and its value's index: open addressing, at most half full. */
  #table = newTable(128)
  /** The page's buffer, which is another one when it has grown, and a view of it. */
  #viewed = this.page.bytes
  #words = viewOn(this.#viewed)

  /** The index of a value, which is added when it is new; -1 when it does not fit in. */
  indexOf(source: Buffer, start: number, end: number): number {
    const isLong = end - start >= WORDS_BYTES_MIN
    const hash = isLong ? hashOfLong(source, start, end) : hashOfShort(source, start, end)
    const table = this.#table
    const mask = table.length - 2
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = ((hash + probe) << 1) & mask
      const index = table[slot + 1]!
      if (index === EMPTY) return this.#add(source, start, end, hash, slot)
      if (table[slot] === hash && this.#equals(index, source, start, end)) return index
    }
    return -1
  }

  /** Of all its buffers. */
  get bytes(): number {
    const { page } = this
    return page.bytes.length + this.#starts.byteLength + this.#table.byteLength
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
    appendByteArray(this.page, source, start, end)
    this.#table[slot] = hash
    this.#table[slot + 1] = index
    if (this.size * 4 > this.#table.length) this.#rehash()
    return index
  }

  #equals(index: number, source: Buffer, start: number, end: number): boolean {
    const { bytes } = this.page
    const moved = this.startOf(index) - start
    if (this.endOf(index) - moved !== end) return false
    let at = start
    if (end - start >= WORDS_BYTES_MIN) {
      const [ours, theirs] = [this.#wordsOfPage(), wordsOf(source)]
      for (const last = end - 4; at <= last; at += 4) {
        if (ours.getInt32(at + moved, true) !== theirs.getInt32(at, true)) return false
      }
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
    starts.set(this.#starts)
    this.#starts = starts
  }

  #rehash(): void {
    const old = this.#table
    const table = newTable(old.length)
    const mask = table.length - 2
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === EMPTY) continue
      let slot = (old[from]! << 1) & mask
      while (table[slot + 1] !== EMPTY) slot = (slot + 2) & mask
      table[slot] = old[from]!
      table[slot + 1] = old[from + 1]!
    }
    this.#table = table
  }
}

function newTable(entries: number): Int32Array {
  return new Int32Array(entries * 2).fill(EMPTY)
}

/** FNV-1a with a last mix, since the table looks at the low bits. */
function hashOfShort(source: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ source[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

/** By words, two at a time; rotations let high bits reach low ones. */
function hashOfLong(source: Buffer, start: number, end: number): number {
  const words = wordsOf(source)
  let [even, odd] = [end - start, 0]
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    even = Math.imul(even ^ words.getInt32(at, true), 0x9e3779b1)
    even = (even << 15) | (even >>> 17)
    odd = Math.imul(odd ^ words.getInt32(at + 4, true), 0x85ebca6b)
    odd = (odd << 13) | (odd >>> 19)
  }
  return hashOfShort(source, at, end) ^ Math.imul(even ^ (even >>> 15), 0xc2b2ae35) ^ odd
}
