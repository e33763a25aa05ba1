import type { EntryFile } from '../store/entry.ts'
import type { ChainId } from '../store/names.ts'
import { entriesFrom } from '../store/reading.ts'
import { readGenesis } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { ChainName, LogPosition } from './bookmark.ts'
import type { HivePartition, HiveTable } from './table.ts'

/** What a piece of a chain's log says. */
export interface LogPiece {
  /** Behind the last entry that was read; undefined while the chain has no beginning. */
  readonly position: LogPosition | undefined
  /** The partitions of its files, each once. */
  readonly partitions: readonly HivePartition[]
  /** Whether nothing came after it. */
  readonly isEnd: boolean
}

/**
 * Reads at most `limit` entries of a chain's log from a position on, from its beginning without one. The last entry may
 * not be published yet: its directories are there all the same, and Hive passes over hidden files.
 */
export async function readPiece(
  store: Store,
  table: HiveTable,
  { chain, from, limit }: PieceOptions,
  signal: AbortSignal
): Promise<LogPiece> {
  const partitions = new Map<string, HivePartition>()
  const piece = (position: LogPosition | undefined, isEnd: boolean): LogPiece => ({
    ...{ position, partitions: [...partitions.values()], isEnd }
  })
  const idOf = (generation: number): ChainId => ({ ...chain, sink: table.sink, generation })
  const startOf = async (generation: number) => {
    const genesis = await readGenesis(store, idOf(generation), signal)
    return genesis && { generation, next: genesis.start }
  }
  let position = from ?? (await startOf(1))
  for (let left = limit; position !== undefined && left > 0; ) {
    const [start, before] = [position, left]
    for await (const entry of entriesFrom(store, idOf(start.generation), start.next, signal)) {
      if (entry.type === 'closed') {
        const next = await startOf(entry.closed)
        // A rewind that is under way: the generation that follows has no beginning yet.
        if (next === undefined) return piece(position, true)
        position = next
        break
      }
      for (const found of partitionsOf(table, entry.files)) partitions.set(found.location, found)
      position = { generation: start.generation, next: entry.to }
      if (--left === 0) break
    }
    if (left === before && position === start) return piece(position, true)
  }
  return piece(position, position === undefined)
}

export interface PieceOptions {
  readonly chain: ChainName
  readonly from: LogPosition | undefined
  readonly limit: number
}

/** The partitions of data files, each once. */
export function partitionsOf(
  table: HiveTable,
  files: readonly Pick<EntryFile, 'kind' | 'path'>[]
): readonly HivePartition[] {
  if (table.partitionColumns.length === 0) return []
  const found = new Map<string, HivePartition>()
  for (const { kind, path } of files) {
    const partition = kind === 'data' ? table.partitionOf(path) : undefined
    if (partition) found.set(partition.location, partition)
  }
  return [...found.values()]
}
