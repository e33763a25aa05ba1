import { cpus, release, totalmem } from 'node:os'

/** The machine as far as it bears on a figure: neither its name nor where anything lies. */
export function machine(): string {
  const all = cpus()
  const model = all[0]?.model.replaceAll(/\s+/g, ' ').trim() ?? 'unknown processor'
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  return `${all.length} cores (${model}), ${gibibytes} GiB, Linux ${release()}`
}
