import type { ParquetCodec } from '../../config.ts'
import type { ColumnSpec } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import { TweetExtractor, tweetColumns } from '../../records/tweet.ts'
import { ParquetWriter } from '../parquet/writer.ts'
import type { RowEncoder } from './draft.ts'

/** Where a row came from, after the tweet's own columns. */
export const lineageColumns: readonly ColumnSpec[] = [
  { name: '_topic', type: 'string', nullable: false },
  { name: '_partition', type: 'int32', nullable: false },
  { name: '_offset', type: 'int64', nullable: false },
  /** The record's Kafka timestamp; null when it has none. */
  { name: '_timestamp', type: 'timestamp', nullable: true }
]

/** The encoder as entries name it: another version may give other bytes for the same records. */
export const encoderVersion = 'parquet-1'

export function sinkColumns(lineage: boolean): readonly ColumnSpec[] {
  return lineage ? [...tweetColumns, ...lineageColumns] : tweetColumns
}

export interface TweetRowsOptions {
  readonly codec: ParquetCodec
  readonly lineage: boolean
}

/** Makes the encoders of one topic-partition; they share an extractor, because only one is used at a time. */
export function tweetRows({ codec, lineage }: TweetRowsOptions) {
  const extractor = new TweetExtractor()
  const columns = sinkColumns(lineage)
  return (source: { readonly topic: string; readonly partition: number }): RowEncoder =>
    new TweetRows(extractor, new ParquetWriter(columns, { codec }), lineage ? source : undefined)
}

class TweetRows implements RowEncoder {
  readonly #extractor: TweetExtractor
  readonly #writer: ParquetWriter
  readonly #source: { readonly topic: string; readonly partition: number } | undefined

  constructor(
    extractor: TweetExtractor,
    writer: ParquetWriter,
    source: { readonly topic: string; readonly partition: number } | undefined
  ) {
    this.#extractor = extractor
    this.#writer = writer
    this.#source = source
  }

  get rows(): number {
    return this.#writer.rows
  }

  get bytes(): number {
    return this.#writer.bytes
  }

  append(record: RecordCursor): { readonly reason: string } | undefined {
    const { buffer, valueStart, valueEnd } = record
    const outcome = this.#extractor.extract(buffer, valueStart, valueEnd, this.#writer)
    if (outcome !== 'ok') return outcome
    if (this.#source) this.#appendLineage(record, this.#source)
    this.#writer.endRow()
    return undefined
  }

  finish(): readonly Buffer[] {
    return this.#writer.finish()
  }

  #appendLineage(record: RecordCursor, { topic, partition }: { topic: string; partition: number }): void {
    const first = tweetColumns.length
    const { columns } = this.#writer
    columns[first]?.appendString(topic)
    columns[first + 1]?.appendNumber(partition)
    columns[first + 2]?.appendNumber(record.offset)
    const timestamp = columns[first + 3]
    if (record.timestamp === -1) timestamp?.appendNull()
    else timestamp?.appendNumber(record.timestamp)
  }
}
