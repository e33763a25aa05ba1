/** Sums per second over the last few seconds, from counters that only grow. */
export class Rates {
  readonly #windowMs: number
  readonly #samples: { readonly at: number; readonly totals: Readonly<Record<string, number>> }[] = []

  constructor(windowMs = 5000) {
    this.#windowMs = windowMs
  }

  /**
   * Takes the totals as of `at` (milliseconds) and answers what each grew by per second since the oldest sample in the
   * window. A counter without an earlier sample has no rate yet; one that fell was begun anew and counts from 0.
   */
  update(at: number, totals: Readonly<Record<string, number>>): Record<string, number> {
    const samples = this.#samples
    while ((samples[1]?.at ?? at) <= at - this.#windowMs) samples.shift()
    const oldest = samples[0]
    // Many viewers ask many times a second; a few samples per window are enough.
    if (at - (samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= this.#windowMs / 10)
      samples.push({ at, totals })
    const seconds = (at - (oldest?.at ?? at)) / 1000
    if (oldest === undefined || seconds <= 0) return {}
    const rates: Record<string, number> = {}
    for (const [name, total] of Object.entries(totals)) {
      const earlier = oldest.totals[name]
      if (earlier !== undefined) rates[name] = (total >= earlier ? total - earlier : total) / seconds
    }
    return rates
  }
}
