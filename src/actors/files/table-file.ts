import type { ParquetCodec } from '../../config.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import { ParquetWriter } from '../parquet/writer.ts'
import type { TextCodec } from './compression.ts'
import { LinesFile } from './lines.ts'
import { ndjsonFormat } from './ndjson.ts'
import { textFormat } from './text.ts'

/** How a data file is written. */
export type FileFormat =
  | { readonly type: 'parquet'; readonly codec: ParquetCodec }
  | { readonly type: 'ndjson' | 'text'; readonly codec: TextCodec }

/** A data file on its way to its bytes: for each row one append on every column, then `endRow`. */
export interface TableFile extends ColumnSink {
  endRow(): void
  readonly rows: number
  /** About what the file would have if it were finished now, more while something waits for its compression. */
  readonly bytes: number
  /** What it holds in memory, buffers that are not full included. */
  readonly memoryBytes: number
  /** The whole file; nothing may be appended afterwards. */
  finish(): readonly Buffer[]
}

export interface FileKind {
  /** Of its name, without a leading dot. */
  readonly extension: string
  readonly contentType: string
  /** The encoder as entries name it: another version may give other bytes for the same rows. */
  readonly encoder: string
}

const endings = { none: '', gzip: '.gz', zstd: '.zst' } as const

export function fileKind(format: FileFormat): FileKind {
  switch (format.type) {
    case 'parquet':
      return { extension: 'parquet', contentType: 'application/vnd.apache.parquet', encoder: 'parquet-2' }
    case 'ndjson':
      return {
        extension: `ndjson${endings[format.codec]}`,
        contentType: 'application/x-ndjson',
        encoder: 'ndjson-1'
      }
    case 'text':
      return { extension: `txt${endings[format.codec]}`, contentType: 'text/plain', encoder: 'text-1' }
  }
}

export function openTableFile(format: FileFormat, columns: readonly ColumnSpec[]): TableFile {
  switch (format.type) {
    case 'parquet':
      return new ParquetWriter(columns, { codec: format.codec })
    case 'ndjson':
      return new LinesFile(columns, format.codec, ndjsonFormat)
    case 'text':
      return new LinesFile(columns, format.codec, textFormat)
  }
}
