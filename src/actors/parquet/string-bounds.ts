// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by lengths
import type { Bounds } from './chunk.ts'

/** Longer bounds are left out of the file: they prune little, and a cut one could be taken for exact. */
export const BOUND_BYTES_MAX = 64

/** The least and the greatest of many strings, by their bytes, as the UTF8 order of Parquet wants. */
export class StringBounds {
  /** The first bytes of each, and its whole length; -1 while there is none. */
  readonly #min = Buffer.alloc(BOUND_BYTES_MAX)
  readonly #max = Buffer.alloc(BOUND_BYTES_MAX)
  #minLength = -1
  #maxLength = -1

  add(buffer: Buffer, start: number, end: number): void {
    if (this.#minLength < 0 || compare(buffer, start, end, this.#min, this.#minLength) < 0) {
      this.#minLength = keep(buffer, start, end, this.#min)
    }
    if (this.#maxLength < 0 || compare(buffer, start, end, this.#max, this.#maxLength) > 0) {
      this.#maxLength = keep(buffer, start, end, this.#max)
    }
  }

  /** The bounds of all strings since the last call, if there were any and both are short enough. */
  take(): Bounds | undefined {
    const [minLength, maxLength] = [this.#minLength, this.#maxLength]
    this.#minLength = -1
    this.#maxLength = -1
    if (minLength < 0 || minLength > BOUND_BYTES_MAX || maxLength > BOUND_BYTES_MAX) return undefined
    return {
      min: Buffer.from(this.#min.subarray(0, minLength)),
      max: Buffer.from(this.#max.subarray(0, maxLength))
    }
  }
}

/**
 * Compares a string with a bound of which only the first bytes are known. When all of them agree and more follow on
 * both sides, the order is unknown and does not matter: either would be too long.
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
