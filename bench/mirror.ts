/**
 * Mirrors side by side on two real brokers: `npm run bench:mirror -- --help`. README.md says how each figure is made.
 *
 * Prints a line per run, writes `bench/results/mirror.md`, and ends with a line of JSON: the ratios that matter.
 */
import { join } from 'node:path'
import { Command } from 'commander'
import { kafkaLibraries } from '../test/real/kafka.ts'
import { pythonPackages } from '../test/tools/python.ts'
import { calledAs, notHere, publish, save } from './lib/report.ts'
import { Clusters } from './mirror/clusters.ts'
import { ratiosOf } from './mirror/figures.ts'
import { mirrorPage } from './mirror/report.ts'
import { Session } from './mirror/session.ts'
import { causeway } from './mirror/systems/causeway.ts'
import { franzGo } from './mirror/systems/franz-go.ts'
import { kafkajs } from './mirror/systems/kafkajs.ts'
import { mirrorMaker, mirrorMakerExactlyOnce } from './mirror/systems/mirrormaker.ts'
import { latencySeconds, workloads } from './mirror/workload.ts'

interface Options {
  readonly quick?: true
  readonly runs?: number
  readonly system?: readonly string[]
  readonly topic?: readonly string[]
  readonly latency: boolean
  readonly executable?: string
  readonly profiles?: string
  readonly out: string
}

const options = new Command('bench:mirror')
  .option('--quick', 'a tenth of the records, once')
  .option('--runs <n>', 'of each mirror on each topic: 3, or 1 of a quick run', Number)
  .option('--system <names...>', 'only these: mm2, mm2-exactly-once, kafkajs, franz-go, causeway')
  .option('--topic <names...>', 'only these: uncompressed, lz4, zstd, one-record')
  .option('--no-latency', 'no runs at a steady rate')
  .option('--executable <path>', 'the packaged Causeway, instead of its sources')
  .option('--profiles <folder>', 'CPU profiles of Causeway, one per run; its figures are worse for it')
  .option('--out <file>', 'where the results go', join(import.meta.dirname, 'results/mirror.md'))
  .parse()
  .opts<Options>()

const isQuick = options.quick === true
const scale = isQuick ? 0.1 : 1
const startedAt = new Date()
const { executable, profiles } = options
const all = [mirrorMaker, mirrorMakerExactlyOnce, kafkajs, franzGo, causeway({ executable, profiles })]
const systems = all.filter(({ name }) => options.system?.includes(name) ?? true)
const topics = workloads(scale).filter(
  ({ name }) => options.topic?.some((one) => name.startsWith(one)) ?? true
)

const here = systems.filter(({ isHere }) => isHere)
await Promise.all([kafkaLibraries(), pythonPackages()])
for (const system of here) await system.prepare()
const clusters = await Clusters.start()
const session = new Session(clusters, here)
const report = () =>
  mirrorPage({
    ...{ measured: session.measured, systems: here, workloads: topics, startedAt, isQuick },
    command: calledAs('bench:mirror'),
    minutes: (Date.now() - startedAt.getTime()) / 60_000,
    faults: [...notHere(systems), ...session.faults]
  })
try {
  for (let round = 0; round < (options.runs ?? (isQuick ? 1 : 3)); round++) {
    for (const topic of topics) await session.copies(topic)
    if (options.latency) await session.latencies(latencySeconds(scale))
    // An hour's work is not lost when what comes next is interrupted.
    save(options.out, report())
  }
} finally {
  await clusters.stop()
}
publish(report(), ratiosOf(session.measured))
process.exit(session.faults.length === 0 ? 0 : 1)
