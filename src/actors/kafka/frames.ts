import { Fault } from '../../errors.ts'

/** Where the frames of a link go. None of these may throw: they run in the socket's read callback. */
export interface FrameSink {
  /** Memory for a frame of so many bytes; at least that long. */
  readonly allocate: (bytes: number) => Buffer
  /** A whole frame without its length field. */
  readonly frame: (frame: Buffer) => void
  readonly broken: (fault: Fault) => void
}

/** A frame above this is a broken stream or another protocol, not an answer. */
export const frameBytesMax = 256 * 1024 * 1024

const SCRATCH_BYTES = 16 * 1024
const HEAD_BYTES = 4

/**
 * Splits a socket's bytes into length-prefixed frames without copying them: the socket reads straight into the memory
 * of the frame under way (`onread` of `net.connect` and `tls.connect`). Until `handOver` the bytes pass unframed to
 * `raw`, which is how kafkajs authenticates.
 */
export class Frames {
  /** The `onread` option for the socket. */
  readonly onread = {
    buffer: () => this.#room(),
    callback: (bytes: number, memory: Uint8Array) => this.#read(bytes, memory)
  }
  /** Receives copies of the bytes that come before `handOver`. */
  raw: (bytes: Buffer) => void = () => {}
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  readonly #head = Buffer.allocUnsafe(HEAD_BYTES)
  #sink: FrameSink | undefined
  #target: Buffer = this.#head
  #filled = 0
  #isBroken = false

  handOver(sink: FrameSink): void {
    this.#sink = sink
  }

  #room(): Buffer {
    const isRaw = this.#sink === undefined || this.#isBroken
    return isRaw ? this.#scratch : this.#target.subarray(this.#filled)
  }

  #read(bytes: number, memory: Uint8Array): boolean {
    if (this.#isBroken) return false
    if (memory !== this.#scratch) this.#advance(bytes)
    else if (this.#sink === undefined) this.raw(Buffer.from(memory.subarray(0, bytes)))
    else this.#copy(this.#scratch.subarray(0, bytes))
    return true
  }

  /** The first read after `handOver` was asked for before it and has landed in the scratch memory. */
  #copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isBroken; ) {
      const copied = chunk.copy(this.#target, this.#filled, at)
      at += copied
      this.#advance(copied)
    }
  }

  #advance(bytes: number): void {
    this.#filled += bytes
    if (this.#filled < this.#target.length) return
    if (this.#target === this.#head) this.#begin(this.#head.readInt32BE(0))
    else this.#finish()
  }

  #begin(bytes: number): void {
    if (bytes < HEAD_BYTES || bytes > frameBytesMax) {
      this.#isBroken = true
      this.#expect(this.#head)
      this.#sink?.broken(
        new Fault('stream-broken', `the broker announced an answer of ${bytes} bytes`, { retryable: true })
      )
      return
    }
    this.#expect((this.#sink?.allocate(bytes) ?? Buffer.allocUnsafe(bytes)).subarray(0, bytes))
  }

  #finish(): void {
    const frame = this.#target
    this.#expect(this.#head)
    this.#sink?.frame(frame)
  }

  #expect(target: Buffer): void {
    this.#target = target
    this.#filled = 0
  }
}
