/** The timers of one broker, so that stopping it leaves none behind. */
export class Timers {
  readonly #live = new Set<NodeJS.Timeout>()
  #closed = false

  /** Calls `run` once after `ms`; the returned timer can be `refresh`ed until it has fired or was cancelled. */
  after(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(
      () => {
        if (this.#closed) return
        this.#live.delete(timer)
        run()
      },
      Math.max(0, Math.min(ms, 0x7fffffff))
    )
    if (this.#closed) clearTimeout(timer)
    else this.#live.add(timer)
    return timer
  }

  cancel(timer: NodeJS.Timeout | undefined): void {
    if (timer === undefined) return
    clearTimeout(timer)
    this.#live.delete(timer)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#live) clearTimeout(timer)
    this.#live.clear()
  }
}
