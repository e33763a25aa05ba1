/**
 * Kafka to Parquet, side by side: `npm run bench:sink -- --help`. README.md says how each figure is made.
 *
 * Prints a line per run, writes `bench/results/sink.md`, and ends with a line of JSON: the ratios that matter.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { kafkaLibraries } from '../test/real/kafka.ts'
import { pythonPackages } from '../test/tools/python.ts'
import { calledAs, notHere, publish, save } from './lib/report.ts'
import { BenchCluster } from './mirror/clusters.ts'
import { PARTITIONS, TOPIC } from './mirror/workload.ts'
import { type Codec, type Run, ratiosOf } from './sink/figures.ts'
import { sinkPage } from './sink/report.ts'
import { load, type Outcome, run, type Source, writeLines } from './sink/run.ts'
import { causeways } from './sink/systems/causeway.ts'
import { duckdb } from './sink/systems/duckdb.ts'
import { naive } from './sink/systems/naive.ts'
import { spark } from './sink/systems/spark.ts'

interface Options {
  readonly quick?: true
  readonly runs?: number
  readonly records?: number
  readonly system?: readonly string[]
  readonly topic?: readonly string[]
  readonly executable?: string
  readonly profiles?: string
  readonly out: string
}

const options = new Command('bench:sink')
  .option('--quick', 'a tenth of the records, once')
  .option('--runs <n>', 'of each program on each topic: 3, or 1 of a quick run', Number)
  .option('--records <n>', '1,000,000, or 100,000 of a quick run', Number)
  .option('--system <names...>', 'only these: causeway, causeway-2, spark, naive, duckdb')
  .option('--topic <names...>', 'only these: none, zstd')
  .option('--executable <path>', 'the packaged Causeway, instead of its sources')
  .option('--profiles <folder>', 'CPU profiles of Causeway, one per run; its figures are worse for it')
  .option('--out <file>', 'where the results go', join(import.meta.dirname, 'results/sink.md'))
  .parse()
  .opts<Options>()

const isQuick = options.quick === true
const startedAt = new Date()
const { executable, profiles } = options
const all = [...causeways({ executable, profiles }), spark, naive, duckdb]
const systems = all.filter(({ name }) => options.system?.includes(name) ?? true)
const here = systems.filter(({ isHere }) => isHere)
const codecs = (['none', 'zstd'] as const).filter((codec) => options.topic?.includes(codec) ?? true)
const records = options.records ?? (isQuick ? 100_000 : 1_000_000)
const rounds = options.runs ?? (isQuick ? 1 : 3)

const runs: Run[] = []
const faults: string[] = [...notHere(systems)]
const missing = faults.length

await Promise.all([kafkaLibraries(), pythonPackages()])
for (const system of here) await system.prepare()
const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-lines-'))
const lines = join(folder, 'tweets.ndjson')
try {
  await writeLines(lines, records)
  for (const codec of codecs) await measure(codec)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const report = sinkPage({
  ...{ runs, systems: here, codecs, records, startedAt, isQuick, faults },
  command: calledAs('bench:sink'),
  minutes: (Date.now() - startedAt.getTime()) / 60_000
})
save(options.out, report)
publish(report, ratiosOf(runs))
process.exit(faults.length === missing ? 0 : 1)

/** One broker and one filled topic, which all programs read in turn, another one being the first each time. */
async function measure(codec: Codec): Promise<void> {
  const cluster = await BenchCluster.start()
  try {
    await cluster.renew()
    const source: Source = { broker: cluster.address, topic: TOPIC, lines, records }
    await load(source, PARTITIONS, codec)
    for (let round = 0; round < rounds; round++) {
      const first = round % Math.max(1, here.length)
      for (const system of [...here.slice(first), ...here.slice(0, first)]) {
        const label = `${codec}, ${system.title}`
        try {
          const outcome = await run(system, source)
          console.log(`${label}: ${summary(outcome)}`)
          if (!outcome.verified.isEqual) throw new Error('the files’ rows are not the topic’s records')
          runs.push({ system: system.name, codec, outcome })
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error)
          faults.push(`${label}: ${message.split('\n')[0]}`)
          console.error(`${label} does not count: ${message}`)
        }
      }
    }
  } finally {
    await cluster.stop()
  }
}

function summary({ first, again, records: count, peakBytes, verified }: Outcome): string {
  const cpu = (seconds: number) => `${((seconds / count) * 1e6).toFixed(2)} CPU s per million`
  const warm = again === undefined ? '' : `, warm ${cpu(again.cpuSeconds)}`
  const rate = `${Math.round(count / first.seconds)} records/s`
  const size = `${(verified.bytes / 2 ** 20).toFixed(1)} MiB, ${(verified.bytes / verified.pyarrowBytes).toFixed(3)} of pyarrow’s`
  return `${cpu(first.cpuSeconds)}${warm}, ${rate}, peak ${Math.round(peakBytes / 2 ** 20)} MiB, ${size}, ${verified.isEqual ? 'equal' : 'WRONG'}`
}
