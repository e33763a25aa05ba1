/**
 * Where the records of one partition went: ranges of source offsets beside ranges of target offsets, the newest ones.
 *
 * Offsets of the source are covered without a gap from the first one on: what lies between two ranges was left out (a
 * marker, aborted data, a hole of compaction, a filter). Transaction markers take an offset on the target with each
 * commit, so there is a range per commit even where nothing is left out; they are kept packed, some four bytes each.
 */
export interface Range {
  readonly source: number
  readonly target: number
  readonly count: number
}

export interface Translation {
  /** Whoever goes on here on the target misses no record that is still to be read. */
  readonly target: number
  /** Nothing is read again. */
  readonly isExact: boolean
}

/** Where unpacking can begin. */
interface Mark {
  /** Of the range that is packed at `at`. */
  readonly source: number
  readonly target: number
  readonly at: number
}

const RANGES_PER_MARK = 128
const BYTES_MIN = 32
const NO_BYTES = new Uint8Array(0)

export class OffsetRanges {
  /** For each range but the last what is left out before it on both sides, and its records; nothing before a marked one. */
  #bytes = NO_BYTES
  #length = 0
  #packed = 0
  /** Every so many ranges one, the first of them at the beginning. */
  #marks: Mark[] = []
  /** The newest range: it may grow. */
  #last: Range | undefined
  /** Ends of the last packed range. */
  #sourceEnd = 0
  #targetEnd = 0
  /** The source offsets `[from, next)` are covered. */
  #from: number
  #next: number

  /** @param from the source offset that is copied next */
  constructor(from: number) {
    this.#from = from
    this.#next = from
  }

  /** The first source offset that is covered. */
  get from(): number {
    return this.#from
  }

  /** The source offset behind what is covered. */
  get next(): number {
    return this.#next
  }

  /** How many ranges there are. */
  get size(): number {
    return this.#packed + (this.#last === undefined ? 0 : 1)
  }

  /** Where whoever has read nothing of what is covered goes on; undefined while nothing was copied. */
  get targetStart(): number | undefined {
    return (this.#marks[0] ?? this.#last)?.target
  }

  /** The last range, when there is one. */
  get last(): Range | undefined {
    return this.#last
  }

  /** The offset that the next record gets on the target at the earliest; undefined while nothing was copied. */
  get targetEnd(): number | undefined {
    return this.#last && this.#last.target + this.#last.count
  }

  /** Adds records behind all others. Throws nothing: what does not fit behind them begins everything anew. */
  append(source: number, target: number, count: number): void {
    if (source < this.#next || target < (this.targetEnd ?? 0)) this.#restart(source)
    const last = this.#last
    const isNext = source === (last && last.source + last.count) && target === this.targetEnd
    if (last !== undefined && isNext) this.#last = { ...last, count: last.count + count }
    else {
      if (last !== undefined) this.#pack(last)
      this.#last = { source, target, count }
    }
    this.#next = source + count
  }

  /** Nothing else up to `next` was copied. */
  advance(next: number): void {
    this.#next = Math.max(this.#next, next)
  }

  /** Adds all of what lies behind: `more` covers the offsets from our end on. */
  join(more: OffsetRanges): void {
    for (const { source, target, count } of more.all()) this.append(source, target, count)
    this.advance(more.next)
  }

  /** All ranges, in order. */
  *all(): Generator<Range, void, undefined> {
    for (const index of this.#marks.keys()) yield* this.#unpacked(index)
    if (this.#last !== undefined) yield this.#last
  }

  /** Forgets old ranges, as many as stand behind one mark at a time, until at most `max` and those of a mark are left. */
  trim(max: number): void {
    // Those behind the newest mark are not full in number yet.
    const full = Math.floor(this.#packed / RANGES_PER_MARK)
    const forgotten = Math.min(full, Math.floor((this.size - max) / RANGES_PER_MARK))
    if (forgotten <= 0) return
    const start = this.#marks[forgotten]?.at ?? this.#length
    this.#bytes = this.#bytes.slice(start, this.#length)
    this.#length -= start
    this.#marks = this.#marks.slice(forgotten).map((mark) => ({ ...mark, at: mark.at - start }))
    this.#packed -= forgotten * RANGES_PER_MARK
    this.#from = (this.#marks[0] ?? this.#last)?.source ?? this.#next
  }

  /** Where a reader that has read all before `source` goes on; `undefined` for what is not covered any more. */
  translate(source: number): Translation | undefined {
    if (source < this.#from) return undefined
    const first = this.#marks[0] ?? this.#last
    if (first === undefined) return undefined
    if (source <= first.source) return { target: first.target, isExact: true }
    const [range, next] = this.#around(source)
    if (range === undefined) return undefined
    if (source < range.source + range.count) {
      return { target: range.target + source - range.source, isExact: true }
    }
    if (next !== undefined) return { target: next.target, isExact: true }
    return { target: range.target + range.count, isExact: source <= this.#next }
  }

  /** The range in which a source offset lies, or behind which, and where the one after that begins. */
  #around(source: number): [range?: Range | undefined, next?: { readonly target: number } | undefined] {
    const last = this.#last
    if (last !== undefined && last.source <= source) return [last]
    const index = this.#marks.findLastIndex((mark) => mark.source <= source)
    const ranges = this.#unpacked(index)
    const at = ranges.findLastIndex((range) => range.source <= source)
    return [ranges[at], ranges[at + 1] ?? this.#marks[index + 1] ?? last]
  }

  #pack({ source, target, count }: Range): void {
    if (this.#packed % RANGES_PER_MARK === 0) {
      this.#marks.push({ source, target, at: this.#length })
      this.#sourceEnd = source
      this.#targetEnd = target
    }
    for (const value of [source - this.#sourceEnd, target - this.#targetEnd, count]) this.#push(value)
    this.#sourceEnd = source + count
    this.#targetEnd = target + count
    this.#packed++
  }

  /** Seven bits a byte, the lowest first. Values may be above 2³². */
  #push(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#pushByte((rest % 0x80) | 0x80)
    this.#pushByte(rest)
  }

  #pushByte(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(Math.max(BYTES_MIN, 2 * this.#length))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length++] = byte
  }

  /** The ranges behind a mark. */
  #unpacked(index: number): Range[] {
    const mark = this.#marks[index]
    if (mark === undefined) return []
    const values = valuesOf(this.#bytes.subarray(mark.at, this.#marks[index + 1]?.at ?? this.#length))
    const ranges: Range[] = []
    let [sourceEnd, targetEnd] = [mark.source, mark.target]
    for (let at = 0; at + 2 < values.length; at += 3) {
      const [sourceGap = 0, targetGap = 0, count = 0] = values.slice(at, at + 3)
      const range = { source: sourceEnd + sourceGap, target: targetEnd + targetGap, count }
      ranges.push(range)
      sourceEnd = range.source + count
      targetEnd = range.target + count
    }
    return ranges
  }

  #restart(from: number): void {
    this.#bytes = NO_BYTES
    this.#length = 0
    this.#packed = 0
    this.#marks = []
    this.#last = undefined
    this.#from = from
    this.#next = from
  }
}

function valuesOf(bytes: Uint8Array): number[] {
  const values: number[] = []
  let [value, factor] = [0, 1]
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor
    factor *= 0x80
    if (byte >= 0x80) continue
    values.push(value)
    value = 0
    factor = 1
  }
  return values
}
