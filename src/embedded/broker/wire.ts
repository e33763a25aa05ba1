import { readInt64, writeInt64 } from '../../records/bytes.ts'

/**
 * Kafka's primitive types (big-endian). In a *flexible* version (KIP-482) lengths are unsigned varints of n + 1 and
 * every structure ends with tagged fields; a codec written once in terms of these methods serves both kinds.
 */
export class Reader {
  readonly #buffer: Buffer
  readonly #flexible: boolean
  #at = 0

  /** Reading past the end throws `RangeError`: the request is malformed. */
  constructor(buffer: Buffer, flexible: boolean, at = 0) {
    this.#buffer = buffer
    this.#flexible = flexible
    this.#at = at
  }

  get position(): number {
    return this.#at
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1))
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

  boolean(): boolean {
    return this.int8() !== 0
  }

  /** 16 bytes as 22 characters of base64url, as Kafka prints them; the zero id is `''`. */
  uuid(): string {
    const id = this.#take(16)
    return id.every((byte) => byte === 0) ? '' : id.toString('base64url')
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  nullableString(): string | null {
    const length = this.#flexible ? this.#varint() - 1 : this.int16()
    return length < 0 ? null : this.#take(length).toString('utf8')
  }

  /** A view into the request, valid as long as the request's buffer: copy what is kept. */
  bytes(): Buffer {
    return this.nullableBytes() ?? Buffer.alloc(0)
  }

  nullableBytes(): Buffer | null {
    const length = this.#flexible ? this.#varint() - 1 : this.int32()
    return length < 0 ? null : this.#take(length)
  }

  /** An array of primitives. */
  array<T>(read: (reader: this) => T): T[] {
    return this.nullableArray(read) ?? []
  }

  nullableArray<T>(read: (reader: this) => T): T[] | null {
    const count = this.#flexible ? this.#varint() - 1 : this.int32()
    if (count < 0) return null
    if (count > this.#buffer.length - this.#at) throw new RangeError(`an array of ${count} does not fit`)
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read(this))
    return items
  }

  /** An array of structures, each with its tagged fields. */
  structs<T>(read: (reader: this) => T): T[] {
    return this.nullableStructs(read) ?? []
  }

  nullableStructs<T>(read: (reader: this) => T): T[] | null {
    return this.nullableArray(() => {
      const item = read(this)
      this.tags()
      return item
    })
  }

  /** Skips the tagged fields at the end of a structure; none in classic versions. */
  tags(): void {
    if (!this.#flexible) return
    for (let count = this.#varint(); count > 0; count--) {
      this.#varint()
      this.#take(this.#varint())
    }
  }

  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer.readUInt8(this.#advance(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('an unsigned varint is longer than five bytes')
  }

  #take(length: number): Buffer {
    const start = this.#advance(length)
    if (this.#at > this.#buffer.length) throw new RangeError(`${length} bytes do not fit`)
    return this.#buffer.subarray(start, this.#at)
  }

  #advance(length: number): number {
    const at = this.#at
    this.#at = at + length
    return at
  }
}

/** The counterpart of `Reader`. Large byte ranges are kept by reference, so a fetched record set is never copied. */
export class Writer {
  readonly #flexible: boolean
  readonly #parts: Buffer[] = []
  #page = Buffer.allocUnsafe(512)
  #start = 0
  #at = 0

  constructor(flexible: boolean) {
    this.#flexible = flexible
  }

  int8(value: number): this {
    this.#at = this.#room(1).writeInt8(value, this.#at)
    return this
  }

  int16(value: number): this {
    this.#at = this.#room(2).writeInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#at = this.#room(4).writeInt32BE(value, this.#at)
    return this
  }

  int64(value: number): this {
    writeInt64(this.#room(8), value, this.#at)
    this.#at += 8
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  uuid(id: string): this {
    return this.#copy(id === '' ? Buffer.alloc(16) : Buffer.from(id, 'base64url'))
  }

  string(value: string | null): this {
    if (value === null) return this.#flexible ? this.#varint(0) : this.int16(-1)
    const bytes = Buffer.from(value)
    if (this.#flexible) this.#varint(bytes.length + 1)
    else this.int16(bytes.length)
    return this.#copy(bytes)
  }

  bytes(value: Buffer): this {
    if (this.#flexible) this.#varint(value.length + 1)
    else this.int32(value.length)
    if (value.length < 512) return this.#copy(value)
    this.#flush()
    this.#parts.push(value)
    return this
  }

  /** An array of primitives; `null` where the protocol allows it. */
  array<T>(items: readonly T[] | null, write: (writer: this, item: T) => void): this {
    const count = items === null ? -1 : items.length
    if (this.#flexible) this.#varint(count + 1)
    else this.int32(count)
    for (const item of items ?? []) write(this, item)
    return this
  }

  /** An array of structures, each with (empty) tagged fields. */
  structs<T>(items: readonly T[] | null, write: (writer: this, item: T) => void): this {
    return this.array(items, (_, item) => {
      write(this, item)
      this.tags()
    })
  }

  /** The empty tagged fields at the end of a structure; nothing in classic versions. */
  tags(): this {
    return this.#flexible ? this.#varint(0) : this
  }

  finish(): readonly Buffer[] {
    this.#flush()
    return this.#parts
  }

  #varint(value: number): this {
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) this.int8((((rest & 0x7f) | 0x80) << 24) >> 24)
    return this.int8(rest)
  }

  #copy(bytes: Buffer): this {
    bytes.copy(this.#room(bytes.length), this.#at)
    this.#at += bytes.length
    return this
  }

  #room(length: number): Buffer {
    if (this.#at + length > this.#page.length) {
      this.#flush()
      this.#page = Buffer.allocUnsafe(Math.max(4096, length))
      this.#start = 0
      this.#at = 0
    }
    return this.#page
  }

  #flush(): void {
    if (this.#at > this.#start) this.#parts.push(this.#page.subarray(this.#start, this.#at))
    this.#start = this.#at
  }
}
