import type { Ratio } from '../lib/report.ts'
import { over, type Spread, spreadOf } from '../lib/statistics.ts'
import type { Outcome } from './run.ts'
import type { SystemName } from './system.ts'

export type Codec = 'none' | 'zstd'

/** A run whose outcome was right. */
export interface Run {
  readonly system: SystemName
  readonly codec: Codec
  readonly outcome: Outcome
}

export interface Figures {
  readonly cpuPerMillion: Spread
  /** Of the second time in the same process. */
  readonly warmCpuPerMillion: Spread | undefined
  readonly recordsPerSecond: Spread
  readonly warmRecordsPerSecond: Spread | undefined
  readonly peakMiB: Spread
  readonly mebibytes: Spread
  readonly overPyarrow: Spread
  readonly runs: number
}

const MILLION = 1e6
const MIB = 2 ** 20

export function figuresOf(runs: readonly Run[], system: SystemName, codec: Codec): Figures | undefined {
  const mine = runs
    .filter((one) => one.system === system && one.codec === codec)
    .map(({ outcome }) => outcome)
  if (mine.length === 0) return undefined
  const spread = (value: (outcome: Outcome) => number) => spreadOf(mine.map(value))
  const warm = mine.flatMap(({ again, records }) => (again === undefined ? [] : [{ again, records }]))
  const isWarm = warm.length > 0
  return {
    cpuPerMillion: spread(({ first, records }) => (first.cpuSeconds / records) * MILLION),
    warmCpuPerMillion: isWarm
      ? spreadOf(warm.map(({ again, records }) => (again.cpuSeconds / records) * MILLION))
      : undefined,
    recordsPerSecond: spread(({ first, records }) => records / first.seconds),
    warmRecordsPerSecond: isWarm
      ? spreadOf(warm.map(({ again, records }) => records / again.seconds))
      : undefined,
    peakMiB: spread(({ peakBytes }) => peakBytes / MIB),
    mebibytes: spread(({ verified }) => verified.bytes / MIB),
    overPyarrow: spread(({ verified }) => verified.bytes / verified.pyarrowBytes),
    runs: mine.length
  }
}

export const RATIOS = [
  { name: 'cpuVsSparkWarm', what: 'CPU, uncompressed: warm Spark’s over ours', atLeast: 4.5 },
  { name: 'cpuVsSparkCold', what: 'CPU, uncompressed: cold Spark’s over ours', atLeast: 7 },
  { name: 'cpuVsNaive', what: 'CPU, uncompressed: kafkajs’ and parquetjs-lite’s over ours', atLeast: 12 },
  { name: 'cpuVsDuckdb', what: 'CPU, uncompressed: DuckDB’s, from a file, over ours', atLeast: 1 / 1.4 },
  { name: 'peakMiB', what: 'our peak memory in MiB, uncompressed', atMost: 350 },
  { name: 'bytesVsPyarrow', what: 'bytes of our files over pyarrow’s for the same rows', atMost: 1.05 },
  { name: 'lanes2', what: 'records/s of two processes, uncompressed' }
] as const satisfies readonly Ratio[]

export type RatioName = (typeof RATIOS)[number]['name']

/** `null` where one of the two sides was not measured. */
export function ratiosOf(runs: readonly Run[]): Record<RatioName, number | null> {
  const of = (system: SystemName) => figuresOf(runs, system, 'none')
  const [ours, spark] = [of('causeway'), of('spark')]
  return {
    cpuVsSparkWarm: over(spark?.warmCpuPerMillion, ours?.cpuPerMillion),
    cpuVsSparkCold: over(spark?.cpuPerMillion, ours?.cpuPerMillion),
    cpuVsNaive: over(of('naive')?.cpuPerMillion, ours?.cpuPerMillion),
    cpuVsDuckdb: over(of('duckdb')?.cpuPerMillion, ours?.cpuPerMillion),
    peakMiB: ours?.peakMiB.median ?? null,
    bytesVsPyarrow: ours?.overPyarrow.median ?? null,
    lanes2: of('causeway-2')?.recordsPerSecond.median ?? null
  }
}
