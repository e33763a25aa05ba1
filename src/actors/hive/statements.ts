import { discoverChains } from '../store/discover.ts'
import type { Store } from '../store/store.ts'
import { addPartitions, STATEMENT_PARTITIONS } from './ddl.ts'
import { type LogPiece, readPiece } from './survey.ts'
import type { HiveTable } from './table.ts'

const PIECE_ENTRIES = 1_000

/** The statements that add the partitions of all files which the log of a sink names, each partition once. */
export async function* statementsFor(
  store: Store,
  table: HiveTable,
  signal: AbortSignal
): AsyncGenerator<string, void, undefined> {
  const told = new Set<string>()
  for (const { id: chain } of await discoverChains(store, table.sink, signal)) {
    // Reading the first generation goes on into those that follow.
    if (chain.generation > 1) continue
    let piece: LogPiece | undefined
    do {
      const from = piece?.position
      piece = await readPiece(store, table, { chain, from, limit: PIECE_ENTRIES }, signal)
      const added = piece.partitions.filter(({ location }) => !told.has(location))
      for (const { location } of added) told.add(location)
      for (let first = 0; first < added.length; first += STATEMENT_PARTITIONS) {
        yield addPartitions(table, added.slice(first, first + STATEMENT_PARTITIONS))
      }
    } while (!piece.isEnd)
  }
}
