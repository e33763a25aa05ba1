/** How far partitions are behind, sampled again and again. */
export class Lags {
  readonly #sums = new Map<string, number>()
  #samples = 0

  /**
   * @param ends where the source's partitions end, by name
   * @param positions the next offset to copy, asked for before `ends`
   */
  sample(ends: ReadonlyMap<string, number>, positions: ReadonlyMap<string, number>): void {
    this.#samples++
    for (const [key, end] of ends) {
      const lag = Math.max(0, end - (positions.get(key) ?? 0))
      this.#sums.set(key, (this.#sums.get(key) ?? 0) + lag)
    }
  }

  /** Each partition's mean over the samples, in records: the middle one and the largest. */
  summary(): { readonly median: number; readonly largest: number; readonly of: string } {
    const means = [...this.#sums].map(([key, sum]) => ({ key, mean: sum / Math.max(1, this.#samples) }))
    const sorted = means.toSorted((a, b) => a.mean - b.mean)
    const last = sorted.at(-1)
    return {
      median: sorted[sorted.length >> 1]?.mean ?? 0,
      largest: last?.mean ?? 0,
      of: last?.key ?? ''
    }
  }
}
