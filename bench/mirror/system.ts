import type { Command } from '../lib/program.ts'
import type { Codec } from './workload.ts'

/** What a mirror has to do in one run. */
export interface Assignment {
  /** `host:port` */
  readonly source: string
  readonly target: string
  readonly topic: string
  /** For whatever compresses anew. */
  readonly codec: Codec
  /** In letters and digits, of this run only: so no group or id of an earlier run stands in the way. */
  readonly run: string
  /** Empty, and this run's own. */
  readonly directory: string
  /** Whether latency is measured, or else what it can carry. */
  readonly aim: 'throughput' | 'latency'
}

/** A mirror under measurement. */
export interface System {
  readonly name: SystemName
  /** What the tables call it. */
  readonly title: string
  /** Whether it says that no failure loses or repeats a record. */
  readonly exactlyOnce: boolean
  /** Whether it can be had on this machine. */
  readonly isHere: boolean
  /** Downloads and builds, before any clock runs. */
  readonly prepare: () => Promise<void>
  /** Writes what it needs into the assignment's directory and says how it is started. */
  readonly command: (assignment: Assignment) => Promise<Command>
  /** With which versions and settings, for the reader of the results. */
  readonly described: () => string
}

export type SystemName = 'mm2' | 'mm2-exactly-once' | 'kafkajs' | 'franz-go' | 'causeway'
