// biome-ignore-all lint/style/noNonNullAssertion: the arrays have one length
import type { JsonPlan } from './json-plan.ts'
import { type Kernel, KernelRefusal, kernelFor } from './kernel.ts'

/**
 * A JSON reader that makes no values: it walks the bytes of one document once, checks all of it, and says where the
 * wanted values lie. What `JSON.parse` refuses it refuses, with these differences:
 *
 * - bytes that are not UTF-8 are refused (a decoder before `JSON.parse` would have replaced them);
 * - nesting deeper than `DEPTH_MAX` is refused;
 * - nothing is rounded: a number stays the digits that were sent.
 *
 * Keys may be written with escapes; of repeated keys the last counts, with everything beneath it.
 *
 * The walk itself is WebAssembly, `kernel/json.ts`.
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

/** By the numbers of `kernel/json.ts`. */
const REASONS = [
  'text after the document',
  'no comma or end of the object',
  'no comma or end of the array',
  'no comma or end of the array or object',
  `nested deeper than ${DEPTH_MAX}`,
  'not a value',
  'a string without its end',
  'a control character in a string',
  'an escape that does not exist',
  'no key',
  'no colon',
  'the text ends early'
] as const

const [COMMA, CLOSE_ARRAY] = [0x2c, 0x5d] as const

/** Finds the values at a plan's JSON Pointers. One object, many documents; a plan may be that of many scanners. */
export class JsonScanner {
  /** By pointer, in the order given: one of `kinds`. */
  readonly kinds: Uint8Array
  /** By pointer: where the value begins and ends in the buffer; of a string, the bytes between its quotes. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly #plan: JsonPlan

  constructor(plan: JsonPlan) {
    this.#plan = plan
    const { slots } = plan
    this.kinds = new Uint8Array(slots)
    this.starts = new Int32Array(slots)
    this.ends = new Int32Array(slots)
  }

  /** Scans the document in `[start, end)`. Returns why it is not one, and then has found nothing. */
  scan(buffer: Buffer, start: number, end: number): string | undefined {
    const plan = this.#plan
    const kernel = kernelFor(plan.bytes + end - start)
    const from = plan.load(kernel, buffer, start, end)
    const to = from + end - start
    try {
      kernel.exports.scan(plan.root, plan.results, plan.slots, from, to)
    } catch (error) {
      this.kinds.fill(kinds.absent)
      if (!(error instanceof KernelRefusal)) throw error
      return `not JSON: ${REASONS[error.why]}, at byte ${error.at - from}`
    }
    if (kernel.exports.isUtf8(from, to) === 0) {
      this.kinds.fill(kinds.absent)
      return 'not UTF-8'
    }
    this.#take(kernel, start - from)
    return undefined
  }

  /**
   * Scans each element of the array in `[start, end)`, which an earlier scan found sound, and calls `visit` after each
   * until it returns true. Pointers are relative to the element. Says whether a visit returned true.
   */
  some(buffer: Buffer, start: number, end: number, visit: () => boolean): boolean {
    const plan = this.#plan
    const kernel = kernelFor(plan.bytes + end - start)
    let [from, loads, at] = [0, -1, start + 1]
    for (;;) {
      // A visit may have scanned something else meanwhile.
      if (kernel.loads !== loads) {
        from = plan.load(kernel, buffer, start, end)
        loads = kernel.loads
      }
      const after = kernel.exports.scanElement(
        plan.root,
        plan.results,
        plan.slots,
        from + at - start,
        from + end - start
      )
      if (after === 0) return false
      this.#take(kernel, start - from)
      if (visit()) return true
      at = after - from + start
      if (buffer[at] === CLOSE_ARRAY) return false
      if (buffer[at] === COMMA) at++
    }
  }

  /** What was found, at positions of the buffer instead of the kernel's addresses. */
  #take({ words }: Kernel, moved: number): void {
    const { slots, results } = this.#plan
    const { kinds: found, starts, ends } = this
    const [first, list] = [(results >> 2) + 4, (results >> 2) + 4 + slots * 4]
    const listEnd = list + words[results >> 2]!
    found.fill(kinds.absent)
    for (let at = list; at < listEnd; at++) {
      const slot = words[at]!
      const word = first + slot * 4
      found[slot] = words[word]!
      starts[slot] = words[word + 1]! + moved
      ends[slot] = words[word + 2]! + moved
    }
  }
}
