import type { Clusters } from './clusters.ts'
import type { Measured } from './figures.ts'
import { type Latency, latency } from './latency.ts'
import { type Relayed, relay } from './relay.ts'
import { type Copy, copy } from './run.ts'
import type { System, SystemName } from './system.ts'
import type { Workload, WorkloadName } from './workload.ts'

/** All runs of one call of the benchmark, in turn. A run that fails is told of and does not end the others. */
export class Session {
  readonly #clusters: Clusters
  readonly #systems: readonly System[]
  readonly #copies: { system: SystemName; workload: WorkloadName; copy: Copy }[] = []
  readonly #latencies: { system: SystemName; latency: Latency }[] = []
  readonly #relays: { workload: WorkloadName; relayed: Relayed; records: number }[] = []
  readonly #faults: string[] = []
  /** By topic, and for the latency. */
  readonly #turns = new Map<string, number>()

  constructor(clusters: Clusters, systems: readonly System[]) {
    this.#clusters = clusters
    this.#systems = systems
  }

  get measured(): Measured {
    return { copies: this.#copies, latencies: this.#latencies, relays: this.#relays }
  }

  /** Runs that failed, or whose outcome was wrong. */
  get faults(): readonly string[] {
    return this.#faults
  }

  /** Every mirror copies the topic once, and a bare relay carries as many bytes. */
  async copies(workload: Workload): Promise<void> {
    let sourceBytes = 0
    for (const system of this.#inTurn(workload.name)) {
      const label = `${workload.name}, ${system.title}`
      await this.#try(label, async () => {
        const done = await copy(system, workload, this.#clusters)
        sourceBytes = done.sourceBytes
        this.#copies.push({ system: system.name, workload: workload.name, copy: done })
        console.log(`${label}: ${summary(done)}`)
        if (!done.isVerified) throw new Error('the target’s records are not the source’s')
      })
    }
    if (sourceBytes === 0) return
    await this.#try(`${workload.name}, relay`, async () => {
      const relayed = await relay(sourceBytes)
      this.#relays.push({ workload: workload.name, relayed, records: workload.records })
      console.log(`${workload.name}, relay: ${JSON.stringify(relayed)}`)
    })
  }

  /** Every mirror carries a steady stream. */
  async latencies(seconds: { readonly warm: number; readonly counted: number }): Promise<void> {
    for (const system of this.#inTurn('latency')) {
      const label = `latency, ${system.title}`
      await this.#try(label, async () => {
        const measured = await latency(system, seconds, this.#clusters)
        this.#latencies.push({ system: system.name, latency: measured })
        console.log(`${label}: ${JSON.stringify(measured)}`)
        if (!measured.isVerified) throw new Error('not every record came in time')
      })
    }
  }

  /** Another one is the first in each round, so that no one always follows the same. */
  #inTurn(what: string): readonly System[] {
    const turn = this.#turns.get(what) ?? 0
    this.#turns.set(what, turn + 1)
    const first = turn % Math.max(1, this.#systems.length)
    return [...this.#systems.slice(first), ...this.#systems.slice(0, first)]
  }

  async #try(label: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#faults.push(`${label}: ${message.split('\n')[0]}`)
      console.error(`${label} does not count: ${message}`)
    }
  }
}

function summary({
  cpuSeconds,
  seconds,
  records,
  peakBytes,
  startMs,
  startCpuSeconds,
  isVerified
}: Copy): string {
  const cpu = `${((cpuSeconds / records) * 1e6).toFixed(2)} CPU s per million`
  const rate = `${Math.round(records / seconds)} records/s`
  const start = `first after ${Math.round(startMs)} ms and ${startCpuSeconds.toFixed(2)} CPU s`
  return `${cpu}, ${rate}, peak ${Math.round(peakBytes / 2 ** 20)} MiB, ${start}, ${isVerified ? 'equal' : 'WRONG'}`
}
