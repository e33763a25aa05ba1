const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** A whole or decimal number and a unit, without a space: `500ms`, `1.5h`. */
export const durationPattern = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/
/** A whole or decimal number and a binary unit, without a space: `64MiB`. */
export const sizePattern = /^(\d{1,9}(?:\.\d{1,3})?)(B|KiB|MiB|GiB)$/

/** Milliseconds, or `undefined` when the text is no duration or no whole number of milliseconds. */
export function parseDuration(text: string): number | undefined {
  return quantity(durationPattern.exec(text), MILLISECONDS)
}

/** Bytes, or `undefined` when the text is no size or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  return quantity(sizePattern.exec(text), BYTES)
}

function quantity(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>
): number | undefined {
  const [, digits, unit] = match ?? []
  if (digits === undefined || unit === undefined) return undefined
  const value = Number(digits) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : undefined
}
