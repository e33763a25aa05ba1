/**
 * One mirror process with many partitions under a steady load, on two real brokers: `npm run bench:scale -- --help`.
 *
 * Asks after resident memory, CPU, and whether some partition is starved. Prints a line per sample, and ends with a line
 * of JSON; exits with 1 where a figure is beyond what is wanted.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { Kafka, logLevel } from 'kafkajs'
import { type RealKafka, startKafka } from '../test/real/kafka.ts'
import { fetchState } from '../test/support/worker-state.ts'
import { machine } from './lib/machine.ts'
import { malloc } from './lib/malloc.ts'
import { Program } from './lib/program.ts'
import { filled } from './lib/template.ts'
import { Lags } from './scale/lags.ts'
import type { Load } from './scale/load.ts'

interface Options {
  readonly partitions: number
  readonly rate: number
  readonly minutes: number
  readonly perBatch: number
  readonly bytes: number
  readonly lanes: number
  readonly profiles?: string
  readonly executable?: string
  readonly out?: string
}

const options = new Command('bench:scale')
  .option('--partitions <n>', 'of the source, over topics of a hundred', Number, 2_000)
  .option('--rate <n>', 'records per second', Number, 20_000)
  .option('--minutes <n>', 'of load', Number, 10)
  .option('--per-batch <n>', 'records per batch', Number, 5)
  .option('--bytes <n>', 'of a record’s value', Number, 640)
  .option('--lanes <n>', 'threads of the mirror', Number, 1)
  .option('--profiles <folder>', 'CPU profiles; the figures are worse for it')
  .option('--executable <path>', 'the packaged Causeway, instead of its sources')
  .option('--out <file>', 'where the results go')
  .parse()
  .opts<Options>()

/** What is wanted of a mirror of 2,000 partitions at 20,000 records/s. */
const WANTED = { growth: 1.1, residentMiB: 200, starvation: 3 }
const PER_TOPIC = 100
const SAMPLE_MS = 5_000
/** Memory is compared with what it was at this moment, or at a fifth of a short run. */
const EARLY_MS = Math.min(120_000, options.minutes * 12_000)
const READY = { everyMs: 200, timeoutMs: 300_000 }
/** Thousands of indexes of 10 MiB each, Kafka's default, would fill the machine's memory with pages of nothing. */
const SETTINGS = {
  'log.retention.ms': '-1',
  'auto.create.topics.enable': 'false',
  'log.index.size.max.bytes': '1048576'
}
const JVM = ['-Xms1g', '-Xmx1g', '-XX:+UseG1GC']

const topics = Array.from({ length: Math.ceil(options.partitions / PER_TOPIC) }, (_, n) => `scale.${n}`)

interface Sample {
  readonly atMs: number
  readonly residentMiB: number
  readonly cpuSeconds: number
  readonly lagRecords: number
}

const brokers = {
  source: await startKafka(SETTINGS, { jvm: JVM }),
  target: await startKafka(SETTINGS, { jvm: JVM })
}
const directory = mkdtempSync(join(tmpdir(), 'causeway-scale-'))
const kafkas = { source: clientOf(brokers.source), target: clientOf(brokers.target) }
let passed = false
try {
  await createTopics()
  const mirror = await startMirror()
  const load = startLoad()
  try {
    const samples = await watch(mirror, load)
    passed = report(samples)
  } finally {
    await Promise.all([load.stop(), mirror.stop()])
  }
} finally {
  await Promise.all([brokers.source.stop(), brokers.target.stop()])
  rmSync(directory, { recursive: true, force: true })
}
process.exit(passed ? 0 : 1)

function clientOf({ node }: RealKafka): Kafka {
  return new Kafka({ brokers: [node.address], logLevel: logLevel.NOTHING })
}

async function createTopics(): Promise<void> {
  const admin = kafkas.source.admin()
  await admin.connect()
  for (const [n, topic] of topics.entries()) {
    const numPartitions = Math.min(PER_TOPIC, options.partitions - n * PER_TOPIC)
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false, timeout: 60_000 })
  }
  await admin.disconnect()
  while ((await ends().catch(() => new Map())).size < options.partitions) await pause(SAMPLE_MS)
}

/** Resolves when every partition is being copied. */
async function startMirror(): Promise<Program> {
  const file = join(directory, 'causeway.toml')
  const { source, target } = brokers
  const template = join(import.meta.dirname, 'scale/causeway.toml')
  const lanes = String(options.lanes)
  const values = { source: source.node.address, target: target.node.address, directory, lanes }
  writeFileSync(file, filled(template, values))
  const profiling = options.profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profiles}`]
  const main = join(import.meta.dirname, '../src/main.ts')
  const [command = '', ...first] = options.executable
    ? [options.executable]
    : [process.execPath, ...profiling, main]
  const args = [...first, '--role', 'mirror', '--config', file]
  const program = new Program({ command, args, env: malloc })
  await program.until('copying', async () => ((await positions(program)).size > 0 ? true : undefined), READY)
  return program
}

function startLoad(): Program {
  const { rate, perBatch, bytes, minutes } = options
  const load: Load = {
    broker: brokers.source.node.address,
    topics,
    rate,
    perBatch,
    bytes,
    seconds: minutes * 60
  }
  return new Program({
    command: process.execPath,
    args: [join(import.meta.dirname, 'scale/load.ts'), JSON.stringify(load)]
  })
}

/** By partition; empty until all of them are copied. */
async function positions(mirror: Program): Promise<Map<string, number>> {
  const url = /"address":"(http:[^"]+)"/.exec(mirror.printed)?.[1]
  const state = url === undefined ? undefined : await fetchState(url)
  const partitions = state?.roles.flatMap((role) => role.partitions) ?? []
  const isReady =
    partitions.length === options.partitions && partitions.every((one) => one.state === 'copying')
  return new Map(isReady ? partitions.map((one) => [`${one.topic}-${one.partition}`, one.position]) : [])
}

async function ends(): Promise<Map<string, number>> {
  const admin = kafkas.source.admin()
  await admin.connect()
  const all = new Map<string, number>()
  for (const topic of topics) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic))
      all.set(`${topic}-${partition}`, Number(high))
  }
  await admin.disconnect()
  return all
}

interface Watched {
  readonly samples: readonly Sample[]
  readonly lags: ReturnType<Lags['summary']>
  readonly sent: number
  /** From the end of the load to the last record's commit. */
  readonly catchUpMs: number
}

async function watch(mirror: Program, load: Program): Promise<Watched> {
  const startedAt = performance.now()
  const lags = new Lags()
  const samples: Sample[] = []
  const atMs = () => performance.now() - startedAt
  while (!load.hasEnded) {
    await pause(SAMPLE_MS)
    const at = await positions(mirror)
    const end = await ends()
    const lagRecords = [...end].reduce(
      (sum, [key, offset]) => sum + Math.max(0, offset - (at.get(key) ?? 0)),
      0
    )
    if (atMs() > EARLY_MS && at.size > 0) lags.sample(end, at)
    const { cpuSeconds } = mirror.tree.usage()
    const sample = { atMs: atMs(), residentMiB: residentMiB(mirror), cpuSeconds, lagRecords }
    samples.push(sample)
    console.log(
      `${(sample.atMs / 1_000).toFixed(0)} s: ${sample.residentMiB.toFixed(0)} MiB, ` +
        `${cpuSeconds.toFixed(1)} CPU s, ${lagRecords} records behind${at.size === 0 ? ', not all copying' : ''}`
    )
    if (mirror.hasEnded) throw new Error(`the mirror ended:\n${mirror.printed.slice(-3_000)}`)
  }
  const sent = Number(/^sent (\d+)$/m.exec(await load.finished())?.[1])
  const endedAt = performance.now()
  const end = await ends()
  const isThere = async () => {
    const at = await positions(mirror)
    return [...end].every(([key, offset]) => at.get(key) === offset) ? true : undefined
  }
  await mirror.until('the last record', isThere, READY)
  return { samples, lags: lags.summary(), sent, catchUpMs: performance.now() - endedAt }
}

function residentMiB({ tree }: Program): number {
  const status = readFileSync(`/proc/${tree.root}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024
}

/** The middle of the samples around a moment: the collector makes single ones jump. */
function memoryAt(samples: readonly Sample[], ms: number): number {
  const near = samples.filter(({ atMs }) => Math.abs(atMs - ms) <= 4 * SAMPLE_MS)
  return near.map((one) => one.residentMiB).toSorted((a, b) => a - b)[near.length >> 1] ?? 0
}

function report({ samples, lags, sent, catchUpMs }: Watched): boolean {
  const last = samples.at(-1)
  const [early, late] = [memoryAt(samples, EARLY_MS), memoryAt(samples, last?.atMs ?? 0)]
  const first = samples.find(({ atMs }) => atMs >= EARLY_MS) ?? last
  const seconds = ((last?.atMs ?? 0) - (first?.atMs ?? 0)) / 1_000
  const figures = {
    partitions: options.partitions,
    recordsPerSecond: Math.round(sent / (options.minutes * 60)),
    lanes: options.lanes,
    earlyMiB: Math.round(early),
    lateMiB: Math.round(late),
    growth: Number((late / early).toFixed(3)),
    cores: Number((((last?.cpuSeconds ?? 0) - (first?.cpuSeconds ?? 0)) / seconds).toFixed(2)),
    medianLag: Number(lags.median.toFixed(1)),
    largestLag: Number(lags.largest.toFixed(1)),
    starvation: Number((lags.largest / Math.max(1, lags.median)).toFixed(2)),
    catchUpMs: Math.round(catchUpMs)
  }
  const faults = [
    ...(figures.recordsPerSecond < options.rate * 0.98 ? ['the load did not reach its rate'] : []),
    ...(figures.growth > WANTED.growth ? [`memory grew to ${figures.growth} times`] : []),
    ...(figures.lateMiB >= WANTED.residentMiB ? [`${figures.lateMiB} MiB resident`] : []),
    ...(figures.starvation > WANTED.starvation
      ? [`${lags.of} lags ${figures.starvation} times the median`]
      : [])
  ]
  if (options.out !== undefined) {
    mkdirSync(dirname(options.out), { recursive: true })
    writeFileSync(options.out, page(figures, faults))
  }
  for (const fault of faults) console.log(`beyond what is wanted: ${fault}`)
  console.log(JSON.stringify(figures))
  return faults.length === 0
}

function page(figures: Readonly<Record<string, number>>, faults: readonly string[]): string {
  const rows = Object.entries(figures).map(([name, value]) => `| ${name} | ${value} |`)
  return `# A mirror of ${options.partitions} partitions

${machine()}, both brokers and the load beside it; ${options.minutes} minutes at ${options.rate} records/s of
${options.bytes} bytes in batches of ${options.perBatch}. Wanted: resident memory at the end at most ${WANTED.growth} times that
after ${EARLY_MS / 60_000} minutes and below ${WANTED.residentMiB} MiB; no partition's mean lag above ${WANTED.starvation} times the median.

| figure | value |
|---|---|
${rows.join('\n')}

${faults.length === 0 ? 'All of that holds.' : `Beyond what is wanted: ${faults.join('; ')}.`}
`
}
