import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { page, type RunFacts, table, targets, thousands, two, whole } from '../lib/report.ts'
import { type Spread, spreadText } from '../lib/statistics.ts'
import { figuresOf, latencyOf, type Measured, RATIOS, ratiosOf, relayOf } from './figures.ts'
import type { System } from './system.ts'
import { LATENCY_RATE, PARTITIONS, type Workload } from './workload.ts'

export interface Report extends RunFacts {
  readonly measured: Measured
  readonly systems: readonly System[]
  readonly workloads: readonly Workload[]
}

/** The results as a page in Markdown. */
export function mirrorPage(report: Report): string {
  const { measured, systems, workloads } = report
  return page(report, {
    title: 'Mirrors side by side',
    sharing: 'All brokers and all mirrors share these cores.',
    medians:
      'Medians of runs in turn, with the least and the greatest; CPU of the whole process tree, user and system.',
    sections: [
      ...workloads.map((workload) => copies(report, workload)),
      latencies(report),
      targets(RATIOS, ratiosOf(measured))
    ],
    profile: readFileSync(join(import.meta.dirname, 'profile.md'), 'utf8'),
    programs: 'Configurations and programs lie in [bench/mirror](../mirror); brokers are Apache Kafka 4.1.1.',
    contestants: systems
  })
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
