import { oneOf } from './fields.ts'
import { type FileFormat, fileFormats, type ParquetCodec, parquetCodecs, type TextCodec } from './types.ts'

/** How a sink writes its data files. */
export function fileKeys() {
  return {
    format: oneOf(fileFormats)
      .default('parquet')
      .describe(
        'Of data files: ndjson is a JSON object a line; text has | between values, as the system before had it.'
      ),
    codec: oneOf(parquetCodecs)
      .optional()
      .describe('snappy for parquet, gzip for ndjson, none for text when absent; snappy is for parquet only.')
  }
}

interface Keys {
  readonly format: FileFormat['type']
  readonly codec?: ParquetCodec | undefined
}

const defaults = { ndjson: 'gzip', text: 'none' } as const

export function fileFormat({ format, codec }: Keys): FileFormat {
  if (format === 'parquet') return { type: format, codec: codec ?? 'snappy' }
  return { type: format, codec: codec === undefined || !isTextCodec(codec) ? defaults[format] : codec }
}

export function isTextCodec(codec: ParquetCodec): codec is TextCodec {
  return codec !== 'snappy'
}
