// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the table's and the list's lengths
import { appendByteArray, newPageBytes } from './plain.ts'

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

  /** The index of a value, which is added when it is new; -1 when it does not fit in. */
  indexOf(source: Buffer, start: number, end: number): number {
    const hash = hashOf(source, start, end)
    const mask = this.#table.length - 1
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = (hash + probe) & mask
      const index = this.#table[slot]!
      if (index === EMPTY) return this.#add(source, start, end, hash, slot)
      if (this.#hashes[index] === hash && this.#equals(index, source, start, end)) return index
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

  #equals(index: number, source: Buffer, start: number, end: number): boolean {
    const bytes = this.page.bytes
    let at = this.startOf(index)
    if (this.endOf(index) - at !== end - start) return false
    for (let from = start; from < end; from++, at++) if (bytes[at] !== source[from]) return false
    return true
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

/** FNV-1a with a last mix, since the table looks at the low bits. */
function hashOf(source: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ source[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}
