import type { FileFormat } from '../../config/types.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import { ParquetWriter } from '../parquet/writer.ts'
import { LinesFile } from './lines.ts'
import { ndjsonFormat } from './ndjson.ts'
import { textFormat } from './text.ts'

/** A data file on its way to its bytes: for each row one append on every column, then `endRow`. */
export interface TableFile extends ColumnSink {
  /** How its name ends, without a leading dot. */
  readonly extension: string
  endRow(): void
  readonly rows: number
  /** About what the file would have if it were finished now, more while something waits for its compression. */
  readonly bytes: number
  /** What it holds in memory, buffers that are not full included. */
  readonly memoryBytes: number
  /** The whole file; nothing may be appended afterwards. */
  finish(): readonly Buffer[]
}

/** Encoders as entries name them: another version may give other bytes for the same rows. */
const encoders = { parquet: 'parquet-2', ndjson: 'ndjson-1', text: 'text-1' } as const

const endings = { none: '', gzip: '.gz', zstd: '.zst' } as const

export function encoderOf({ type }: FileFormat): string {
  return encoders[type]
}

export function openTableFile(format: FileFormat, columns: readonly ColumnSpec[]): TableFile {
  switch (format.type) {
    case 'parquet':
      return new ParquetWriter(columns, { codec: format.codec })
    case 'ndjson':
      return new LinesFile(columns, `ndjson${endings[format.codec]}`, format.codec, ndjsonFormat)
    case 'text':
      return new LinesFile(columns, `txt${endings[format.codec]}`, format.codec, textFormat)
  }
}
