// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the number of values
import { Fault } from '../../errors.ts'
import { DecimalReader } from '../../records/decimal.ts'
import type { Bounds } from './chunk.ts'
import { ColumnBuilder, PAGE_ROWS, type PageValues } from './column.ts'
import { encoding } from './format.ts'

/**
 * Columns of fixed width. Values are kept in typed arrays whose bytes are the page, which is right on the
 * little-endian machines that Node is built for (x64, arm64).
 */

const TWO_32 = 0x1_0000_0000

export class Int32Column extends ColumnBuilder {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    left.readInt32LE() - right.readInt32LE()
  #values: Int32Array = new Int32Array(32)
  #count = 0
  #min = 0
  #max = 0

  override appendNumber(value: number): void {
    if ((value | 0) !== value) throw outOfRange(this.spec.name, value)
    if (this.#count === this.#values.length) this.#values = grown(this.#values)
    if (this.#count === 0) this.#min = this.#max = value
    else if (value < this.#min) this.#min = value
    else if (value > this.#max) this.#max = value
    this.#values[this.#count++] = value
    this.endValue()
  }

  protected override openBytes(): number {
    return this.#count * 4
  }

  protected override takeValues(): PageValues {
    const body = viewOf(this.#values, this.#count)
    const bounds = { min: int32(this.#min), max: int32(this.#max) }
    this.#count = 0
    return { encoding: encoding.plain, body, bounds }
  }
}

/** int64 and timestamp. */
export class Int64Column extends ColumnBuilder {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    compare(left.readInt32LE(4), left.readInt32LE(0), right.readInt32LE(4), right.readInt32LE(0))
  /** Low half, high half. */
  #values: Int32Array = new Int32Array(64)
  #count = 0
  /** Indexes of the least and the greatest value of the page. */
  #min = 0
  #max = 0
  readonly #decimal = new DecimalReader()

  override appendNumber(value: number): void {
    if (!Number.isSafeInteger(value)) throw outOfRange(this.spec.name, value)
    this.appendInt64(Math.floor(value / TWO_32), value | 0)
  }

  override appendInt64FromDigits(buffer: Buffer, start: number, end: number): boolean {
    if (!this.#decimal.read(buffer, start, end)) return false
    this.appendInt64(this.#decimal.high, this.#decimal.low)
    return true
  }

  override appendInt64(high: number, low: number): void {
    const at = this.#count * 2
    if (at === this.#values.length) this.#values = grown(this.#values)
    const values = this.#values
    values[at] = low
    values[at + 1] = high
    const [min, max] = [this.#min, this.#max]
    if (at === 0) this.#min = this.#max = 0
    else if (compare(high, low, values[min + 1]!, values[min]!) < 0) this.#min = at
    else if (compare(high, low, values[max + 1]!, values[max]!) > 0) this.#max = at
    this.#count++
    this.endValue()
  }

  protected override openBytes(): number {
    return this.#count * 8
  }

  protected override takeValues(): PageValues {
    const body = viewOf(this.#values, this.#count * 2)
    const valueAt = (at: number) => Buffer.from(body.subarray(at * 4, at * 4 + 8))
    const bounds = { min: valueAt(this.#min), max: valueAt(this.#max) }
    this.#count = 0
    return { encoding: encoding.plain, body, bounds }
  }
}

export class BooleanColumn extends ColumnBuilder {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    left.readUInt8() - right.readUInt8()
  /** One bit a value, the first in the lowest. */
  readonly #bits = Buffer.alloc(Math.ceil(PAGE_ROWS / 8))
  #count = 0
  #trues = 0

  override appendBoolean(value: boolean): void {
    const at = this.#count++
    if ((at & 7) === 0) this.#bits[at >> 3] = 0
    if (value) {
      this.#bits[at >> 3]! |= 1 << (at & 7)
      this.#trues++
    }
    this.endValue()
  }

  protected override openBytes(): number {
    return (this.#count + 7) >> 3
  }

  protected override takeValues(): PageValues {
    const body = this.#bits.subarray(0, this.openBytes())
    const bounds: Bounds = {
      min: Buffer.from([this.#trues === this.#count ? 1 : 0]),
      max: Buffer.from([this.#trues > 0 ? 1 : 0])
    }
    this.#count = 0
    this.#trues = 0
    return { encoding: encoding.plain, body, bounds }
  }
}

/** Compares two 64-bit integers by their halves. */
function compare(high: number, low: number, otherHigh: number, otherLow: number): number {
  return high === otherHigh ? (low >>> 0) - (otherLow >>> 0) : high - otherHigh
}

function viewOf(values: Int32Array, count: number): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, count * 4)
}

function grown(values: Int32Array): Int32Array {
  const larger = new Int32Array(values.length * 2)
  larger.set(values)
  return larger
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value)
  return buffer
}

function outOfRange(column: string, value: number): Fault {
  return new Fault('column-range', `column ${column} cannot hold ${value}`)
}
