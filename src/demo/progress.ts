import type pg from 'pg'
import type { Cluster } from '../actors/kafka/cluster.ts'
import { tp } from '../actors/kafka/topic-partition.ts'
import type { RoleView } from '../roles/role.ts'
import { demoNames } from './config.ts'
import type { Expectation } from './expected.ts'
import { countDeadLetters, countRows } from './verify.ts'

/** Tells whether everything has arrived, from the durable stores and never from a role's own word. */
export interface Progress {
  readonly rows: number
  readonly done: boolean
}

export interface ProgressSources {
  readonly source: Cluster
  readonly warehouse: pg.Client
  readonly streamFinished: () => boolean
  readonly expectation: Expectation
  /** The HDFS sink as it shows itself. */
  readonly hdfsSink: () => RoleView | undefined
}

/**
 * Everything is there when the warehouse, the end of the longer way, holds all events, and the HDFS sink, the end of the
 * shorter one, has published all that the source topic holds.
 */
export async function progressOf(sources: ProgressSources, signal: AbortSignal): Promise<Progress> {
  const { expectation, warehouse, source } = sources
  const rows = await countRows(warehouse)
  if (rows < expectation.events.size || !sources.streamFinished()) return { rows, done: false }
  if (expectation.malformed > 0 && (await countDeadLetters(source, signal)) < expectation.malformed) {
    return { rows, done: false }
  }
  return { rows, done: await hasPublishedAll(sources, signal) }
}

async function hasPublishedAll({ source, hdfsSink }: ProgressSources, signal: AbortSignal): Promise<boolean> {
  const { topic, partitions: count } = demoNames
  const partitions = Array.from({ length: count }, (_, partition) => ({
    topic,
    partition,
    timestamp: -1 as const
  }))
  const ends = await source.listOffsets(partitions, 1, signal)
  const positions = new Map(
    hdfsSink()?.partitions.map((view) => [tp(view.topic, view.partition), view.position]) ?? []
  )
  return [...ends].every(([key, end]) => (positions.get(key) ?? -1) >= end)
}
