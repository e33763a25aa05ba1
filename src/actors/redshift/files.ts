import { createHash } from 'node:crypto'
import { Fault } from '../../errors.ts'
import type { ByteBudget, Lease } from '../budget.ts'
import type { Store } from '../store/store.ts'
import type { Replacements } from './copy-text.ts'
import type { LoadableEntry, LoadableFile } from './log.ts'
import { openParquet } from './parquet-rows.ts'
import type { CopySource } from './session.ts'

export interface FilesOptions {
  readonly store: Store
  readonly budget: ByteBudget
  /** Columns of the target table; a file with others is refused. */
  readonly columns: ReadonlySet<string>
  /** Called with `throttled` when a file must wait for credit, and with `flowing` when it has got it. */
  readonly onFlow: (flow: 'flowing' | 'throttled') => void
  /** Called after the last row of a file. */
  readonly onFile: (file: LoadableFile, replacements: Replacements) => void
}

/**
 * The files of the entries as sources for COPY, one after the other. Each is read whole, proved to be the file that the
 * entry speaks of (length, SHA-256, number of rows), and counted in the byte budget until its last row has gone.
 *
 * Rejects with `file-missing` when the store says that a file is gone, with `file-corrupt` when it is not that file.
 */
export async function* copySources(
  entries: readonly LoadableEntry[],
  options: FilesOptions,
  signal: AbortSignal
): AsyncGenerator<CopySource> {
  for (const file of entries.flatMap(({ files }) => files)) {
    const lease = await creditFor(file, options, signal)
    try {
      yield await openFile(file, options, signal)
    } finally {
      lease.release()
    }
  }
}

async function creditFor(
  file: LoadableFile,
  { budget, onFlow }: FilesOptions,
  signal: AbortSignal
): Promise<Lease> {
  const mustWait = budget.usedBytes > 0 && budget.usedBytes + file.bytes > budget.limitBytes
  if (mustWait) onFlow('throttled')
  const lease = await budget.take(file.bytes, signal)
  if (mustWait) onFlow('flowing')
  return lease
}

async function openFile(
  file: LoadableFile,
  { store, columns, onFile }: FilesOptions,
  signal: AbortSignal
): Promise<CopySource> {
  const content = await store.read(file.path, signal)
  if (content === undefined) throw new Fault('file-missing', `${store.uri}: ${file.path} is gone`)
  const corrupt = (what: string) => new Fault('file-corrupt', `${store.uri}: ${file.path} ${what}`)
  if (content.length !== file.bytes)
    throw corrupt(`has ${content.length} bytes, its entry says ${file.bytes}`)
  if (createHash('sha256').update(content).digest('hex') !== file.sha256) {
    throw corrupt('has another SHA-256 than its entry says')
  }
  const parquet = openParquet(content, file.path)
  if (parquet.rows !== file.records) throw corrupt(`has ${parquet.rows} rows, its entry says ${file.records}`)
  const names = parquet.columns.map(({ name }) => name)
  const unknown = names.filter((name) => !columns.has(name))
  if (unknown.length > 0) throw corrupt(`has columns that the table has not: ${unknown.join(', ')}`)
  async function* chunks(): AsyncGenerator<Buffer> {
    const replacements = yield* parquet.chunks()
    onFile(file, replacements)
  }
  return { columns: names, chunks: chunks() }
}
