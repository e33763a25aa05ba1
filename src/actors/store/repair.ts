import { Fault, toFault } from '../../errors.ts'
import type { Chunk } from './chunk.ts'
import { createRecord, isOutlived, type Lifetime, preparedFile } from './commit.ts'
import {
  type Entry,
  type EntryFile,
  instantOf,
  logVersion,
  type Repair,
  serialize,
  withRepairs
} from './entry.ts'
import { type ChainId, parseDataName, repairPath } from './names.ts'
import { type Fingerprints, type PlacedFile, pathOf, prepareFiles } from './prepare.ts'
import { readRepairs } from './records.ts'
import type { Store } from './store.ts'

/**
 * Repair: the last entry is committed, and what was prepared for some of its files is proven gone. The same records are
 * read from Kafka again and prepared under the same final paths, and a create-only `<from>.repair-<n>.json` names the new
 * bytes. It supersedes facts of files, never offsets or paths, so that a late publication cannot make a second file.
 */
export interface RepairOptions extends Lifetime {
  readonly chain: ChainId
  /** Committed and not published, with what its repairs say. */
  readonly entry: Entry
  /** What this sink would write today. */
  readonly fingerprints: Fingerprints
  /** Unique per attempt, lower-case hex. */
  readonly nonce: string
  /**
   * Reads the entry's range again and builds its files. Rejects with `records-lost` when Kafka does not have all of it
   * any more.
   */
  readonly replay: (entry: Entry, signal: AbortSignal) => Promise<Chunk>
}

const CLEAN_UP_MS = 5_000

/**
 * Brings an entry to where it can be published again. Rejects with `publish-blocked` where its files cannot be made
 * anew as they were, with `records-lost` where nobody can; with anything retryable the outcome is unknown, and opening the
 * chain anew tells it.
 *
 * @returns the entry with the facts of its files as they count from now on
 */
export async function repairEntry(store: Store, options: RepairOptions, signal: AbortSignal): Promise<Entry> {
  const { chain, entry, fingerprints, nonce, now } = options
  const gone = await goneFiles(store, options, signal)
  if (gone.length === 0) return entry
  checkFingerprints(entry, fingerprints)
  const replayed = filesFor(chain, entry, gone, await options.replay(entry, signal))
  const known = await readRepairs(store, chain, entry.from, signal)
  const files = await prepareFiles(
    store,
    { chain: entry.chain, from: entry.from, nonce, attempt: nonce },
    replayed,
    signal
  )
  const repair: Repair = {
    ...{ version: logVersion, type: 'repair', chain: entry.chain, from: entry.from, to: entry.to },
    ...{ repairs: entry.nonce, nonce, repairedAt: instantOf(now()), files }
  }
  const n = known.length + 1
  const path = repairPath(chain, entry.from, n)
  const read = async () => (await readRepairs(store, chain, entry.from, signal))[n - 1]
  const found = await createRecord(store, path, serialize(repair), signal, read)
  if (found !== undefined && found.nonce !== nonce) {
    const cleanUp = AbortSignal.timeout(CLEAN_UP_MS)
    await Promise.allSettled(files.map(({ preparation }) => store.discard(preparation, cleanUp)))
  }
  return withRepairs(entry, await readRepairs(store, chain, entry.from, signal))
}

/** Publishes what can be published. Prepared bytes that are intact must not be touched by the proof. */
async function goneFiles(
  store: Store,
  { entry, ...lifetime }: RepairOptions,
  signal: AbortSignal
): Promise<EntryFile[]> {
  const gone: EntryFile[] = []
  for (const file of entry.files) {
    const prepared = preparedFile(entry, file)
    if (isOutlived(entry, lifetime) && (await store.stat(file.path, signal)) === undefined) continue
    try {
      await store.publish(prepared, signal)
    } catch (error) {
      if (toFault(error).code !== 'prepared-gone') throw error
      if (await store.proveGone(prepared, signal)) gone.push(file)
    }
  }
  return gone
}

/** Rows of another shape must not come under a path that promises these. */
function checkFingerprints(entry: Entry, now: Fingerprints): void {
  const changed = (['schema', 'config'] as const).filter((name) => entry[name] !== now[name])
  if (changed.length === 0) return
  const what = `the entry [${entry.from}, ${entry.to}) was written with another ${changed.join(' and ')}`
  throw new Fault(
    'publish-blocked',
    `${what}, and what was prepared for it is gone: to repair it, run the sink once as it was configured then`
  )
}

/** The new bytes of each file that is gone. Throws `publish-blocked` when they are not of the same records. */
function filesFor(
  chain: ChainId,
  entry: Entry,
  gone: readonly EntryFile[],
  { from, to, files }: Chunk
): PlacedFile[] {
  const differs = (what: string) =>
    new Fault(
      'publish-blocked',
      `${entry.chain}: the entry [${entry.from}, ${entry.to}) cannot be repaired: ${what}`
    )
  if (from !== entry.from || to !== entry.to) throw differs(`Kafka gave [${from}, ${to})`)
  return gone.map(({ path, records }) => {
    // The path holds the nonce of the attempt that committed; so the same place in the layout is the same path.
    const nonce = parseDataName(path)?.nonce ?? entry.nonce
    const file = files.find((each) => pathOf(each, { chain, from, to, nonce }) === path)
    if (file?.records === records) return { path, file }
    throw differs(`${path} had ${records} records, Kafka gave ${file?.records ?? 'none'} for it`)
  })
}
