/**
 * Permission to hold bytes. Nothing that came from a socket is kept without a lease, and every stage stops reading when
 * its share is used up, so that memory is bounded by configuration and not by luck.
 *
 * A share grants a single lease above its limit when nothing else is held: one batch may be larger than the share, and
 * refusing it for ever would wedge its partition.
 */
export class ByteBudget {
  readonly limitBytes: number
  #usedBytes = 0
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = []
  readonly #listeners = new Set<(usedBytes: number) => void>()

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Resolves with a lease once the bytes are free, first come first served; rejects when `signal` aborts. */
  take(bytes: number, signal: AbortSignal): Promise<TrimmableLease> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#fits(bytes)) return Promise.resolve(this.#lease(bytes))
    return new Promise((resolve, reject) => {
      const waiter = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', onAbort)
          resolve(this.#lease(bytes))
        }
      }
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#grant()
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Takes bytes that are already in memory, even above the limit: what is held must be counted. */
  takeNow(bytes: number): Lease {
    return this.#lease(bytes)
  }

  /** Calls `listener` with the used bytes after each change; returns a function that ends this. */
  onChange(listener: (usedBytes: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes
  }

  #lease(bytes: number): TrimmableLease {
    this.#change(bytes)
    let held = bytes
    return {
      get bytes() {
        return held
      },
      trim: (bytes) => {
        const returned = held - bytes
        if (returned <= 0) return
        held = bytes
        this.#change(-returned)
        this.#grant()
      },
      release: () => {
        const returned = held
        held = 0
        if (returned === 0) return
        this.#change(-returned)
        this.#grant()
      }
    }
  }

  #grant(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.grant()
    }
  }

  #change(bytes: number): void {
    this.#usedBytes += bytes
    for (const listener of this.#listeners) listener(this.#usedBytes)
  }
}

export interface Lease {
  /** Bytes still held; 0 after `release`. */
  readonly bytes: number
  /** Gives the bytes back; a second call does nothing. */
  readonly release: () => void
}

/** What `take` grants: often asked for before it is known how many bytes will come. */
export interface TrimmableLease extends Lease {
  /** Gives back all but so many bytes; does nothing when fewer are held. */
  readonly trim: (bytes: number) => void
}
