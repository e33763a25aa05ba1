import type { Command } from '../lib/program.ts'

export type SystemName = 'causeway' | 'causeway-2' | 'spark' | 'naive' | 'duckdb'

/** What a program has to do in one run: the topic's records, which are the lines of a file, to Parquet. */
export interface Assignment {
  /** `host:port` */
  readonly broker: string
  readonly topic: string
  readonly records: number
  readonly lines: string
  /** In letters and digits, of this run only. */
  readonly run: string
  /** This run's own, empty; what is written to the disk goes to `output` in it. */
  readonly directory: string
  readonly output: string
  /** Of the object store. */
  readonly endpoint: string
}

/** A program under measurement. It either writes to the object store, or to `output` and prints `done 1`. */
export interface System {
  readonly name: SystemName
  /** What the tables call it. */
  readonly title: string
  readonly isHere: boolean
  /** Where its files are looked for. */
  readonly target: 'store' | 'disk'
  /** Does all of it again in the same process when it is told to, and prints `done 2`. */
  readonly canRepeat: boolean
  /** Downloads, before any clock runs. */
  readonly prepare: () => Promise<void>
  readonly command: (assignment: Assignment) => Promise<Command>
  /** With which versions and settings, for the reader of the results. */
  readonly described: () => string
}
