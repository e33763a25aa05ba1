import { Program } from '../lib/program.ts'
import { python } from '../lib/python.ts'
import type { Clusters } from './clusters.ts'
import { Source } from './content.ts'
import { assignment, withProgram } from './run.ts'
import type { System } from './system.ts'
import { FIRST_RECORDS, LATENCY_RATE, PARTITIONS, TOPIC } from './workload.ts'

/** Milliseconds from a record's making by a producer of the source to its receipt by a consumer of the target. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Every record that counts has come. */
  readonly isVerified: boolean
}

interface Said {
  readonly counted: number
  readonly came: number
  readonly p50: number | null
  readonly p99: number | null
  readonly max: number | null
}

const STARTING = { everyMs: 10, timeoutMs: 120_000 }

/** One mirror at a steady rate, after a warm-up. */
export async function latency(
  system: System,
  seconds: { readonly warm: number; readonly counted: number },
  clusters: Clusters
): Promise<Latency> {
  await clusters.renew()
  const { source, target } = clusters
  const none = { name: 'uncompressed', codec: 'none', records: 0, batchBytes: 0 } as const
  const first = await Source.fill(source.address, none)
  await first.release()
  return withProgram(system, assignment('none', 'latency', clusters), async (program) => {
    const isCopied = async () => ((await target.readable()) >= FIRST_RECORDS ? true : undefined)
    await program.until('the first records', isCopied, STARTING)
    const numbers = [PARTITIONS, LATENCY_RATE, seconds.warm, seconds.counted].map(String)
    const args = [source.address, target.address, TOPIC, ...numbers]
    const said: Said = JSON.parse(
      await new Program(await python('mirror/python/latency.py', args)).finished()
    )
    const { counted, came, p50, p99, max } = said
    if (p50 === null || p99 === null || max === null)
      throw new Error(`no record came: ${JSON.stringify(said)}`)
    return { p50, p99, max, isVerified: came === counted }
  })
}
