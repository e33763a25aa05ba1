/** A buffer as words: reading four bytes at once is what makes hashing and comparing fast. */
export function viewOn(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
}

interface View {
  readonly buffer: Buffer
  readonly words: DataView
}

const NONE = Buffer.alloc(0)
/** The last two are kept: values come in turn from few buffers, mostly a batch and what was unescaped of it. */
let last: View = { buffer: NONE, words: viewOn(NONE) }
let before = last

/** A view that was made before, if the buffer is one of the last. */
export function wordsOf(buffer: Buffer): DataView {
  if (last.buffer === buffer) return last.words
  const found = before.buffer === buffer ? before : { buffer, words: viewOn(buffer) }
  before = last
  last = found
  return found.words
}
