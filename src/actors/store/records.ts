import { Fault } from '../../errors.ts'
import {
  type ClosedEntry,
  type Entry,
  type Genesis,
  parseEntry,
  parseGenesis,
  parseRepair,
  type Repair,
  withRepairs
} from './entry.ts'
import { type ChainId, chainName, entryPath, genesisPath, repairPath } from './names.ts'
import type { Store } from './store.ts'

/** The records of a chain as its readers see them: each is looked for at its own path. All reject with a `Fault`. */

const REPAIRS_MAX = 1_000

/** The genesis of a generation, or `undefined` when there is none yet. */
export async function readGenesis(
  store: Store,
  chain: ChainId,
  signal: AbortSignal
): Promise<Genesis | undefined> {
  const path = genesisPath(chain)
  const content = await store.read(path, signal)
  return content && checkChain(parseGenesis(content, path), chain, path)
}

/** The entry that begins at `from`, or `undefined` when there is none yet. Throws `log-corrupt` for a foreign one. */
export async function readEntry(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): Promise<Entry | ClosedEntry | undefined> {
  const path = entryPath(chain, from)
  const content = await store.read(path, signal)
  if (content === undefined) return undefined
  const entry = checkChain(parseEntry(content, path), chain, path)
  if (entry.from !== from) throw new Fault('log-corrupt', `${path} begins at ${entry.from}`)
  return entry
}

/** The entry at `from` with what its repairs say of its files. */
export async function readRepaired(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): Promise<Entry | ClosedEntry | undefined> {
  const [entry, repairs] = await Promise.all([
    readEntry(store, chain, from, signal),
    readRepairs(store, chain, from, signal)
  ])
  return entry?.type === 'entry' ? withRepairs(entry, repairs) : entry
}

/** The repairs of the entry at `from`, in order. */
export async function readRepairs(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): Promise<Repair[]> {
  const repairs: Repair[] = []
  while (repairs.length < REPAIRS_MAX) {
    const path = repairPath(chain, from, repairs.length + 1)
    const content = await store.read(path, signal)
    if (content === undefined) return repairs
    repairs.push(checkChain(parseRepair(content, path), chain, path))
  }
  throw new Fault('log-corrupt', `${entryPath(chain, from)} was repaired more than ${REPAIRS_MAX} times`)
}

/** The entries of one generation from `from` on, in order, to the end of the log or to the one that closes it. */
export async function* walkEntries(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): AsyncGenerator<Entry | ClosedEntry, void, undefined> {
  for (let next = from; ; ) {
    const entry = await readEntry(store, chain, next, signal)
    if (entry === undefined) return
    yield entry
    if (entry.type === 'closed') return
    next = entry.to
  }
}

/** Throws `log-corrupt` for a record of another chain. */
export function checkChain<T extends { readonly chain: string }>(record: T, chain: ChainId, path: string): T {
  if (record.chain === chainName(chain)) return record
  throw new Fault('log-corrupt', `${path} belongs to chain ${record.chain}`)
}
