// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the table's and the list's lengths

/** So many values of a page tell whether the others are worth looking up. */
const SAMPLE = 1_024
/** More of the sample than this being new, hardly any value comes again. */
const NEW_MAX = 0.95
const ENTRIES_MIN = 64
/** More collisions than this are no accident: the column does better without a dictionary. */
const PROBES_MAX = 64

/** The distinct values of a column of fixed width in order of appearance; equal are those of equal bits. */
export class NumberDictionary {
  size = 0
  /** 32-bit words of a value. */
  readonly #words: 1 | 2
  #entries: Int32Array
  /** Index + 1 by hash, open addressing, at most half full. */
  #table = new Int32Array(ENTRIES_MIN * 2)

  constructor(words: 1 | 2) {
    this.#words = words
    this.#entries = new Int32Array(ENTRIES_MIN * words)
  }

  /** The values in PLAIN encoding, as a view. */
  get page(): Buffer {
    return Buffer.from(this.#entries.buffer, 0, this.size * this.#words * 4)
  }

  get bytes(): number {
    return this.#entries.byteLength + this.#table.byteLength
  }

  /** Gives the indexes of `count` values, new ones being added; false when it gave up, since that would not pay. */
  index(values: Int32Array, count: number, into: Uint32Array): boolean {
    const before = this.size
    for (let at = 0; at < count; at++) {
      const index =
        this.#words === 1
          ? this.#indexOf(values[at]!, 0)
          : this.#indexOf(values[at * 2]!, values[at * 2 + 1]!)
      if (index < 0) return false
      into[at] = index
      if (at === SAMPLE && this.size - before > SAMPLE * NEW_MAX) return false
    }
    return true
  }

  #indexOf(low: number, high: number): number {
    const mask = this.#table.length - 1
    const hash = hashOf(low, high)
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = (hash + probe) & mask
      const index = this.#table[slot]! - 1
      if (index < 0) return this.#add(low, high, slot)
      if (this.#words === 1) {
        if (this.#entries[index] === low) return index
      } else if (this.#entries[index * 2] === low && this.#entries[index * 2 + 1] === high) return index
    }
    return -1
  }

  #add(low: number, high: number, slot: number): number {
    const index = this.size++
    const at = index * this.#words
    if (at === this.#entries.length) {
      const larger = new Int32Array(at * 2)
      larger.set(this.#entries)
      this.#entries = larger
    }
    this.#entries[at] = low
    if (this.#words === 2) this.#entries[at + 1] = high
    this.#table[slot] = index + 1
    if (this.size * 2 > this.#table.length) this.#rehash()
    return index
  }

  #rehash(): void {
    const mask = this.#table.length * 2 - 1
    const table = new Int32Array(mask + 1)
    for (let index = 0; index < this.size; index++) {
      const at = index * this.#words
      let slot = hashOf(this.#entries[at]!, this.#words === 2 ? this.#entries[at + 1]! : 0) & mask
      while (table[slot] !== 0) slot = (slot + 1) & mask
      table[slot] = index + 1
    }
    this.#table = table
  }
}

function hashOf(low: number, high: number): number {
  const hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)
  return hash ^ (hash >>> 15) ^ (hash >>> 23)
}
