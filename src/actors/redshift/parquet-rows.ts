import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import {
  type DecodedArray,
  type FileMetaData,
  parquetMetadata,
  parquetScan,
  parquetSchema,
  type SchemaElement
} from 'hyparquet'
import { compressors as portable } from 'hyparquet-compressors'
import { Fault } from '../../errors.ts'
import type { ColumnType } from '../../records/columns.ts'
import { CopyTextEncoder, instantText, type Replacements } from './copy-text.ts'

export interface FileColumn {
  readonly name: string
  readonly type: ColumnType
}

/** A Parquet file as rows for COPY. */
export interface ParquetRows {
  readonly columns: readonly FileColumn[]
  readonly rows: number
  /** The rows in order, whole rows per chunk. A slice of rows is decoded at a time. Rejects with `file-corrupt`. */
  chunks(): AsyncGenerator<Buffer, Replacements>
}

const CHUNK_BYTES = 64 * 1024

const compressors = {
  ...portable,
  // Node's own are native.
  GZIP: (input: Uint8Array, bytes: number) => gunzipSync(input, { maxOutputLength: Math.max(bytes, 1) }),
  ZSTD: (input: Uint8Array, bytes: number) =>
    zstdDecompressSync(input, { maxOutputLength: Math.max(bytes, 1) })
}

/** Strings stay bytes and instants stay integers: nothing is rounded, and no byte order mark is lost. */
const parsers = {
  stringFromBytes: (bytes: Uint8Array) => bytes,
  timestampFromMilliseconds: (milliseconds: bigint) => milliseconds
}

/** Reads the footer. Throws `file-corrupt` for what is no Parquet file of flat columns that we know. */
export function openParquet(content: Buffer, path: string): ParquetRows {
  const corrupt = (what: string, cause?: unknown) => new Fault('file-corrupt', `${path}: ${what}`, { cause })
  const metadata = readFooter(content, (cause) => corrupt(messageOf(cause), cause))
  const columns = parquetSchema(metadata).children.map(({ element, children }) => {
    const type = children.length === 0 ? columnTypeOf(element) : undefined
    if (type === undefined) throw corrupt(`column ${element.name} has a type that we do not load`)
    return { name: element.name, type }
  })
  async function* chunks(): AsyncGenerator<Buffer, Replacements> {
    const encoder = new CopyTextEncoder(CHUNK_BYTES + CHUNK_BYTES / 4)
    try {
      for await (const slice of slicesOf(content, metadata, columns)) {
        yield* encodeSlice(slice, encoder)
      }
    } catch (cause) {
      throw corrupt(messageOf(cause), cause)
    }
    if (encoder.bytes > 0) yield encoder.take()
    return encoder.replacements
  }
  return { columns, rows: Number(metadata.num_rows), chunks }
}

function readFooter(content: Buffer, corrupt: (cause: unknown) => Fault): FileMetaData {
  try {
    return parquetMetadata(content)
  } catch (cause) {
    throw corrupt(cause)
  }
}

/** The columns as ParquetWriter writes them; `undefined` for any other. */
function columnTypeOf({
  type,
  converted_type,
  logical_type,
  repetition_type
}: SchemaElement): ColumnType | undefined {
  if (repetition_type === 'REPEATED') return undefined
  if (type === 'BOOLEAN') return 'boolean'
  if (type === 'BYTE_ARRAY') {
    if (converted_type === 'UTF8' || logical_type?.type === 'STRING') return 'string'
    return converted_type === undefined && logical_type === undefined ? 'binary' : undefined
  }
  if (type === 'DOUBLE') return 'double'
  if (logical_type?.type === 'TIMESTAMP') return logical_type.unit === 'MILLIS' ? 'timestamp' : undefined
  if (converted_type === 'TIMESTAMP_MILLIS') return 'timestamp'
  if (logical_type !== undefined && logical_type.type !== 'INTEGER') return undefined
  if (converted_type !== undefined && !/^INT_/.test(converted_type)) return undefined
  return type === 'INT64' ? 'int64' : type === 'INT32' ? 'int32' : undefined
}

interface Slice {
  readonly rows: number
  readonly columns: readonly { readonly write: ValueWriter; readonly values: DecodedArray }[]
}

/** Rows that are decoded at once, so that memory follows the slice and not the file: as many as a page has at most. */
const SLICE_ROWS = 20_000

async function* slicesOf(
  content: Buffer,
  metadata: FileMetaData,
  columns: readonly FileColumn[]
): AsyncGenerator<Slice> {
  const file = {
    byteLength: content.length,
    slice: (start: number, end = content.length) => sliceOf(content, start, end)
  }
  // With the offset index only the pages of a slice are read.
  const scan = await parquetScan({ file, metadata, compressors, parsers, useOffsetIndex: true })
  for (const group of scan.ranges) {
    for (let rowStart = group.rowStart; rowStart < group.rowEnd; rowStart += SLICE_ROWS) {
      const rowEnd = Math.min(rowStart + SLICE_ROWS, group.rowEnd)
      const rows = rowEnd - rowStart
      const decoded: Slice['columns'][number][] = []
      for (const { name, type } of columns) {
        const values = await scan.readColumn({ column: name, rowStart, rowEnd })
        if (values.length !== rows) {
          throw new Error(`column ${name} has ${values.length} values for ${rows} rows`)
        }
        decoded.push({ write: WRITERS[type], values })
      }
      yield { rows, columns: decoded }
    }
  }
}

function* encodeSlice({ rows, columns }: Slice, encoder: CopyTextEncoder): Generator<Buffer> {
  for (let row = 0; row < rows; row++) {
    for (const { write, values } of columns) {
      const value: unknown = values[row]
      if (value === null || value === undefined) encoder.null()
      else write(encoder, value)
    }
    encoder.endRow()
    if (encoder.bytes >= CHUNK_BYTES) yield encoder.take()
  }
}

type ValueWriter = (encoder: CopyTextEncoder, value: unknown) => void

/** A value of another kind than the schema says is a corrupt file, and must not become a plausible text. */
const WRITERS: Readonly<Record<ColumnType, ValueWriter>> = {
  int64: (encoder, value) => {
    if (typeof value !== 'bigint') throw unexpected(value)
    encoder.plain(value.toString())
  },
  int32: (encoder, value) => {
    if (typeof value !== 'number') throw unexpected(value)
    encoder.plain(value.toString())
  },
  double: (encoder, value) => {
    if (typeof value !== 'number') throw unexpected(value)
    encoder.plain(Object.is(value, -0) ? '-0' : String(value))
  },
  boolean: (encoder, value) => {
    if (typeof value !== 'boolean') throw unexpected(value)
    encoder.plain(value ? 't' : 'f')
  },
  string: (encoder, value) => {
    if (!(value instanceof Uint8Array)) throw unexpected(value)
    encoder.text(value)
  },
  /** In bytea's hex format, whose backslash COPY wants escaped. */
  binary: (encoder, value) => {
    if (!(value instanceof Uint8Array)) throw unexpected(value)
    encoder.plain(`\\\\x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`)
  },
  timestamp: (encoder, value) => {
    if (typeof value !== 'bigint') throw unexpected(value)
    encoder.plain(instantText(Number(value)))
  }
}

function unexpected(value: unknown): Error {
  return new Error(`a value of type ${typeof value} where the schema says otherwise`)
}

function sliceOf(content: Buffer, start: number, end: number): ArrayBuffer {
  const copy = new ArrayBuffer(end - start)
  content.copy(new Uint8Array(copy), 0, start, end)
  return copy
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
