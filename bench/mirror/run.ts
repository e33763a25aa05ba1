import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Program } from '../lib/program.ts'
import type { Clusters } from './clusters.ts'
import { type Content, contentOf, recordsOf, Source } from './content.ts'
import type { Assignment, System } from './system.ts'
import { FIRST_RECORDS, TOPIC, type Workload } from './workload.ts'

/** What one run of one mirror on one topic came to. */
export interface Copy {
  /** From the start of the process to the first record that a read_committed consumer can read on the target. */
  readonly startMs: number
  /** CPU of the process tree until then. */
  readonly startCpuSeconds: number
  /** CPU of the process tree from when the records became readable on the source until all were on the target. */
  readonly cpuSeconds: number
  /** The time that took. */
  readonly seconds: number
  readonly records: number
  /** Peak of the process tree from its start to its end. */
  readonly peakBytes: number
  /** librdkafka reads the same keys and values in the same order from the same partitions of both sides. */
  readonly isVerified: boolean
  /** Size of the source's log. */
  readonly sourceBytes: number
}

const STARTING = { everyMs: 10, timeoutMs: 120_000 }
const COPYING_MS = 10 * 60_000
const SAMPLE_MS = 20
/** The moment of release, counted from the process' start: by then all have loaded what they need and are at rest. */
const SETTLED_MS = 6_000
/** Rest after its first record, for those that are slow to start. */
const REST_MS = 2_000
/** When nothing has come for so long, the target is read and compared. */
const STILL_MS = 2_000

/** Copies a topic once, from new, and reads the outcome back. */
export async function copy(system: System, workload: Workload, clusters: Clusters): Promise<Copy> {
  await clusters.renew()
  const source = await Source.fill(clusters.source.address, workload)
  try {
    return await withProgram(system, assignment(workload.codec, 'throughput', clusters), async (program) => {
      const readable = () => clusters.target.readable()
      const start = await program.until('the first record', startOf(program, readable), STARTING)
      await program.until(
        'rest',
        async () => ((await readable()) >= FIRST_RECORDS ? true : undefined),
        STARTING
      )
      await pause(Math.max(REST_MS, program.startedAt + SETTLED_MS - performance.now()))
      const sourceBytes = clusters.source.logBytes()
      const before = program.tree.usage().cpuSeconds
      const released = { at: performance.now(), done: source.release() }
      const watch = new Watch(program, readable, recordsOf(source.content))
      const { end, target } = await watch.untilEqual(source.content, clusters.target.address)
      await released.done
      return {
        ...start,
        cpuSeconds: end.cpuSeconds - before,
        seconds: (end.at - released.at) / 1_000,
        records: workload.records,
        peakBytes: program.tree.usage().peakBytes,
        isVerified: isSame(source.content, target),
        sourceBytes
      }
    })
  } finally {
    await source.stop()
  }
}

let runs = 0

export function assignment(
  codec: Workload['codec'],
  aim: Assignment['aim'],
  { source, target }: Clusters
): Assignment {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'))
  const run = String(++runs)
  return { source: source.address, target: target.address, topic: TOPIC, codec, run, directory, aim }
}

/** Starts a mirror, and ends it whatever happens. */
export async function withProgram<T>(
  system: System,
  assigned: Assignment,
  use: (program: Program) => Promise<T>
): Promise<T> {
  const program = new Program(await system.command(assigned))
  try {
    return await use(program)
  } finally {
    await program.stop()
    rmSync(assigned.directory, { recursive: true, force: true })
  }
}

function startOf(program: Program, readable: () => Promise<number>) {
  return async (): Promise<Pick<Copy, 'startMs' | 'startCpuSeconds'> | undefined> => {
    if ((await readable()) === 0) return undefined
    const startMs = performance.now() - program.startedAt
    return { startMs, startCpuSeconds: program.tree.usage().cpuSeconds }
  }
}

interface Sample {
  readonly at: number
  readonly readable: number
  readonly cpuSeconds: number
}

/** Looks on while a target fills. */
class Watch {
  readonly #program: Program
  readonly #readable: () => Promise<number>
  readonly #records: number
  readonly #deadline = performance.now() + COPYING_MS
  #last: Sample

  /** @param records that are expected; offsets of markers come on top */
  constructor(program: Program, readable: () => Promise<number>, records: number) {
    this.#program = program
    this.#readable = readable
    this.#records = records
    this.#last = { at: performance.now(), readable: -1, cpuSeconds: 0 }
  }

  /** The moment at which the last record became readable, and what librdkafka reads then. */
  async untilEqual(source: Content, address: string): Promise<{ end: Sample; target: Content }> {
    for (;;) {
      const end = await this.#still()
      const target = await contentOf(address)
      // Markers may have made up the number while records were still to come.
      if (recordsOf(target) >= recordsOf(source) || performance.now() > this.#deadline) return { end, target }
    }
  }

  /** The first of the samples after which nothing came for a while. */
  async #still(): Promise<Sample> {
    for (;;) {
      const sample = await this.#sample()
      if (sample.readable !== this.#last.readable) this.#last = sample
      const isStill = sample.at - this.#last.at > STILL_MS
      if (isStill && (sample.readable >= this.#records || sample.at > this.#deadline)) return this.#last
      if (this.#program.hasEnded) {
        throw new Error(`a mirror ended while it copied:\n${this.#program.printed.slice(-3_000)}`)
      }
      await pause(SAMPLE_MS)
    }
  }

  async #sample(): Promise<Sample> {
    const readable = await this.#readable()
    return { at: performance.now(), readable, cpuSeconds: this.#program.tree.usage().cpuSeconds }
  }
}

function isSame(source: Content, target: Content): boolean {
  return JSON.stringify(source) === JSON.stringify(target)
}
