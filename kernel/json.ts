import { BACKSLASH, byteAt, hex4, LINE_FEED, LOWER_U, RETURN, simpleEscape, TAB, ZERO } from './escapes'
import { find, findEscaped } from './keys'

/**
 * Scans one JSON document for the values at fixed pointers; `JsonScanner` (src/records/json.ts) says what it accepts and
 * builds the plan.
 *
 * The plan is a tree of steps, each a key on the way to a wanted value, aligned to 16 bytes:
 *
 *     0 slot, -1: none          4 the document in which the key was last met
 *     8 step of an array's first element, 0: none
 *     12 next step of the same parent whose key has as many bytes, 0: none
 *     16 how many lengths keys below may have, 0: none       20 by length: the first step below
 *     32 the key, filled up to 16 bytes
 *
 * The results are 16 bytes of which the first four count the list, then 16 bytes a slot: kind, start, end, whether it is on the
 * list; then the list of slots at which something was found, since most find nothing. All zeros before the first document.
 *
 * Positions are addresses. After the document comes a quote, which ends every loop over its bytes, and 15 bytes that may be
 * read.
 */

/** Does not return: throws in JavaScript. */
// @ts-ignore: a decorator of AssemblyScript
@external('json', 'malformed')
declare function malformed(at: usize, why: u32): void

const DEPTH_MAX: u32 = 512

/** Reasons, in the order of the messages in src/records/json.ts. */
const AFTER_DOCUMENT: u32 = 0
const NO_OBJECT_END: u32 = 1
const NO_ARRAY_END: u32 = 2
const NO_END: u32 = 3
const TOO_DEEP: u32 = 4
const NO_VALUE: u32 = 5
const NO_QUOTE: u32 = 6
const CONTROL: u32 = 7
const NO_ESCAPE: u32 = 8
const NO_KEY: u32 = 9
const NO_COLON: u32 = 10
const ENDS_EARLY: u32 = 11

/** As `kinds` in src/records/json.ts. */
const NULL: u32 = 1
const FALSE: u32 = 2
const TRUE: u32 = 3
const NUMBER: u32 = 4
const TEXT: u32 = 5
const ESCAPED: u32 = 6
const OBJECT: u32 = 7
const ARRAY: u32 = 8

const SPACE: u32 = 0x20
const QUOTE: u32 = 0x22
const PLUS: u32 = 0x2b
const COMMA: u32 = 0x2c
const MINUS: u32 = 0x2d
const POINT: u32 = 0x2e
const NINE: u32 = 0x39
const COLON: u32 = 0x3a
const OPEN_ARRAY: u32 = 0x5b
const CLOSE_ARRAY: u32 = 0x5d
const LOWER_E: u32 = 0x65
const OPEN_OBJECT: u32 = 0x7b
const CLOSE_OBJECT: u32 = 0x7d
/** Read as little-endian words. */
const WORD_NULL: u32 = 0x6c6c_756e
const WORD_TRUE: u32 = 0x6575_7274
const WORD_FALS: u32 = 0x736c_6166

/** Brackets that are open in `skipNested`. */
const OPEN: usize = memory.data(512, 16)

let documentEnd: usize = 0
let count: usize = 0
let list: usize = 0
let document: u32 = 0
/** Of the string or scalar that was read last. */
let kind: u32 = 0

/** Scans the document in `[start, end)`. */
export function scan(plan: usize, results: usize, slots: u32, start: usize, end: usize): void {
  begin(results, slots, end)
  const after = blank(value(plan, next(start)))
  if (after < end) fail(after, AFTER_DOCUMENT)
}

/** Scans the element of an array that begins at or after `start`; returns where something follows it, 0 if there is none. */
export function scanElement(plan: usize, results: usize, slots: u32, start: usize, end: usize): usize {
  begin(results, slots, end)
  const at = next(start)
  return byteAt(at) == CLOSE_ARRAY ? 0 : next(value(plan, at))
}

/** Clears what the last document of the same plan left. */
function begin(results: usize, slots: u32, end: usize): void {
  documentEnd = end
  document++
  count = results
  list = resultOf(slots)
  const listEnd = list + (load<u32>(count) << 2)
  for (let at = list; at < listEnd; at += 4) store<u32>(resultOf(load<u32>(at)), 0, 12)
  store<u32>(count, 0)
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function resultOf(slot: u32): usize {
  return count + 16 + (usize(slot) << 4)
}

function fail(at: usize, why: u32): void {
  malformed(at, why)
  unreachable()
}

/** Reads the value that begins at `at`, notes it for its step, and returns the position after it. */
function value(step: usize, at: usize): usize {
  const first = byteAt(at)
  let after: usize
  let quote: usize = 0
  if (first == QUOTE) {
    after = text(at)
    quote = 1
  } else if (first == OPEN_OBJECT) {
    after = load<u32>(step, 16) != 0 ? object(step, at) : skipNested(at)
    kind = OBJECT
  } else if (first == OPEN_ARRAY) {
    const element = load<u32>(step, 8)
    after = element != 0 ? array(element, at) : skipNested(at)
    kind = ARRAY
  } else after = scalar(at)
  const slot = load<i32>(step)
  if (slot >= 0) {
    const result = resultOf(slot)
    if (load<u32>(result, 12) == 0) {
      const listed = load<u32>(count)
      store<u32>(list + (usize(listed) << 2), slot)
      store<u32>(count, listed + 1)
      store<u32>(result, 1, 12)
    }
    store<u32>(result, kind)
    store<u32>(result, at + quote, 4)
    store<u32>(result, after - quote, 8)
  }
  return after
}

function object(step: usize, start: usize): usize {
  let at = next(start + 1)
  if (byteAt(at) == CLOSE_OBJECT) return at + 1
  while (true) {
    const keyEnd = key(at)
    const below = kind == ESCAPED ? findEscaped(step, at + 1, keyEnd - 1) : find(step, at + 1, u32(keyEnd - at - 2))
    at = colon(keyEnd)
    if (below == 0) at = skip(at)
    else {
      if (load<u32>(below, 4) == document) forget(below)
      store<u32>(below, document, 4)
      at = value(below, at)
    }
    at = next(at)
    const byte = byteAt(at)
    if (byte == CLOSE_OBJECT) return at + 1
    if (byte != COMMA) fail(at, NO_OBJECT_END)
    at = next(at + 1)
  }
}

/** Notes what is in the first element, and checks the others. */
function array(element: usize, start: usize): usize {
  let at = next(start + 1)
  if (byteAt(at) == CLOSE_ARRAY) return at + 1
  at = next(value(element, at))
  while (byteAt(at) == COMMA) at = next(skip(next(at + 1)))
  if (byteAt(at) != CLOSE_ARRAY) fail(at, NO_ARRAY_END)
  return at + 1
}

/** Checks the value that begins at `at`, whatever it is, and returns the position after it. */
function skip(at: usize): usize {
  const byte = byteAt(at)
  if (byte == QUOTE) return text(at)
  return byte == OPEN_OBJECT || byte == OPEN_ARRAY ? skipNested(at) : scalar(at)
}

/** Without recursion, so that depth costs a byte a level. */
function skipNested(start: usize): usize {
  let depth: u32 = 0
  let at = start
  while (true) {
    const byte = byteAt(at)
    if (byte == OPEN_OBJECT || byte == OPEN_ARRAY) {
      if (depth == DEPTH_MAX) fail(at, TOO_DEEP)
      store<u8>(OPEN + depth++, byte + 2) // The brackets that close are two after those that open.
      at = next(at + 1)
      if (byteAt(at) != byte + 2) {
        if (byte == OPEN_OBJECT) at = colon(key(at))
        continue
      }
    } else {
      at = next(byte == QUOTE ? text(at) : scalar(at))
    }
    for (; byteAt(at) == load<u8>(OPEN + depth - 1); at = next(at)) {
      at++
      if (--depth == 0) return at
    }
    if (byteAt(at) != COMMA) fail(at, NO_END)
    at = next(at + 1)
    if (load<u8>(OPEN + depth - 1) == CLOSE_OBJECT) at = colon(key(at))
  }
}

/** A number, true, false or null. */
function scalar(at: usize): usize {
  if (byteAt(at) <= NINE) return number(at)
  const word = load<u32>(at)
  let after = at + 4
  if (word == WORD_NULL) kind = NULL
  else if (word == WORD_TRUE) kind = TRUE
  else if (word == WORD_FALS && byteAt(after) == LOWER_E) {
    kind = FALSE
    after++
  } else fail(at, NO_VALUE)
  return after
}

function text(start: usize): usize {
  kind = TEXT
  let at = start + 1
  while (true) {
    const bytes = v128.load(at)
    const stops = i8x16.bitmask(
      v128.or(
        v128.or(
          i8x16.eq(bytes, i8x16.splat(0x22)),
          i8x16.eq(bytes, i8x16.splat(0x5c))
        ),
        i8x16.lt_u(bytes, i8x16.splat(0x20))
      )
    )
    if (stops == 0) {
      at += 16
      continue
    }
    at += ctz(stops)
    if (at >= documentEnd) fail(documentEnd, NO_QUOTE)
    const byte = byteAt(at)
    if (byte == QUOTE) return at + 1
    if (byte != BACKSLASH) fail(at, CONTROL)
    kind = ESCAPED
    at += escapeLength(at)
  }
}

/** Bytes of the escape whose backslash is at `at`. */
function escapeLength(at: usize): usize {
  const letter = at + 1 < documentEnd ? byteAt(at + 1) : 0
  if (letter == LOWER_U) {
    if (at + 6 > documentEnd || hex4(at + 2) < 0) fail(at, NO_ESCAPE)
    return 6
  }
  if (simpleEscape(letter) == 0) fail(at, NO_ESCAPE)
  return 2
}

function number(start: usize): usize {
  let at = byteAt(start) == MINUS ? start + 1 : start
  at = byteAt(at) == ZERO ? at + 1 : digits(at)
  let byte = byteAt(at)
  if (byte == POINT) {
    at = digits(at + 1)
    byte = byteAt(at)
  }
  if ((byte | 0x20) == LOWER_E) {
    const sign = byteAt(at + 1)
    at = digits(sign == MINUS || sign == PLUS ? at + 2 : at + 1)
  }
  kind = NUMBER
  return at
}

function digits(start: usize): usize {
  let at = start
  while (byteAt(at) - ZERO <= 9) at++
  if (at == start) fail(at, NO_VALUE)
  return at
}

function key(at: usize): usize {
  if (byteAt(at) != QUOTE) fail(at, NO_KEY)
  return text(at)
}

function colon(keyEnd: usize): usize {
  const at = next(keyEnd)
  if (byteAt(at) != COLON) fail(at, NO_COLON)
  return next(at + 1)
}

/** The position of the next byte that is not white space. There must be one. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function next(at: usize): usize {
  return byteAt(at) > SPACE && at < documentEnd ? at : nextAfterBlank(at)
}

function nextAfterBlank(at: usize): usize {
  const after = blank(at)
  if (after >= documentEnd) fail(documentEnd, ENDS_EARLY)
  return after
}

function blank(start: usize): usize {
  let at = start
  for (; at < documentEnd; at++) {
    const byte = byteAt(at)
    if (byte != SPACE && byte != LINE_FEED && byte != RETURN && byte != TAB) break
  }
  return at
}

/** What an earlier member of the same key had put there is no longer so. */
function forget(step: usize): void {
  const slot = load<i32>(step)
  if (slot >= 0) store<u32>(resultOf(slot), 0)
  const lengths = load<u32>(step, 16)
  for (let length: u32 = 0; length < lengths; length++) {
    let below: usize = load<u32>(load<u32>(step, 20) + (length << 2))
    for (; below != 0; below = load<u32>(below, 12)) forget(below)
  }
  const element = load<u32>(step, 8)
  if (element != 0) forget(element)
}
