import type { ParquetCodec } from '../../config.ts'
import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import { ParquetWriter } from '../parquet/writer.ts'

/** How a data file is written. */
export interface FileFormat {
  readonly type: 'parquet'
  readonly codec: ParquetCodec
}

/** A data file on its way to its bytes: for each row one append on every column, then `endRow`. */
export interface TableFile extends ColumnSink {
  endRow(): void
  readonly rows: number
  /** What it holds in memory. */
  readonly bytes: number
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

export function fileKind(_format: FileFormat): FileKind {
  return { extension: 'parquet', contentType: 'application/vnd.apache.parquet', encoder: 'parquet-1' }
}

export function openTableFile({ codec }: FileFormat, columns: readonly ColumnSpec[]): TableFile {
  return new ParquetWriter(columns, { codec })
}
