/** Counts the data files that are being written by all chains of a sink, and says when there are more than it wants. */
export class OpenFiles {
  /** More than so many are too many; fewer chains than that must be growing at a time. */
  readonly limit: number
  #open = 0
  readonly #listeners = new Set<(open: number) => void>()

  constructor(limit: number) {
    this.limit = limit
  }

  get open(): number {
    return this.#open
  }

  change(by: number): void {
    this.#open += by
    if (by > 0 && this.#open > this.limit) for (const listener of this.#listeners) listener(this.#open)
  }

  /** Calls `listener` for each file too many; returns a function that ends this. */
  onExceeded(listener: (open: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
