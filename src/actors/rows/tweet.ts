import type { ColumnSink } from '../../records/columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import { TweetExtractor, tweetColumns } from '../../records/tweet.ts'
import { alwaysReady, nullValue, type Outcome, type RowDecoder, type RowValue } from './decoder.ts'

/** The preset `tweet`. */
export class TweetDecoder implements RowDecoder {
  readonly columns = tweetColumns
  readonly ready = alwaysReady
  readonly #tweet = new TweetExtractor()

  read({ buffer, valueStart, valueEnd }: RecordCursor): Outcome {
    if (valueStart < 0) return nullValue
    const reason = this.#tweet.read(buffer, valueStart, valueEnd)
    return reason === undefined ? 'row' : { reason }
  }

  value(column: number): RowValue {
    return this.#tweet.row.value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#tweet.row.appendTo(sink)
  }
}
