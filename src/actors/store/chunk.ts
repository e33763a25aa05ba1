import type { Entry, EntryFile } from './entry.ts'

/** What was built of the offsets `[from, to)` of one topic-partition, finished and in memory. */
export interface Chunk {
  /** Names the chunk towards the builder that holds its credits; unique within one builder. */
  readonly id: number
  readonly from: number
  readonly to: number
  readonly counts: Entry['counts']
  /** Leader epoch of the last batch, -1 when unknown. */
  readonly leaderEpoch: number
  /** Rows by directory, then at most one file of dead letters. Empty when the range held nothing to keep. */
  readonly files: readonly ChunkFile[]
}

export interface ChunkFile {
  readonly kind: EntryFile['kind']
  /** Where a data file belongs, below the sink's data prefix: the template filled in. Unused for dead letters. */
  readonly directory: string
  /** How the name of a data file ends, without a leading dot; `parquet` when absent. */
  readonly extension?: string
  readonly parts: readonly Buffer[]
  readonly bytes: number
  readonly records: number
  /** Smallest and greatest record timestamp, milliseconds since 1970; undefined when no record has one. */
  readonly minEventTimeMs: number | undefined
  readonly maxEventTimeMs: number | undefined
  readonly sha256: string
}
