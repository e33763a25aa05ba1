// biome-ignore-all lint/style/noNonNullAssertion: every position read is checked against the end first
import { isUtf8 } from 'node:buffer'
import { escapeLength, unescapeInto } from './json-string.ts'

/**
 * A JSON reader that makes no values: it walks the bytes of one document once, checks all of it, and says where the
 * wanted values lie. What `JSON.parse` refuses it refuses, with these differences:
 *
 * - bytes that are not UTF-8 are refused (a decoder before `JSON.parse` would have replaced them);
 * - nesting deeper than `DEPTH_MAX` is refused;
 * - nothing is rounded: a number stays the digits that were sent.
 *
 * Keys may be written with escapes; of repeated keys the last counts, with everything beneath it.
 */

export const DEPTH_MAX = 512

/** What was found at a pointer. `text` has no escapes, so its bytes are the value; `escaped` needs `unescapeInto`. */
export const kinds = {
  absent: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  text: 5,
  escaped: 6,
  object: 7,
  array: 8
} as const

const [TAB, LINE_FEED, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20] as const
const [QUOTE, COMMA, MINUS, PLUS, POINT, ZERO, NINE] = [0x22, 0x2c, 0x2d, 0x2b, 0x2e, 0x30, 0x39] as const
const [COLON, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY] = [0x3a, 0x5c, 0x5b, 0x5d] as const
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d] as const
const [LOWER_E, UPPER_E, LOWER_F, LOWER_N, LOWER_T] = [0x65, 0x45, 0x66, 0x6e, 0x74] as const

/** What a byte is inside a string: 0 ASCII text, 1 a part of a longer character, 2 anything that needs a look. */
const IN_STRING = new Uint8Array(256)
IN_STRING.fill(2, 0, SPACE)
IN_STRING.fill(1, 0x80)
IN_STRING[QUOTE] = IN_STRING[BACKSLASH] = 2

const LITERALS: Readonly<Record<number, { readonly rest: Buffer; readonly kind: number }>> = {
  [LOWER_T]: { rest: Buffer.from('true'), kind: kinds.true },
  [LOWER_F]: { rest: Buffer.from('false'), kind: kinds.false },
  [LOWER_N]: { rest: Buffer.from('null'), kind: kinds.null }
}

/** A key on the way to a wanted value. */
interface Step {
  /** Index of the pointer that ends here, or -1. */
  slot: number
  /** The steps below, by the length of their key in bytes. */
  below: Step[][]
  /** Where the first element of an array leads. */
  first: Step | undefined
  readonly key: Buffer
  /** The document in which this key was last met. */
  met: number
}

class Malformed extends Error {}

/** Finds the values at fixed JSON Pointers (RFC 6901; object members only). One object, many documents. */
export class JsonScanner {
  /** By pointer, in the order given: one of `kinds`. */
  readonly kinds: Uint8Array
  /** By pointer: where the value begins and ends in the buffer; of a string, the bytes between its quotes. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly #root = newStep('')
  readonly #open = new Uint8Array(DEPTH_MAX)
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #document = 0
  /** Whether any string has a byte that is not ASCII. */
  #notAscii = false
  #kind = 0

  /** @param first an array, and pointers into its first element, whose slots follow the others */
  constructor(
    pointers: readonly string[],
    first?: { readonly array: string; readonly pointers: readonly string[] }
  ) {
    const slots = pointers.length + (first?.pointers.length ?? 0)
    this.kinds = new Uint8Array(slots)
    this.starts = new Int32Array(slots)
    this.ends = new Int32Array(slots)
    for (const [slot, pointer] of pointers.entries()) stepAt(this.#root, pointer).slot = slot
    if (first === undefined) return
    const element = newStep('')
    stepAt(this.#root, first.array).first = element
    for (const [index, pointer] of first.pointers.entries()) {
      stepAt(element, pointer).slot = pointers.length + index
    }
  }

  /** Scans the document in `[start, end)`. Returns why it is not one, and then has found nothing. */
  scan(buffer: Buffer, start: number, end: number): string | undefined {
    this.#begin(buffer, start, end)
    try {
      const after = this.#blank(this.#value(this.#root, this.#next(start)))
      if (after < end) throw this.#malformed(after, 'text after the document')
      if (this.#notAscii && !isUtf8(buffer.subarray(start, end))) throw new Malformed('not UTF-8')
      return undefined
    } catch (error) {
      this.kinds.fill(kinds.absent)
      if (error instanceof Malformed) return error.message
      throw error
    }
  }

  /**
   * Scans each element of the array in `[start, end)`, which an earlier scan found sound, and calls `visit` after each
   * until it returns true. Pointers are relative to the element. Says whether a visit returned true.
   */
  some(buffer: Buffer, start: number, end: number, visit: () => boolean): boolean {
    this.#begin(buffer, start, end)
    let at = this.#next(start + 1)
    while (buffer[at] !== CLOSE_ARRAY) {
      this.#begin(buffer, start, end)
      at = this.#next(this.#value(this.#root, at))
      if (visit()) return true
      if (buffer[at] === COMMA) at = this.#next(at + 1)
    }
    return false
  }

  #begin(buffer: Buffer, start: number, end: number): void {
    this.kinds.fill(kinds.absent)
    this.#buffer = buffer
    this.#start = start
    this.#end = end
    this.#document++
    this.#notAscii = false
  }

  /** Reads the value that begins at `at`, notes it for its step, and returns the position after it. */
  #value(step: Step, at: number): number {
    const first = this.#buffer[at]
    const after =
      first === OPEN_OBJECT && step.below.length > 0
        ? this.#object(step, at)
        : first === OPEN_ARRAY && step.first !== undefined
          ? this.#array(step.first, at)
          : this.#skip(at)
    const slot = step.slot
    if (slot >= 0) {
      const quote = first === QUOTE ? 1 : 0
      this.kinds[slot] =
        first === OPEN_OBJECT ? kinds.object : first === OPEN_ARRAY ? kinds.array : this.#kind
      this.starts[slot] = at + quote
      this.ends[slot] = after - quote
    }
    return after
  }

  #object(step: Step, start: number): number {
    const buffer = this.#buffer
    let at = this.#next(start + 1)
    if (buffer[at] === CLOSE_OBJECT) return at + 1
    for (;;) {
      const keyEnd = this.#key(at)
      const below = this.#below(step, at + 1, keyEnd - 1)
      at = this.#colon(keyEnd)
      if (below === undefined) at = this.#skip(at)
      else {
        if (below.met === this.#document) this.#forget(below)
        below.met = this.#document
        at = this.#value(below, at)
      }
      at = this.#next(at)
      if (buffer[at] === CLOSE_OBJECT) return at + 1
      if (buffer[at] !== COMMA) throw this.#malformed(at, 'no comma or end of the object')
      at = this.#next(at + 1)
    }
  }

  /** Notes what is in the first element, and checks the others. */
  #array(first: Step, start: number): number {
    const buffer = this.#buffer
    let at = this.#next(start + 1)
    if (buffer[at] === CLOSE_ARRAY) return at + 1
    at = this.#next(this.#value(first, at))
    while (buffer[at] === COMMA) at = this.#next(this.#skip(this.#next(at + 1)))
    if (buffer[at] !== CLOSE_ARRAY) throw this.#malformed(at, 'no comma or end of the array')
    return at + 1
  }

  /** Checks the value that begins at `at`, whatever it is, and returns the position after it. */
  #skip(at: number): number {
    const byte = this.#buffer[at]!
    if (byte === QUOTE) return this.#string(at)
    return byte === OPEN_OBJECT || byte === OPEN_ARRAY ? this.#skipNested(at) : this.#scalar(at)
  }

  /** Without recursion, so that depth costs a byte a level. */
  #skipNested(start: number): number {
    const buffer = this.#buffer
    const open = this.#open
    let depth = 0
    let at = start
    for (;;) {
      const byte = buffer[at]
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (depth === DEPTH_MAX) throw this.#malformed(at, `nested deeper than ${DEPTH_MAX}`)
        open[depth++] = byte + 2 // The brackets that close are two after those that open.
        at = this.#next(at + 1)
        if (buffer[at] !== byte + 2) {
          if (byte === OPEN_OBJECT) at = this.#colon(this.#key(at))
          continue
        }
      } else {
        at = this.#next(byte === QUOTE ? this.#string(at) : this.#scalar(at))
      }
      for (; buffer[at] === open[depth - 1]; at = this.#next(at)) {
        at++
        if (--depth === 0) return at
      }
      if (buffer[at] !== COMMA) throw this.#malformed(at, 'no comma or end of the array or object')
      at = this.#next(at + 1)
      if (open[depth - 1] === CLOSE_OBJECT) at = this.#colon(this.#key(at))
    }
  }

  /** A number, true, false or null. */
  #scalar(at: number): number {
    const byte = this.#buffer[at]!
    if (byte <= NINE) return this.#number(at)
    const literal = LITERALS[byte]
    if (literal === undefined) throw this.#malformed(at, 'not a value')
    const { rest, kind } = literal
    for (let index = 1; index < rest.length; index++) {
      if (at + index >= this.#end || this.#buffer[at + index] !== rest[index]) {
        throw this.#malformed(at, 'not a value')
      }
    }
    this.#kind = kind
    return at + rest.length
  }

  #string(start: number): number {
    const buffer = this.#buffer
    let seen = 0
    let kind: number = kinds.text
    let at = start + 1
    for (;;) {
      let byte = IN_STRING[buffer[at]!]!
      while (byte < 2) {
        seen |= byte
        byte = IN_STRING[buffer[++at]!]!
      }
      // The loop may have run beyond the end of the document, never beyond the buffer's.
      if (at >= this.#end) throw this.#malformed(this.#end, 'a string without its end')
      if (buffer[at] === QUOTE) break
      if (buffer[at] !== BACKSLASH) throw this.#malformed(at, 'a control character in a string')
      kind = kinds.escaped
      at = this.#escape(at)
    }
    this.#notAscii ||= seen !== 0
    this.#kind = kind
    return at + 1
  }

  #escape(at: number): number {
    const length = escapeLength(this.#buffer, at, this.#end)
    if (length === 0) throw this.#malformed(at, 'an escape that does not exist')
    return at + length
  }

  #number(start: number): number {
    let at = this.#byte(start) === MINUS ? start + 1 : start
    at = this.#byte(at) === ZERO ? at + 1 : this.#digits(at)
    let byte = this.#byte(at)
    if (byte === POINT) {
      at = this.#digits(at + 1)
      byte = this.#byte(at)
    }
    if (byte === LOWER_E || byte === UPPER_E) {
      const sign = this.#byte(at + 1)
      at = this.#digits(sign === MINUS || sign === PLUS ? at + 2 : at + 1)
    }
    this.#kind = kinds.number
    return at
  }

  #digits(start: number): number {
    const buffer = this.#buffer
    const end = this.#end
    let at = start
    while (at < end && isDigit(buffer[at]!)) at++
    if (at === start) throw this.#malformed(at, 'not a value')
    return at
  }

  /** The byte at a position, 0 at the end. */
  #byte(at: number): number {
    return at < this.#end ? this.#buffer[at]! : 0
  }

  #key(at: number): number {
    if (this.#buffer[at] !== QUOTE) throw this.#malformed(at, 'no key')
    return this.#string(at)
  }

  #colon(keyEnd: number): number {
    const at = this.#next(keyEnd)
    if (this.#buffer[at] !== COLON) throw this.#malformed(at, 'no colon')
    return this.#next(at + 1)
  }

  /** The position of the next byte that is not white space. There must be one. */
  #next(at: number): number {
    if (at < this.#end && this.#buffer[at]! > SPACE) return at
    const found = this.#blank(at)
    if (found >= this.#end) throw this.#malformed(this.#end, 'the text ends early')
    return found
  }

  #blank(start: number): number {
    const buffer = this.#buffer
    let at = start
    for (; at < this.#end; at++) {
      const byte = buffer[at]!
      if (byte > SPACE || (byte !== SPACE && byte !== LINE_FEED && byte !== RETURN && byte !== TAB)) break
    }
    return at
  }

  /** The step that the key in `[start, end)` leads to; `#kind` still says whether it has escapes. */
  #below(step: Step, start: number, end: number): Step | undefined {
    if (this.#kind === kinds.escaped) {
      const plain = Buffer.alloc(end - start)
      return find(step, plain, 0, unescapeInto(this.#buffer, start, end, plain, 0))
    }
    return find(step, this.#buffer, start, end)
  }

  /** What an earlier member of the same key had put there is no longer so. */
  #forget(step: Step): void {
    if (step.slot >= 0) this.kinds[step.slot] = kinds.absent
    for (const steps of step.below) for (const below of steps) this.#forget(below)
    if (step.first !== undefined) this.#forget(step.first)
  }

  #malformed(at: number, why: string): Malformed {
    return new Malformed(`not JSON: ${why}, at byte ${at - this.#start}`)
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

function find(step: Step, buffer: Buffer, start: number, end: number): Step | undefined {
  const length = end - start
  if (length >= step.below.length) return undefined
  const candidates = step.below[length]!
  for (let which = 0; which < candidates.length; which++) {
    const candidate = candidates[which]!
    const key = candidate.key
    let index = 0
    while (index < length && key[index] === buffer[start + index]) index++
    if (index === length) return candidate
  }
  return undefined
}

function newStep(key: string): Step {
  return { slot: -1, below: [], first: undefined, key: Buffer.from(key), met: 0 }
}

function stepAt(root: Step, pointer: string): Step {
  let step = root
  for (const name of pointer.split('/').slice(1)) {
    const key = Buffer.from(name.replaceAll('~1', '/').replaceAll('~0', '~'))
    let below = find(step, key, 0, key.length)
    if (below === undefined) {
      below = newStep(key.toString())
      for (let length = step.below.length; length <= key.length; length++) step.below.push([])
      step.below[key.length]!.push(below)
    }
    step = below
  }
  return step
}
