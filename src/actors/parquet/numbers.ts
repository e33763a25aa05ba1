// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the number of values
import { Fault } from '../../errors.ts'
import { DecimalReader } from '../../records/decimal.ts'
import { type Bounds, exactBounds } from './chunk.ts'
import { ColumnBuilder, type PageValues } from './column.ts'
import { FixedColumn } from './fixed.ts'
import { encoding, PAGE_ROWS } from './format.ts'

const TWO_32 = 0x1_0000_0000

export class Int32Column extends FixedColumn {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    left.readInt32LE() - right.readInt32LE()
  protected override readonly words = 1
  #min = 0
  #max = 0

  override appendNumber(value: number): void {
    if ((value | 0) !== value) throw outOfRange(this.spec.name, value)
    const at = this.room()
    if (at === 0) this.#min = this.#max = value
    else if (value < this.#min) this.#min = value
    else if (value > this.#max) this.#max = value
    this.values[at] = value
    this.endValue()
  }

  protected override boundsOfPage(): Bounds {
    return exactBounds(int32(this.#min), int32(this.#max))
  }
}

/** int64 and timestamp. */
export class Int64Column extends FixedColumn {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    compare(left.readInt32LE(4), left.readInt32LE(0), right.readInt32LE(4), right.readInt32LE(0))
  protected override readonly words = 2
  /** Where the least and the greatest value of the page are. */
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
    const at = this.room()
    const values = this.values
    values[at] = low
    values[at + 1] = high
    const [min, max] = [this.#min, this.#max]
    if (at === 0) this.#min = this.#max = 0
    else if (compare(high, low, values[min + 1]!, values[min]!) < 0) this.#min = at
    else if (compare(high, low, values[max + 1]!, values[max]!) > 0) this.#max = at
    this.endValue()
  }

  protected override boundsOfPage(): Bounds {
    return exactBounds(this.bytesAt(this.#min), this.bytesAt(this.#max))
  }
}

/**
 * A page with a NaN has no bounds, and so its chunk has none: readers do not agree where a NaN lies, and some would skip a
 * page that has one. Zero counts as -0 below and as +0 above, as the format wants.
 */
export class DoubleColumn extends FixedColumn {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    left.readDoubleLE() - right.readDoubleLE()
  protected override readonly words = 2
  #min = 0
  #max = 0
  #hasNaN = false
  readonly #double = new Float64Array(1)
  readonly #halves = new Int32Array(this.#double.buffer)

  override appendNumber(value: number): void {
    const at = this.room()
    if (at === 0) {
      this.#hasNaN = false
      this.#min = Number.POSITIVE_INFINITY
      this.#max = Number.NEGATIVE_INFINITY
    }
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    if (Number.isNaN(value)) this.#hasNaN = true
    this.#double[0] = value
    this.values[at] = this.#halves[0]!
    this.values[at + 1] = this.#halves[1]!
    this.endValue()
  }

  protected override boundsOfPage(): Bounds | undefined {
    if (this.#hasNaN) return undefined
    return exactBounds(double(this.#min === 0 ? -0 : this.#min), double(this.#max === 0 ? 0 : this.#max))
  }
}

export class BooleanColumn extends ColumnBuilder {
  protected override readonly compareBounds = (left: Buffer, right: Buffer) =>
    left.readUInt8() - right.readUInt8()
  /** One bit a value, the first in the lowest. */
  #bits = Buffer.alloc(16)
  #count = 0
  #trues = 0

  override appendBoolean(value: boolean): void {
    const at = this.#count++
    if (at >> 3 === this.#bits.length) {
      this.#bits = Buffer.concat([this.#bits], Math.min(PAGE_ROWS / 8, this.#bits.length * 4))
    }
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

  protected override heldBytes(): number {
    return this.#bits.length
  }

  protected override takeValues(): PageValues {
    const body = this.#bits.subarray(0, this.openBytes())
    const least = Buffer.from([this.#trues === this.#count ? 1 : 0])
    const bounds = exactBounds(least, Buffer.from([this.#trues > 0 ? 1 : 0]))
    this.#count = 0
    this.#trues = 0
    return { encoding: encoding.plain, body, bounds }
  }
}

/** Compares two 64-bit integers by their halves. */
function compare(high: number, low: number, otherHigh: number, otherLow: number): number {
  return high === otherHigh ? (low >>> 0) - (otherLow >>> 0) : high - otherHigh
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value)
  return buffer
}

function double(value: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeDoubleLE(value)
  return buffer
}

function outOfRange(column: string, value: number): Fault {
  return new Fault('column-range', `column ${column} cannot hold ${value}`)
}
