/** Allows `rate` events per second on average; what was not used within a second is not made up for. */
export class Pacer {
  readonly #rate: number
  readonly #now: () => number
  #allowance = 0
  #countedMs: number

  /** No rate: no limit. `now` is a monotonic clock in milliseconds. */
  constructor(rate: number | undefined, now: () => number) {
    this.#rate = rate ?? Infinity
    this.#now = now
    this.#countedMs = now()
  }

  /** Whole events that may go now; tell `spend` how many went. */
  allowance(): number {
    if (this.#rate === Infinity) return Infinity
    const now = this.#now()
    const burst = Math.max(1, this.#rate)
    this.#allowance = Math.min(burst, this.#allowance + ((now - this.#countedMs) / 1000) * this.#rate)
    this.#countedMs = now
    return Math.floor(this.#allowance)
  }

  spend(events: number): void {
    if (this.#rate !== Infinity) this.#allowance -= events
  }

  /** Until the next event may go. */
  waitMs(): number {
    return this.#rate === Infinity ? 0 : Math.max(5, ((1 - this.#allowance) / this.#rate) * 1000)
  }
}
