import { cpus, totalmem } from 'node:os'
import type { Done } from './torture.ts'

/** What every soak says of itself. */
export interface SoakFacts {
  readonly command: string
  /** What was tortured, in words. */
  readonly program: string
  readonly seed: number
  readonly startedAt: Date
  readonly minutes: number
  readonly disturbances: readonly Done[]
}

/** One line of a table in Markdown. */
export function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

/** How a run was started, when, for how long, and on what machine: two lines, the second one to go on. */
export function origin({ command, seed, startedAt, minutes }: SoakFacts): string {
  const date = startedAt.toISOString().slice(0, 10)
  return `\`${command}\` with seed ${seed}, ${date}, ${minutes.toFixed(0)} minutes,\n${machine()} shared with all services.`
}

/** The machine, as far as it bears on a result. */
function machine(): string {
  return `${cpus().length} cores and ${Math.round(totalmem() / 2 ** 30)} GiB`
}

/** What was done, how often, and how long recoveries took. */
export function tableOfDisturbances(done: readonly Done[]): string[] {
  return [
    line(['disturbance', 'done', 'met work in flight', 'recovered, median', '90 %', 'longest']),
    line(['---', '---:', '---:', '---:', '---:', '---:']),
    ...done.map(({ name, outcomes }) => {
      const times = outcomes.map(({ recoveredMs }) => recoveredMs).sort((a, b) => a - b)
      const met = outcomes.filter((outcome) => outcome.met).length
      return line([name, outcomes.length, met, ...[0.5, 0.9, 1].map((share) => seconds(times, share))])
    })
  ]
}

/** The value below which that share of the sorted times lies. */
export function seconds(sortedMs: readonly number[], share: number): string {
  const at = Math.min(sortedMs.length - 1, Math.max(0, Math.ceil(share * sortedMs.length) - 1))
  const value = sortedMs[at]
  return value === undefined ? '–' : `${(value / 1_000).toFixed(1)} s`
}
