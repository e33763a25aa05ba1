import type { Ratio } from '../lib/report.ts'
import { over, type Spread, spreadOf } from '../lib/statistics.ts'
import type { Latency } from './latency.ts'
import type { Relayed } from './relay.ts'
import type { Copy } from './run.ts'
import type { SystemName } from './system.ts'
import type { WorkloadName } from './workload.ts'

/** Everything that was measured. What failed, or whose outcome was wrong, is told and counts for nothing. */
export interface Measured {
  readonly copies: readonly {
    readonly system: SystemName
    readonly workload: WorkloadName
    readonly copy: Copy
  }[]
  readonly latencies: readonly { readonly system: SystemName; readonly latency: Latency }[]
  readonly relays: readonly {
    readonly workload: WorkloadName
    readonly relayed: Relayed
    readonly records: number
  }[]
}

/** A mirror on a topic. */
export interface Figures {
  readonly cpuPerMillion: Spread
  /** Its start included. */
  readonly cpuPerMillionWhole: Spread
  readonly recordsPerSecond: Spread
  readonly peakMiB: Spread
  readonly startSeconds: Spread
  readonly startCpuSeconds: Spread
  readonly runs: number
}

const MILLION = 1e6
const MIB = 2 ** 20

/** `undefined` when nothing was measured. */
export function figuresOf(
  { copies }: Measured,
  system: SystemName,
  workload: WorkloadName
): Figures | undefined {
  const mine = copies
    .filter((one) => one.system === system && one.workload === workload && one.copy.isVerified)
    .map(({ copy }) => copy)
  if (mine.length === 0) return undefined
  const spread = (value: (copy: Copy) => number) => spreadOf(mine.map(value))
  return {
    cpuPerMillion: spread(({ cpuSeconds, records }) => (cpuSeconds / records) * MILLION),
    cpuPerMillionWhole: spread(
      ({ cpuSeconds, startCpuSeconds, records }) => ((cpuSeconds + startCpuSeconds) / records) * MILLION
    ),
    recordsPerSecond: spread(({ records, seconds }) => records / seconds),
    peakMiB: spread(({ peakBytes }) => peakBytes / MIB),
    startSeconds: spread(({ startMs }) => startMs / 1_000),
    startCpuSeconds: spread(({ startCpuSeconds }) => startCpuSeconds),
    runs: mine.length
  }
}

export function latencyOf(
  { latencies }: Measured,
  system: SystemName
): Record<'p50' | 'p99' | 'max', Spread> | undefined {
  const mine = latencies.filter((one) => one.system === system && one.latency.isVerified)
  if (mine.length === 0) return undefined
  const spread = (which: 'p50' | 'p99' | 'max') => spreadOf(mine.map(({ latency }) => latency[which]))
  return { p50: spread('p50'), p99: spread('p99'), max: spread('max') }
}

/** CPU of the relay for as many bytes as a million records have on the source. */
export function relayOf({ relays }: Measured, workload: WorkloadName) {
  const mine = relays.filter((one) => one.workload === workload)
  if (mine.length === 0) return undefined
  return {
    cpuPerMillion: spreadOf(mine.map(({ relayed, records }) => (relayed.cpuSeconds / records) * MILLION)),
    recordsPerSecond: spreadOf(mine.map(({ relayed, records }) => records / relayed.seconds)),
    peakMiB: spreadOf(mine.map(({ relayed }) => relayed.peakBytes / MIB)),
    runs: mine.length
  }
}

export type RatioName = (typeof RATIOS)[number]['name']

/** What is to be reached, and how it is made of medians. */
export const RATIOS = [
  {
    name: 'cpuUncompressed',
    what: 'CPU, uncompressed: MirrorMaker 2’s, exactly-once, over ours',
    atLeast: 8
  },
  { name: 'cpuZstd', what: 'CPU, zstd: MirrorMaker 2’s, exactly-once, over ours', atLeast: 25 },
  { name: 'memory', what: 'peak memory: MirrorMaker 2’s, exactly-once, over ours, uncompressed', atLeast: 8 },
  { name: 'start', what: 'time to the first record: MirrorMaker 2’s, exactly-once, over ours', atLeast: 8 },
  {
    name: 'throughput',
    what: 'records/s, uncompressed: ours over MirrorMaker 2’s, exactly-once',
    atLeast: 3.5
  },
  {
    name: 'oneRecordBatches',
    what: 'records/s, one-record batches: ours over MirrorMaker 2’s, exactly-once',
    atLeast: 2
  },
  { name: 'franzUncompressed', what: 'CPU, uncompressed: franz-go’s over ours', atLeast: 1 },
  { name: 'franzZstd', what: 'CPU, zstd: franz-go’s over ours', atLeast: 1 },
  { name: 'relay', what: 'CPU, uncompressed: ours over the relay’s', atMost: 2.5 },
  {
    name: 'p99Ms',
    what: 'latency p99 in milliseconds at 5,000 records/s, `commit_interval = "100ms"`',
    atMost: 250
  }
] as const satisfies readonly Ratio[]

/** `null` where one of the two sides was not measured. */
export function ratiosOf(measured: Measured): Record<RatioName, number | null> {
  const of = (system: SystemName, workload: WorkloadName) => figuresOf(measured, system, workload)
  const [ours, theirs] = [of('causeway', 'uncompressed'), of('mm2-exactly-once', 'uncompressed')]
  const [oursZstd, theirsZstd] = [of('causeway', 'zstd'), of('mm2-exactly-once', 'zstd')]
  const [oursOne, theirsOne] = [
    of('causeway', 'one-record batches'),
    of('mm2-exactly-once', 'one-record batches')
  ]
  const starts = (system: SystemName) => startOf(measured, system)
  return {
    cpuUncompressed: over(theirs?.cpuPerMillion, ours?.cpuPerMillion),
    cpuZstd: over(theirsZstd?.cpuPerMillion, oursZstd?.cpuPerMillion),
    memory: over(theirs?.peakMiB, ours?.peakMiB),
    start: over(starts('mm2-exactly-once'), starts('causeway')),
    throughput: over(ours?.recordsPerSecond, theirs?.recordsPerSecond),
    oneRecordBatches: over(oursOne?.recordsPerSecond, theirsOne?.recordsPerSecond),
    franzUncompressed: over(of('franz-go', 'uncompressed')?.cpuPerMillion, ours?.cpuPerMillion),
    franzZstd: over(of('franz-go', 'zstd')?.cpuPerMillion, oursZstd?.cpuPerMillion),
    relay: over(ours?.cpuPerMillion, relayOf(measured, 'uncompressed')?.cpuPerMillion),
    p99Ms: latencyOf(measured, 'causeway')?.p99.median ?? null
  }
}

/** A start has nothing to do with the topic. */
function startOf({ copies }: Measured, system: SystemName): Spread | undefined {
  const mine = copies.filter((one) => one.system === system && one.copy.isVerified)
  return mine.length === 0 ? undefined : spreadOf(mine.map(({ copy }) => copy.startMs))
}
