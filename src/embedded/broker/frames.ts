const LENGTH_BYTES = 4

/** `socket.request.max.bytes`. */
const FRAME_BYTES_MAX = 100 * 1024 * 1024

/**
 * Cuts a byte stream into Kafka's frames (int32 length, then so many bytes). A frame that lies within one chunk is a
 * view of it; one that spans several is copied once, into a buffer of its own size.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void
  readonly #length = Buffer.alloc(LENGTH_BYTES)
  #lengthBytes = 0
  #frame: Buffer | undefined
  #filled = 0

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Throws `RangeError` when the peer announces an impossible frame: it does not speak the protocol. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame) {
        const taken = chunk.copy(this.#frame, this.#filled, at)
        this.#filled += taken
        at += taken
        if (this.#filled === this.#frame.length) this.#emit(this.#frame)
        continue
      }
      const missing = LENGTH_BYTES - this.#lengthBytes
      const taken = chunk.copy(this.#length, this.#lengthBytes, at, at + missing)
      this.#lengthBytes += taken
      at += taken
      if (this.#lengthBytes < LENGTH_BYTES) return
      const length = this.#length.readInt32BE(0)
      if (length < 0 || length > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${length} bytes`)
      if (at + length <= chunk.length) {
        this.#emit(chunk.subarray(at, at + length))
        at += length
      } else {
        this.#frame = Buffer.allocUnsafe(length)
        this.#filled = 0
      }
    }
  }

  #emit(frame: Buffer): void {
    this.#frame = undefined
    this.#lengthBytes = 0
    this.#onFrame(frame)
  }
}
