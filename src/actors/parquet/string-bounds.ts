// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by lengths
import type { Bounds } from './chunk.ts'

/** Longer bounds are cut to so many bytes: the least is cut, the greatest is cut and rounded up. */
export const BOUND_BYTES_MAX = 64

/** The least and the greatest of many strings, by their bytes, as the order of Parquet's strings and byte arrays wants. */
export class StringBounds {
  /** Text is cut between characters, and stays text when it is rounded. */
  readonly #isText: boolean
  /** The first bytes of each, and its whole length; -1 while there is none. */
  readonly #min = Buffer.alloc(BOUND_BYTES_MAX)
  readonly #max = Buffer.alloc(BOUND_BYTES_MAX)
  #minLength = -1
  #maxLength = -1

  constructor(isText: boolean) {
    this.#isText = isText
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (this.#minLength < 0 || compare(buffer, start, end, this.#min, this.#minLength) < 0) {
      this.#minLength = keep(buffer, start, end, this.#min)
    }
    if (this.#maxLength < 0 || compare(buffer, start, end, this.#max, this.#maxLength) > 0) {
      this.#maxLength = keep(buffer, start, end, this.#max)
    }
  }

  /** The bounds of all strings since the last call; undefined when there were none, or when nothing short is above them. */
  take(): Bounds | undefined {
    const [minLength, maxLength] = [this.#minLength, this.#maxLength]
    this.#minLength = -1
    this.#maxLength = -1
    if (minLength < 0) return undefined
    const isMinExact = minLength <= BOUND_BYTES_MAX
    const isMaxExact = maxLength <= BOUND_BYTES_MAX
    const min = isMinExact ? this.#min.subarray(0, minLength) : cut(this.#min, this.#isText)
    const max = isMaxExact ? this.#max.subarray(0, maxLength) : roundedUp(this.#max, this.#isText)
    if (max === undefined) return undefined
    return { min: Buffer.from(min), max: Buffer.from(max), isMinExact, isMaxExact }
  }
}

/**
 * Compares a string with a bound of which only the first bytes are known. When all of them agree and more follow on
 * both sides, the order is unknown and does not matter: both are cut to the same.
 */
function compare(buffer: Buffer, start: number, end: number, bound: Buffer, boundLength: number): number {
  const length = end - start
  const common = Math.min(length, boundLength, BOUND_BYTES_MAX)
  for (let at = 0; at < common; at++) {
    const difference = buffer[start + at]! - bound[at]!
    if (difference !== 0) return difference
  }
  return length - boundLength
}

function keep(buffer: Buffer, start: number, end: number, bound: Buffer): number {
  const length = end - start
  if (length > BOUND_BYTES_MAX) buffer.copy(bound, 0, start, start + BOUND_BYTES_MAX)
  else for (let at = 0; at < length; at++) bound[at] = buffer[start + at]!
  return length
}

/** The head of a string of which more follows: not above it. */
function cut(head: Buffer, isText: boolean): Buffer {
  return isText ? head.subarray(0, wholeCharacters(head)) : head
}

/** A short string that is above all strings with this head; undefined when there is none. */
function roundedUp(head: Buffer, isText: boolean): Buffer | undefined {
  if (isText) return roundedUpText(head.subarray(0, wholeCharacters(head)).toString())
  for (let end = head.length; end > 0; end--) {
    const last = head[end - 1]!
    if (last < 0xff) return Buffer.concat([head.subarray(0, end - 1), Buffer.from([last + 1])])
  }
  return undefined
}

/** UTF-8 orders its bytes as its code points, so the last one that has a successor, for which there is room, is put up by one. */
function roundedUpText(head: string): Buffer | undefined {
  const characters = [...head]
  for (let end = characters.length; end > 0; end--) {
    const next = successor(characters[end - 1]!.codePointAt(0)!)
    if (next === undefined) continue
    const above = Buffer.from(characters.slice(0, end - 1).join('') + next)
    if (above.length <= BOUND_BYTES_MAX) return above
  }
  return undefined
}

function successor(codePoint: number): string | undefined {
  if (codePoint === 0x10ffff) return undefined
  // Surrogates are no characters.
  return String.fromCodePoint(codePoint === 0xd7ff ? 0xe000 : codePoint + 1)
}

/** How many bytes of UTF-8 are before the character that the end cuts, if it cuts one. */
function wholeCharacters(head: Buffer): number {
  let last = head.length - 1
  while (last > head.length - 4 && (head[last]! & 0xc0) === 0x80) last--
  const first = head[last]!
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  return last + length > head.length ? last : head.length
}
