import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine } from '../lib/machine.ts'
import { type Spread, spreadText } from '../lib/statistics.ts'
import { figuresOf, latencyOf, type Measured, RATIOS, ratiosOf, relayOf } from './figures.ts'
import type { System } from './system.ts'
import { LATENCY_RATE, PARTITIONS, type Workload } from './workload.ts'

export interface Report {
  readonly measured: Measured
  readonly systems: readonly System[]
  readonly workloads: readonly Workload[]
  readonly command: string
  readonly startedAt: Date
  readonly minutes: number
  readonly isQuick: boolean
  /** Runs that failed or whose outcome was wrong, and mirrors that could not be had. */
  readonly faults: readonly string[]
}

const profile = join(import.meta.dirname, 'profile.md')

/** The results as a page in Markdown. */
export function page(report: Report): string {
  const { measured, startedAt, minutes, command, isQuick, faults, systems, workloads } = report
  const quick =
    'A quick run: a tenth of the records, once. Its figures say that all works, and are no result.'
  const parts = [
    '# Mirrors side by side',
    `${startedAt.toISOString().slice(0, 10)}, \`${command}\`, ${Math.round(minutes)} minutes, on ${machine()}. ` +
      'All brokers and all mirrors share these cores. How each figure is made: [bench/README.md](../README.md).',
    ...(isQuick ? [quick] : []),
    'Medians of runs in turn, with the least and the greatest; CPU of the whole process tree, user and system.',
    ...workloads.map((workload) => copies(report, workload)),
    latencies(report),
    ratios(measured),
    `## Where the time goes\n\n${readFileSync(profile, 'utf8').trim()}`,
    peers(systems),
    ...(faults.length === 0
      ? []
      : [`## What does not count\n\n${faults.map((fault) => `- ${fault}`).join('\n')}`])
  ]
  return `${parts.join('\n\n')}\n`
}

function copies({ measured, systems }: Report, workload: Workload): string {
  const { name, records, batchBytes } = workload
  const batches =
    batchBytes === 0 ? 'one record per batch' : `batches of ${batchBytes / 1_024} KiB before compression`
  const what = `${records.toLocaleString('en')} tweets of 640 bytes, ${PARTITIONS} partitions, ${batches}.`
  const rows = systems.flatMap(({ name: system, title }) => {
    const figures = figuresOf(measured, system, name)
    if (figures === undefined) return []
    const { cpuPerMillion, cpuPerMillionWhole, recordsPerSecond, peakMiB } = figures
    const [start, startCpu] = [
      spreadText(figures.startSeconds, two),
      spreadText(figures.startCpuSeconds, two)
    ]
    const cpu = [spreadText(cpuPerMillion, two), spreadText(cpuPerMillionWhole, two)]
    return [
      [
        title,
        ...cpu,
        spreadText(recordsPerSecond, thousands),
        spreadText(peakMiB, whole),
        start,
        startCpu,
        figures.runs
      ]
    ]
  })
  const relayed = relayOf(measured, name)
  if (relayed !== undefined) {
    const { cpuPerMillion, recordsPerSecond, peakMiB, runs } = relayed
    const measures: readonly [Spread, (value: number) => string][] = [
      [recordsPerSecond, thousands],
      [peakMiB, whole]
    ]
    const others = measures.map(([spread, format]) => spreadText(spread, format))
    rows.push([
      'bare relay of the same bytes',
      spreadText(cpuPerMillion, two),
      '–',
      ...others,
      '–',
      '–',
      runs
    ])
  }
  const head = [
    ...['', 'CPU s per million', 'with its start', 'records/s', 'peak MiB'],
    ...['first record after, s', 'CPU s until then', 'runs']
  ]
  return `## ${name}\n\n${what}\n\n${table(head, rows)}`
}

function latencies({ measured, systems }: Report): string {
  const rows = systems.flatMap(({ name, title }) => {
    const latency = latencyOf(measured, name)
    if (latency === undefined) return []
    return [[title, ...[latency.p50, latency.p99, latency.max].map((spread) => spreadText(spread, whole))]]
  })
  const what = `Milliseconds from making to receipt at ${LATENCY_RATE.toLocaleString('en')} records/s, uncompressed.`
  return `## Latency\n\n${what}\n\n${table(['', 'p50', 'p99', 'max'], rows)}`
}

function ratios(measured: Measured): string {
  const values = ratiosOf(measured)
  const rows = RATIOS.map((ratio) => {
    const value = values[ratio.name]
    const wanted = 'atLeast' in ratio ? `at least ${ratio.atLeast}` : `at most ${ratio.atMost}`
    return [`\`${ratio.name}\``, ratio.what, value === null ? '–' : two(value), wanted, verdict(value, ratio)]
  })
  return `## Against the targets\n\n${table(['', 'what', 'measured', 'wanted', ''], rows)}`
}

function verdict(value: number | null, ratio: (typeof RATIOS)[number]): string {
  if (value === null) return 'not measured'
  const shortfall = 'atLeast' in ratio ? ratio.atLeast / value : value / ratio.atMost
  return shortfall <= 1 ? 'reached' : `missed by ${whole((shortfall - 1) * 100)} %`
}

function peers(systems: readonly System[]): string {
  const lines = systems.map(({ title, described }) => `- ${title}: ${described()}`)
  const where =
    'Configurations and programs lie in [bench/mirror](../mirror); brokers are Apache Kafka 4.1.1.'
  return `## Versions and configurations\n\n${where}\n\n${lines.join('\n')}`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

const two = (value: number) => value.toFixed(2)
const whole = (value: number) => String(Math.round(value))
const thousands = (value: number) => `${Math.round(value / 1_000)} k`
