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

  /** Memory for an answer of so many bytes. One above the lease gets a buffer of its own, counted in the budget. */
  allocate(bytes: number): Buffer {
    if (bytes > this.#lease.bytes) this.#beyond = this.#budget.takeNow(bytes - this.#lease.bytes)
    this.#lease.trim(bytes)
    this.#buffer = this.#pool?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes)
    return this.#buffer
  }

  /** A lease for one slice of the answer. */
  share(bytes: number): Lease {
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

/** Buffers of one size, used again and again: fresh memory of this size costs a page fault for every 4 KiB. */
export class BufferPool {
  readonly #bufferBytes: number
  readonly #freeMax: number
  readonly #free: Buffer[] = []

  constructor(bufferBytes: number, freeMax: number) {
    this.#bufferBytes = bufferBytes
    this.#freeMax = freeMax
  }

  /** `undefined` for what does not fit, and for what is so small that a buffer would mostly be held in vain. */
  take(bytes: number): Buffer | undefined {
    if (bytes > this.#bufferBytes || bytes < this.#bufferBytes / 2) return undefined
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bufferBytes)
  }

  give(buffer: Buffer): void {
    if (buffer.length === this.#bufferBytes && this.#free.length < this.#freeMax) this.#free.push(buffer)
  }
}
