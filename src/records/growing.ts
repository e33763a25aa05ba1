import { Fault } from '../errors.ts'

/** A byte buffer that doubles as it fills, up to a limit. `bytes` may be replaced by `room`. */
export class GrowingBytes {
  bytes: Buffer
  length = 0
  readonly #limit: number

  constructor(capacity: number, limit: number) {
    this.bytes = Buffer.allocUnsafe(Math.max(16, Math.min(capacity, limit)))
    this.#limit = limit
  }

  /** Makes room for `more` bytes at `length`; throws `too-large` beyond the limit. */
  room(more: number): Buffer {
    const needed = this.length + more
    if (needed > this.bytes.length) this.#grow(needed)
    return this.bytes
  }

  append(source: Uint8Array, start: number, end: number): void {
    this.room(end - start).set(source.subarray(start, end), this.length)
    this.length += end - start
  }

  /** What was written, as a view. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  #grow(needed: number): void {
    if (needed > this.#limit) throw new Fault('too-large', `more than ${this.#limit} bytes`)
    const larger = Buffer.allocUnsafe(Math.min(this.#limit, Math.max(needed, this.bytes.length * 2)))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}
