import type { ByteBudget, Lease, TrimmableLease } from '../budget.ts'

/**
 * The memory of one fetch answer, shared by the slices in it: leased before the request is sent, cut to what came, and
 * given back when the last slice is released.
 */
export class AnswerMemory {
  readonly #budget: ByteBudget
  readonly #pool: BufferPool | undefined
  readonly #lease: TrimmableLease
  #buffer: Buffer | undefined
  #beyond: Lease | undefined
  #holders = 1

  constructor(lease: TrimmableLease, budget: ByteBudget, pool: BufferPool | undefined) {
    this.#lease = lease
    this.#budget = budget
    this.#pool = pool
  }

  /** Memory for an answer of so many bytes, or a little more: all of it counts. What is above the lease counts beside it. */
  allocate(bytes: number): Buffer {
    const buffer = this.#pool?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes)
    if (buffer.length > this.#lease.bytes)
      this.#beyond = this.#budget.takeNow(buffer.length - this.#lease.bytes)
    this.#lease.trim(buffer.length)
    this.#buffer = buffer
    return buffer
  }

  /** A lease for one slice of the answer; `released` is called once. */
  share(bytes: number, released: () => void): Lease {
    let held = bytes
    let isHeld = true
    this.#holders++
    return {
      get bytes() {
        return held
      },
      release: () => {
        if (!isHeld) return
        isHeld = false
        held = 0
        this.release()
        released()
      }
    }
  }

  /** Called once by whoever made the request, when all slices have their share. */
  release(): void {
    this.#holders--
    if (this.#holders > 0) return
    this.#lease.release()
    this.#beyond?.release()
    if (this.#buffer !== undefined) this.#pool?.give(this.#buffer)
    this.#buffer = undefined
  }
}

const POOLED_BYTES_MIN = 16 * 1024
/** Sizes of buffers between one power of two and the next: at most a fifth of a new buffer lies idle. */
const SIZES_PER_DOUBLING = 4
/** Answers differ in size: a free buffer serves those that fill the half of it, or each size would have its own idle ones. */
const IDLE_SHARE_MAX = 1 / 2
/** Several times what a commit waits: what nobody wanted for so long was needed in a backlog, and goes back to the system. */
const UNUSED_MS_MAX = 5_000

interface Free {
  readonly buffer: Buffer
  readonly sinceMs: number
}

/**
 * Buffers that are used again and again: fresh memory costs a page fault for every 4 KiB, and a garbage collection that
 * takes a third of the time when answers come by the thousand and are outlived by their slices.
 */
export class BufferPool {
  readonly #freeBytesMax: number
  /** The longest unused first. */
  readonly #free: Free[] = []
  #freeBytes = 0

  /** @param freeBytesMax of the buffers that nobody uses */
  constructor(freeBytesMax: number) {
    this.#freeBytesMax = freeBytesMax
  }

  /** A buffer of at least so many bytes; `undefined` for what is so small that it is not worth keeping. */
  take(bytes: number): Buffer | undefined {
    this.#forget()
    if (bytes < POOLED_BYTES_MIN) return undefined
    const size = sizeFor(bytes)
    const at = this.#fitting(size)
    const [found] = at < 0 ? [] : this.#free.splice(at, 1)
    if (found === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= found.buffer.length
    return found.buffer
  }

  /** The index of the smallest that serves, of several the one used last; -1 when none does. */
  #fitting(size: number): number {
    let best = -1
    let least = size / IDLE_SHARE_MAX
    for (const [index, { buffer }] of this.#free.entries()) {
      if (buffer.length < size || buffer.length > least) continue
      best = index
      least = buffer.length
    }
    return best
  }

  give(buffer: Buffer): void {
    if (buffer.length < POOLED_BYTES_MIN) return
    this.#free.push({ buffer, sinceMs: performance.now() })
    this.#freeBytes += buffer.length
    this.#forget()
  }

  #forget(): void {
    const longAgo = performance.now() - UNUSED_MS_MAX
    for (;;) {
      const [oldest] = this.#free
      if (oldest === undefined) return
      if (this.#freeBytes <= this.#freeBytesMax && oldest.sinceMs >= longAgo) return
      this.#free.shift()
      this.#freeBytes -= oldest.buffer.length
    }
  }
}

function sizeFor(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / SIZES_PER_DOUBLING
  return Math.ceil(bytes / step) * step
}
