import { type ChainId, chainName, chainPrefix, parseLogPath, sinkLogPrefix } from './names.ts'
import { inParallel } from './parallel.ts'
import { readGenesis } from './records.ts'
import type { Store } from './store.ts'

/** A chain of a sink's log that has a beginning. */
export interface FoundChain {
  /** `chainName(id)`: its name in records, and its row in a warehouse. */
  readonly chain: string
  readonly id: ChainId
  /** First offset that it covers. */
  readonly start: number
}

/** Requests to the store that run at once. */
const PARALLEL = 8

/**
 * The chains of a sink. One listing request per chain: after the first name of a chain's directory the listing goes on
 * behind it, so entries are not paged through. A chain without a genesis does not exist yet.
 */
export async function discoverChains(store: Store, sink: string, signal: AbortSignal): Promise<FoundChain[]> {
  const ids: ChainId[] = []
  for (let startAfter: string | undefined = ''; startAfter !== undefined; ) {
    const id = await firstChainAfter(store, sink, startAfter, signal)
    if (id !== undefined) ids.push(id)
    startAfter = id === undefined ? undefined : `${chainPrefix(id)}~` // greater than every name in there
  }
  const found = await inParallel(ids, PARALLEL, async (id) => {
    const genesis = await readGenesis(store, id, signal)
    return genesis === undefined ? [] : [{ chain: chainName(id), id, start: genesis.start }]
  })
  return found.flat()
}

async function firstChainAfter(
  store: Store,
  sink: string,
  startAfter: string,
  signal: AbortSignal
): Promise<ChainId | undefined> {
  const options = startAfter === '' ? {} : { startAfter }
  for await (const { path } of store.list(sinkLogPrefix(sink), options, signal)) {
    const parsed = parseLogPath(path)
    if (parsed !== undefined) return parsed.chain
  }
  return undefined
}
