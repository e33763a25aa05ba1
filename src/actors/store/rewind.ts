import { Fault } from '../../errors.ts'
import { findEnd, type OpenedChain, type OpenOptions } from './chain.ts'
import { createRecord, publishEntry, writeHead } from './commit.ts'
import { type ClosedEntry, type Genesis, instantOf, logVersion, serialize } from './entry.ts'
import { type ChainId, chainName, entryPath, genesisPath } from './names.ts'
import { readEntry, readGenesis } from './records.ts'
import type { Store } from './store.ts'

export interface RewindOptions extends Omit<OpenOptions, 'start'> {
  /** First offset of the next generation. */
  readonly to: number
  /** Unique per attempt, lower-case hex. */
  readonly nonce: string
  /** Goes on although the last entry cannot be published: its missing files stay missing. */
  readonly abandon: boolean
}

/** What became of a chain. */
export interface Rewound {
  /** The generation that goes on. */
  readonly generation: number
  /** Where the one before it ended. */
  readonly end: number
  /** Where it begins: another rewind at the same time may have been first. */
  readonly start: number
}

const ATTEMPTS_MAX = 100

/** The end of a chain as it stands, `undefined` when it has not begun: there is nothing to rewind then. */
export async function chainEnd(
  store: Store,
  options: Omit<OpenOptions, 'start'>,
  signal: AbortSignal
): Promise<OpenedChain | undefined> {
  const first = await readGenesis(store, { ...options.chain, generation: 1 }, signal)
  return first && (await findEnd(store, { ...options, start: neverAsked }, signal))
}

/**
 * Ends a generation of a chain with a create-only entry at its end and begins the next one at `to`. A worker that commits
 * at that end loses there and opens the chain anew; one that was first moves the end, and it is tried again. Whatever cuts
 * this in between, running it again finishes it. Rejects with `chain-not-begun`, and as `publishEntry` does.
 */
export async function rewindChain(
  store: Store,
  { to, nonce, abandon, ...options }: RewindOptions,
  signal: AbortSignal
): Promise<Rewound> {
  const name = `${options.chain.topic}-${options.chain.partition}`
  if ((await readGenesis(store, { ...options.chain, generation: 1 }, signal)) === undefined) {
    throw new Fault('chain-not-begun', `${name} has no log yet: there is nothing to rewind`)
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const found = await findEnd(store, { ...options, start: neverAsked }, signal)
    if (found.rewinding !== undefined)
      return await begin(store, found, found.rewinding, { to, now: options.now }, signal)
    const { chain, end, last, published } = found
    const isAbandoned =
      last !== undefined && !published && !(await settle(store, found, { abandon, options }, signal))
    const closing: ClosedEntry = {
      ...{
        version: logVersion,
        type: 'closed',
        chain: chainName(chain),
        from: end,
        closed: chain.generation + 1
      },
      ...{ nonce, committedAt: instantOf(options.now()) },
      ...(isAbandoned && { abandons: last.nonce })
    }
    const read = () => readEntry(store, chain, end, signal)
    const other = await createRecord(store, entryPath(chain, end), serialize(closing), signal, read)
    if (other === undefined || other.type === 'closed') {
      const generation = other?.type === 'closed' ? other.closed : closing.closed
      return await begin(store, found, generation, { to, now: options.now }, signal)
    }
  }
  throw new Fault('chain-busy', `${name}: other writers were faster ${ATTEMPTS_MAX} times`, {
    retryable: true
  })
}

/** Publishes the last entry; false when it cannot be, and is to be given up. */
async function settle(
  store: Store,
  { chain, last }: OpenedChain,
  { abandon, options }: { readonly abandon: boolean; readonly options: Omit<OpenOptions, 'start'> },
  signal: AbortSignal
): Promise<boolean> {
  if (last === undefined) return true
  try {
    await publishEntry(store, last, signal, options)
    await writeHead(store, chain, last, options.now(), signal)
    return true
  } catch (error) {
    if (abandon && error instanceof Fault && !error.retryable) return false
    throw error
  }
}

async function begin(
  store: Store,
  { chain: closed, genesis: before, end }: OpenedChain,
  generation: number,
  { to, now }: Pick<RewindOptions, 'to' | 'now'>,
  signal: AbortSignal
): Promise<Rewound> {
  const chain: ChainId = { ...closed, generation }
  const genesis: Genesis = {
    ...{ ...before, chain: chainName(chain), start: to, reason: 'rewind' },
    createdAt: instantOf(now())
  }
  const path = genesisPath(chain)
  const other = await createRecord(store, path, serialize(genesis), signal, () =>
    readGenesis(store, chain, signal)
  )
  return { generation, end, start: other?.start ?? to }
}

const neverAsked = () => Promise.reject(new Fault('chain-not-begun', 'the chain has no genesis'))
