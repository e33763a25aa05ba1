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

interface Chunk {
  /** Of its first range. */
  readonly source: number
  readonly target: number
  /** For each range what is left out before it on both sides, and its records. */
  readonly bytes: Uint8Array
}

const CHUNK_RANGES = 128

export class OffsetRanges {
  #chunks: Chunk[] = []
  /** The newest ranges, in order. */
  #open: Range[] = []
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
    return this.#chunks.length * CHUNK_RANGES + this.#open.length
  }

  /** Where whoever has read nothing of what is covered goes on; undefined while nothing was copied. */
  get targetStart(): number | undefined {
    return (this.#chunks[0] ?? this.#open[0])?.target
  }

  /** The last range, when there is one. */
  get last(): Range | undefined {
    return this.#open.at(-1)
  }

  /** The offset that the next record gets on the target at the earliest; undefined while nothing was copied. */
  get targetEnd(): number | undefined {
    return this.last && this.last.target + this.last.count
  }

  /** Adds records behind all others. Throws nothing: what does not fit behind them begins everything anew. */
  append(source: number, target: number, count: number): void {
    const { last } = this
    if (source < this.#next || target < (this.targetEnd ?? 0)) this.#restart(source)
    else if (
      last !== undefined &&
      source === last.source + last.count &&
      target === last.target + last.count
    ) {
      this.#open[this.#open.length - 1] = { ...last, count: last.count + count }
      this.#next = source + count
      return
    }
    this.#open.push({ source, target, count })
    this.#next = source + count
    // The last range stays open: it may grow.
    if (this.#open.length > CHUNK_RANGES) this.#chunks.push(packed(this.#open.splice(0, CHUNK_RANGES)))
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
    for (const chunk of this.#chunks) yield* unpacked(chunk)
    yield* this.#open
  }

  /** Forgets old ranges until at most `max` and a chunk are left. */
  trim(max: number): void {
    const excess = this.size - max
    const forgotten = Math.min(this.#chunks.length, Math.floor(excess / CHUNK_RANGES))
    if (forgotten <= 0) return
    this.#chunks.splice(0, forgotten)
    this.#from = this.#chunks[0]?.source ?? this.#open[0]?.source ?? this.#next
  }

  /** Where a reader that has read all before `source` goes on; `undefined` for what is not covered any more. */
  translate(source: number): Translation | undefined {
    if (source < this.#from) return undefined
    const first = this.#chunks[0] ?? this.#open[0]
    if (first === undefined) return undefined
    if (source <= first.source) return { target: first.target, isExact: true }
    const index = this.#chunks.findLastIndex((chunk) => chunk.source <= source)
    const chunk = this.#chunks[index]
    const isOpen = (this.#open[0]?.source ?? Number.POSITIVE_INFINITY) <= source
    const ranges = isOpen || chunk === undefined ? this.#open : unpacked(chunk)
    const at = ranges.findLastIndex((range) => range.source <= source)
    const range = ranges[at]
    if (range === undefined) return undefined
    if (source < range.source + range.count) {
      return { target: range.target + source - range.source, isExact: true }
    }
    const next = ranges[at + 1] ?? (isOpen ? undefined : (this.#chunks[index + 1] ?? this.#open[0]))
    if (next !== undefined) return { target: next.target, isExact: true }
    return { target: range.target + range.count, isExact: source <= this.#next }
  }

  #restart(from: number): void {
    this.#chunks = []
    this.#open = []
    this.#from = from
    this.#next = from
  }
}

function packed(ranges: readonly Range[]): Chunk {
  const bytes: number[] = []
  const { source = 0, target = 0 } = ranges[0] ?? {}
  let [sourceEnd, targetEnd] = [source, target]
  for (const range of ranges) {
    for (const value of [range.source - sourceEnd, range.target - targetEnd, range.count]) push(bytes, value)
    sourceEnd = range.source + range.count
    targetEnd = range.target + range.count
  }
  return { source, target, bytes: Uint8Array.from(bytes) }
}

function unpacked({ source, target, bytes }: Chunk): Range[] {
  const ranges: Range[] = []
  const values = valuesOf(bytes)
  let [sourceEnd, targetEnd] = [source, target]
  for (let at = 0; at + 2 < values.length; at += 3) {
    const [sourceGap = 0, targetGap = 0, count = 0] = values.slice(at, at + 3)
    const range = { source: sourceEnd + sourceGap, target: targetEnd + targetGap, count }
    ranges.push(range)
    sourceEnd = range.source + count
    targetEnd = range.target + count
  }
  return ranges
}

/** Seven bits a byte, the lowest first. Values may be above 2³². */
function push(bytes: number[], value: number): void {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
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
