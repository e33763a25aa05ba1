import { kernelBytes } from './kernel-bytes.ts'

/**
 * The part of the program that is WebAssembly, for its vector instructions: `kernel/`, which `npm run kernel` compiles. It
 * has a memory of its own, into which all that it reads is copied.
 */
interface KernelExports {
  readonly memory: WebAssembly.Memory
  readonly base: WebAssembly.Global
  scan(plan: number, results: number, slots: number, start: number, end: number): void
  scanElement(plan: number, results: number, slots: number, start: number, end: number): number
  isUtf8(start: number, end: number): number
  rawCrc32c(register: number, from: number, bytes: number): number
}

/** Thrown through the kernel: it refuses a document for a reason that `kernel/json.ts` numbers, at an address. */
export class KernelRefusal extends Error {
  readonly at: number
  readonly why: number

  constructor(at: number, why: number) {
    super(`refused for reason ${why}`)
    this.at = at
    this.why = why
  }
}

const PAGE_BYTES = 64 * 1024
/** After what was copied in: a quote, where loops end, and bytes that a vector may read beyond it. */
const PADDING_BYTES = 32
const QUOTE = 0x22
/** A memory never shrinks: what needs more than this has a kernel of its own, which goes with it. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024

const compiled = new WebAssembly.Module(Buffer.from(kernelBytes, 'base64'))

export class Kernel {
  readonly exports: KernelExports
  /** Where the memory begins that is ours to fill; the same in every kernel. */
  readonly base: number
  /** What was left at `base`, for whoever may find it there again. */
  resident: object | undefined
  /** How often something was copied in: while it stays the same, what was copied is still there. */
  loads = 0
  /** All of the memory, as words. */
  words: Int32Array
  #bytes: Buffer

  constructor() {
    const malformed = (at: number, why: number) => {
      throw new KernelRefusal(at, why)
    }
    const instance = new WebAssembly.Instance(compiled, { json: { malformed } })
    // The module is ours: its test compiles `kernel/index.ts` and finds the same bytes.
    this.exports = instance.exports as KernelExports
    this.base = this.exports.base.value
    const { buffer } = this.exports.memory
    this.words = new Int32Array(buffer)
    this.#bytes = Buffer.from(buffer)
  }

  /** Copies `[start, end)` to an address. */
  load(source: Uint8Array, start: number, end: number, address: number): void {
    const after = address + end - start
    if (after + PADDING_BYTES > this.#bytes.length) this.#grow(after + PADDING_BYTES)
    const bytes = this.#bytes
    if (Buffer.isBuffer(source)) source.copy(bytes, address, start, end)
    else bytes.set(source.subarray(start, end), address)
    bytes[after] = QUOTE
    this.loads++
  }

  #grow(needed: number): void {
    const { memory } = this.exports
    // At least twofold, since longer and longer documents come one after another.
    const wanted = Math.max(needed, Math.min(this.#bytes.length * 2, KEPT_BYTES_MAX))
    memory.grow(Math.ceil((wanted - this.#bytes.length) / PAGE_BYTES))
    this.words = new Int32Array(memory.buffer)
    this.#bytes = Buffer.from(memory.buffer)
  }
}

/** The one that all share. */
const shared = new Kernel()

export const kernelBase = shared.base

/** A kernel for so many bytes. What is in its memory lasts until something else uses a kernel. */
export function kernelFor(bytes: number): Kernel {
  return bytes + kernelBase + PADDING_BYTES > KEPT_BYTES_MAX ? new Kernel() : shared
}
