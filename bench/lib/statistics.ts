/** Several measurements of one thing. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Throws when there is nothing to describe. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (low === undefined || high === undefined || min === undefined || max === undefined) {
    throw new Error('no measurements')
  }
  return { median: (low + high) / 2, min, max }
}

/** `1.52 (1.47–1.60)`, or one number when there is one measurement. */
export function spreadText({ median, min, max }: Spread, format: (value: number) => string): string {
  const [middle, low, high] = [format(median), format(min), format(max)]
  return low === high ? middle : `${middle} (${low}–${high})`
}

/** One median over the other; `null` where one of the two was not measured. */
export function over(one: Spread | undefined, other: Spread | undefined): number | null {
  return one === undefined || other === undefined ? null : one.median / other.median
}
