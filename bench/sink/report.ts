import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine } from '../lib/machine.ts'
import { type Spread, spreadText } from '../lib/statistics.ts'
import { type Codec, figuresOf, RATIOS, type Ratio, type Run, ratiosOf } from './figures.ts'
import type { System } from './system.ts'

export interface Report {
  readonly runs: readonly Run[]
  readonly systems: readonly System[]
  readonly codecs: readonly Codec[]
  readonly records: number
  readonly command: string
  readonly startedAt: Date
  readonly minutes: number
  readonly isQuick: boolean
  /** Runs that failed or whose outcome was wrong, and programs that could not be had. */
  readonly faults: readonly string[]
}

const profile = join(import.meta.dirname, 'profile.md')

/** The results as a page in Markdown. */
export function page(report: Report): string {
  const { startedAt, minutes, command, isQuick, faults, systems, runs, codecs } = report
  const quick =
    'A quick run: a tenth of the records, once. Its figures say that all works, and are no result.'
  const parts = [
    '# Kafka to Parquet, side by side',
    `${startedAt.toISOString().slice(0, 10)}, \`${command}\`, ${Math.round(minutes)} minutes, on ${machine()}. ` +
      'The broker, the object store and all programs share these cores. How each figure is made: [bench/README.md](../README.md).',
    ...(isQuick ? [quick] : []),
    'Medians of runs in turn, with the least and the greatest; CPU of the whole process tree, user and system, starts included.',
    ...codecs.map((codec) => table(report, codec)),
    against(runs),
    ...(existsSync(profile) ? [`## Where the time goes\n\n${readFileSync(profile, 'utf8').trim()}`] : []),
    `## Versions and configurations\n\nPrograms and configurations lie in [bench/sink](../sink).\n\n${systems
      .map(({ title, described }) => `- ${title}: ${described()}`)
      .join('\n')}`,
    ...(faults.length === 0
      ? []
      : [`## What does not count\n\n${faults.map((fault) => `- ${fault}`).join('\n')}`])
  ]
  return `${parts.join('\n\n')}\n`
}

function table({ runs, systems, records }: Report, codec: Codec): string {
  const rows = systems.flatMap(({ name, title }) => {
    const figures = figuresOf(runs, name, codec)
    if (figures === undefined) return []
    const { cpuPerMillion, warmCpuPerMillion, recordsPerSecond, warmRecordsPerSecond } = figures
    const rest = [
      spreadText(figures.peakMiB, whole),
      spreadText(figures.mebibytes, whole),
      spreadText(figures.overPyarrow, two),
      String(figures.runs)
    ]
    const line = (label: string, cpu: Spread, rate: Spread) =>
      `| ${[label, spreadText(cpu, two), spreadText(rate, thousands), ...rest].join(' | ')} |`
    const lines = [line(title, cpuPerMillion, recordsPerSecond)]
    if (warmCpuPerMillion !== undefined && warmRecordsPerSecond !== undefined) {
      lines.push(line(`${title}, warm`, warmCpuPerMillion, warmRecordsPerSecond))
    }
    return lines
  })
  const what = `${records.toLocaleString('en')} tweets, 4 partitions, batches of 128 KiB before compression; 15 columns, snappy.`
  const head = '| | CPU s per million | records/s | peak MiB | MiB written | over pyarrow’s | runs |'
  const name = codec === 'none' ? 'uncompressed' : codec
  return `## From a topic: ${name}\n\n${what}\n\n${head}\n|---|---:|---:|---:|---:|---:|---:|\n${rows.join('\n')}`
}

function against(runs: readonly Run[]): string {
  const values = ratiosOf(runs)
  const rows = RATIOS.map((ratio: Ratio & { readonly name: keyof typeof values }) => {
    const { name, what, atLeast, atMost } = ratio
    const wanted =
      atLeast !== undefined
        ? `at least ${two(atLeast)}`
        : atMost !== undefined
          ? `at most ${two(atMost)}`
          : '–'
    const value = values[name]
    return `| \`${name}\` | ${what} | ${value === null ? '–' : two(value)} | ${wanted} | ${verdict(value, ratio)} |`
  })
  return `## Against the targets\n\n| | what | measured | wanted | |\n|---|---|---:|---:|---|\n${rows.join('\n')}`
}

function verdict(value: number | null, { atLeast, atMost }: Ratio): string {
  if (value === null) return 'not measured'
  if (atLeast === undefined && atMost === undefined) return ''
  const shortfall = atLeast === undefined ? value / (atMost ?? value) : atLeast / value
  return shortfall <= 1 ? 'reached' : `missed by ${whole((shortfall - 1) * 100)} %`
}

const two = (value: number) => value.toFixed(2)
const whole = (value: number) => String(Math.round(value))
const thousands = (value: number) => `${Math.round(value / 1_000)} k`
