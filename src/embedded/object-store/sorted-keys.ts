/** The keys of a bucket in the order S3 lists them: ascending by the bytes of their UTF-8. */
export class SortedKeys {
  readonly #keys: string[] = []

  get size(): number {
    return this.#keys.length
  }

  add(key: string): void {
    const at = this.indexFrom(key)
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key)
  }

  delete(key: string): void {
    const at = this.indexFrom(key)
    if (this.#keys[at] === key) this.#keys.splice(at, 1)
  }

  /** Index of the first key that does not sort before `key`. */
  indexFrom(key: string): number {
    let [low, high] = [0, this.#keys.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareUtf8(this.#keys[middle] ?? '', key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#keys[Symbol.iterator]()
  }

  at(index: number): string | undefined {
    return this.#keys[index]
  }
}

/** Compares well-formed strings as the bytes of their UTF-8 do, which UTF-16's order does not for surrogates. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Code units put in the order of the code points they begin: surrogates (beyond U+FFFF) after U+E000–U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
