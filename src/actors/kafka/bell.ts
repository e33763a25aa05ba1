/** Wakes one loop that waits for work or for time. A ring before the wait is not lost. */
export class Bell {
  #isRung = false
  #wake: () => void = () => {}

  ring(): void {
    this.#isRung = true
    this.#wake()
  }

  /** Resolves at the next ring or after `ms`; rejects with what `signal` was aborted with. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#isRung && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined
        const wake = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#wake = wake
        signal.addEventListener('abort', wake, { once: true })
      })
      this.#wake()
      this.#wake = () => {}
    }
    this.#isRung = false
    signal.throwIfAborted()
  }
}
