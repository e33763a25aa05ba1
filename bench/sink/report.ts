import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { page, type RunFacts, table, targets, thousands, two, whole } from '../lib/report.ts'
import { type Spread, spreadText } from '../lib/statistics.ts'
import { type Codec, figuresOf, RATIOS, type Run, ratiosOf } from './figures.ts'
import type { System } from './system.ts'

export interface Report extends RunFacts {
  readonly runs: readonly Run[]
  readonly systems: readonly System[]
  readonly codecs: readonly Codec[]
  readonly records: number
}

/** The results as a page in Markdown. */
export function sinkPage(report: Report): string {
  const { systems, runs, codecs } = report
  return page(report, {
    title: 'Kafka to Parquet, side by side',
    sharing: 'The broker, the object store and all programs share these cores.',
    medians:
      'Medians of runs in turn, with the least and the greatest; CPU of the whole process tree, user and system, starts included.',
    sections: [...codecs.map((codec) => ofTopic(report, codec)), targets(RATIOS, ratiosOf(runs))],
    profile: readFileSync(join(import.meta.dirname, 'profile.md'), 'utf8'),
    programs: 'Programs and configurations lie in [bench/sink](../sink).',
    contestants: systems
  })
}

function ofTopic({ runs, systems, records }: Report, codec: Codec): string {
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
    const line = (label: string, cpu: Spread, rate: Spread) => [
      ...[label, spreadText(cpu, two), spreadText(rate, thousands)],
      ...rest
    ]
    const lines = [line(title, cpuPerMillion, recordsPerSecond)]
    if (warmCpuPerMillion !== undefined && warmRecordsPerSecond !== undefined) {
      lines.push(line(`${title}, warm`, warmCpuPerMillion, warmRecordsPerSecond))
    }
    return lines
  })
  const what = `${records.toLocaleString('en')} tweets, 4 partitions, batches of 128 KiB before compression; 15 columns, snappy.`
  const head = ['', 'CPU s per million', 'records/s', 'peak MiB', 'MiB written', 'over pyarrow’s', 'runs']
  const name = codec === 'none' ? 'uncompressed' : codec
  return `## From a topic: ${name}\n\n${what}\n\n${table(head, rows)}`
}
