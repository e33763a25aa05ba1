import type { SinkConfig } from '../../config.ts'
import type { ColumnSpec } from '../../records/columns.ts'
import { tweetColumns } from '../../records/tweet.ts'
import type { RowDecoder, RowSource } from './decoder.ts'
import { LineageDecoder, lineageColumns } from './lineage.ts'
import { TweetDecoder } from './tweet.ts'

/** What of a sink's configuration decides its rows. */
export type RowsConfig = Pick<SinkConfig, 'preset' | 'lineage'>

/** The columns of the sink's files, in order. */
export function sinkColumns({ lineage }: RowsConfig): readonly ColumnSpec[] {
  return lineage ? [...tweetColumns, ...lineageColumns] : tweetColumns
}

/** A decoder for the records of one chain. */
export function openDecoder({ lineage }: RowsConfig, source: RowSource): RowDecoder {
  const rows = new TweetDecoder()
  return lineage ? new LineageDecoder(rows, source) : rows
}
