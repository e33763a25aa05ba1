// biome-ignore-all lint/style/noNonNullAssertion: positions are checked against the end first
const [QUOTE, LINE_FEED, RETURN] = [0x22, 0x0a, 0x0d] as const

/** What a field was: `empty` is one without quotes and without text, `quoted` one in quotes, `doubled` with `""` in it. */
export const fields = { empty: 0, plain: 1, quoted: 2, doubled: 3 } as const

/**
 * Finds the fields of one line of CSV (RFC 4180) by their bytes: a field in quotes may hold delimiters, line breaks and
 * quotes, these doubled. Spaces belong to their field. One object, many lines.
 */
export class CsvScanner {
  count = 0
  /** By field: one of `fields`, and its text in the buffer, without its quotes. */
  kinds = new Uint8Array(64)
  starts = new Int32Array(64)
  ends = new Int32Array(64)
  readonly #delimiter: number

  /** @param delimiter one ASCII character, neither a quote nor a line break */
  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /** Scans `[start, end)`, one line with or without its line break. Returns why it is none. */
  scan(buffer: Buffer, start: number, end: number): string | undefined {
    this.count = 0
    let at = start
    for (;;) {
      const after =
        buffer[at] === QUOTE && at < end ? this.#quoted(buffer, at, end) : this.#plain(buffer, at, end)
      if (after < 0) return `not CSV: a quoted field without its end, at byte ${at - start}`
      if (after < end && buffer[after] === this.#delimiter) at = after + 1
      else if (isEnd(buffer, after, end)) return undefined
      else if (buffer[after] === LINE_FEED || buffer[after] === RETURN) return 'not CSV: more than one line'
      else return `not CSV: text beside the quotes of a field, at byte ${after - start}`
    }
  }

  /** The position after the field that begins at `start`. */
  #plain(buffer: Buffer, start: number, end: number): number {
    let at = start
    for (; at < end; at++) {
      const byte = buffer[at]!
      if (byte === this.#delimiter || byte === LINE_FEED || byte === RETURN || byte === QUOTE) break
    }
    this.#add(at === start ? fields.empty : fields.plain, start, at)
    return at
  }

  #quoted(buffer: Buffer, start: number, end: number): number {
    let kind: number = fields.quoted
    for (let at = start + 1; at < end; at++) {
      if (buffer[at] !== QUOTE) continue
      if (at + 1 < end && buffer[at + 1] === QUOTE) {
        kind = fields.doubled
        at++
      } else {
        this.#add(kind, start + 1, at)
        return at + 1
      }
    }
    return -1
  }

  #add(kind: number, start: number, end: number): void {
    if (this.count === this.kinds.length) this.#grow()
    this.kinds[this.count] = kind
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.count++
  }

  #grow(): void {
    const [kinds, starts, ends] = [this.kinds, this.starts, this.ends]
    this.kinds = new Uint8Array(this.count * 2)
    this.starts = new Int32Array(this.count * 2)
    this.ends = new Int32Array(this.count * 2)
    this.kinds.set(kinds)
    this.starts.set(starts)
    this.ends.set(ends)
  }
}

/** Writes a `doubled` field's text to `target` and returns the position after it. */
export function unquoteInto(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  targetStart: number
): number {
  let to = targetStart
  for (let at = start; at < end; at++) {
    target[to++] = source[at]!
    if (source[at] === QUOTE) at++
  }
  return to
}

/** Whether nothing but one line break follows. */
function isEnd(buffer: Buffer, at: number, end: number): boolean {
  const line = buffer[at] === RETURN && at + 1 < end ? at + 1 : at
  return at >= end || (line === end - 1 && buffer[line] === LINE_FEED)
}
