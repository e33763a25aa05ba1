import { readInt64, writeInt64 } from '../../records/bytes.ts'

/** Writes the protocol's primitive types (https://kafka.apache.org/protocol#protocol_types), big-endian. */
export class Writer {
  #buffer: Buffer
  #at = 0

  constructor(bytes = 256) {
    this.#buffer = Buffer.allocUnsafe(bytes)
  }

  /** What was written so far. The writer goes on in fresh memory. */
  take(): Buffer {
    const written = this.#buffer.subarray(0, this.#at)
    this.#buffer = this.#buffer.subarray(this.#at)
    this.#at = 0
    return written
  }

  int8(value: number): this {
    const at = this.#claim(1)
    this.#buffer.writeInt8(value, at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    const at = this.#claim(2)
    this.#buffer.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#claim(4)
    this.#buffer.writeInt32BE(value, at)
    return this
  }

  int64(value: number): this {
    const at = this.#claim(8)
    writeInt64(this.#buffer, value, at)
    return this
  }

  uvarint(value: number): this {
    for (let rest = value; ; rest >>>= 7) {
      const at = this.#claim(1)
      if (rest < 0x80) {
        this.#buffer[at] = rest
        return this
      }
      this.#buffer[at] = (rest & 0x7f) | 0x80
    }
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.byteLength(value)
    this.int16(bytes)
    return this.#text(value, bytes)
  }

  compactString(value: string): this {
    const bytes = Buffer.byteLength(value)
    this.uvarint(bytes + 1)
    return this.#text(value, bytes)
  }

  /** 16 zero bytes: "no topic id". */
  zeroUuid(): this {
    const at = this.#claim(16)
    this.#buffer.fill(0, at, at + 16)
    return this
  }

  /** No tagged fields. */
  noTags(): this {
    return this.uvarint(0)
  }

  #text(value: string, bytes: number): this {
    const at = this.#claim(bytes)
    this.#buffer.write(value, at, bytes, 'utf8')
    return this
  }

  #claim(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(256, 2 * (at + bytes)))
      this.#buffer.copy(grown, 0, 0, at)
      this.#buffer = grown
    }
    this.#at = at + bytes
    return at
  }
}

/** Reads the protocol's primitive types. Throws a RangeError past the end, which a link turns into a Fault. */
export class Reader {
  readonly #buffer: Buffer
  #at: number

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer
    this.#at = at
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4))
  }

  int64(): number {
    return readInt64(this.#buffer, this.#advance(8))
  }

  uvarint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.#buffer.readUInt8(this.#advance(1))
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('an unsigned varint of more than 5 bytes')
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  nullableString(): string | undefined {
    return this.#text(this.int16())
  }

  compactString(): string | undefined {
    return this.#text(this.uvarint() - 1)
  }

  /** Lower-case hex with dashes; `undefined` for the zero id. */
  uuid(): string | undefined {
    const hex = this.raw(16).toString('hex')
    if (hex === '0'.repeat(32)) return undefined
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  /** A view, not a copy. */
  raw(bytes: number): Buffer {
    const at = this.#advance(bytes)
    return this.#buffer.subarray(at, at + bytes)
  }

  array<T>(item: () => T): T[] {
    return this.#items(this.int32(), item)
  }

  compactArray<T>(item: () => T): T[] {
    return this.#items(this.uvarint() - 1, item)
  }

  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.raw(this.uvarint())
    }
  }

  #items<T>(count: number, item: () => T): T[] {
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(item())
    return items
  }

  #text(bytes: number): string | undefined {
    return bytes < 0 ? undefined : this.raw(bytes).toString('utf8')
  }

  #advance(bytes: number): number {
    const at = this.#at
    if (bytes < 0 || at + bytes > this.#buffer.length) throw new RangeError('the answer ends too early')
    this.#at = at + bytes
    return at
  }
}
