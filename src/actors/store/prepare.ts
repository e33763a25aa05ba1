import { toFault } from '../../errors.ts'
import type { OpenedChain } from './chain.ts'
import type { Chunk, ChunkFile } from './chunk.ts'
import { type Entry, type EntryFile, instantOf, logVersion } from './entry.ts'
import { chainName, type DataFileName, dataPath, deadPath, entryId } from './names.ts'
import { inParallel } from './parallel.ts'
import type { Preparation, Store } from './store.ts'

/** What the entries of one sink have in common. */
export interface Fingerprints {
  readonly schema: string
  readonly config: string
  readonly encoder: string
}

export interface PrepareOptions {
  readonly opened: OpenedChain
  readonly chunk: Chunk
  /** Unique per attempt, lower-case hex. */
  readonly nonce: string
  readonly fingerprints: Fingerprints
  readonly now: () => number
}

/** Files of one chunk that are uploaded at once. */
const PARALLEL_FILES = 4
const CLEAN_UP_MS = 5_000

/** Uploads a chunk's files as `prepareFiles` does, and writes the entry that will name them. */
export async function prepareChunk(
  store: Store,
  { opened, chunk, nonce, fingerprints, now }: PrepareOptions,
  signal: AbortSignal
): Promise<Entry> {
  const { from, to, counts, leaderEpoch } = chunk
  const chain = chainName(opened.chain)
  const name = { chain: opened.chain, from, to, nonce }
  const placed = chunk.files.map((file) => ({ path: pathOf(file, name), file }))
  const files = await prepareFiles(store, { chain, from, nonce }, placed, signal)
  const reason = files.length === 0 ? 'no-records' : null
  const committedAt = instantOf(now())
  const range = { version: logVersion, type: 'entry', chain, from, to } as const
  return { ...range, reason, counts, leaderEpoch, ...fingerprints, nonce, committedAt, files }
}

/** A file and where it is to be seen. */
export interface PlacedFile {
  readonly path: string
  readonly file: ChunkFile
}

/** Whose bytes these are. */
export interface Attempt {
  /** `chainName` */
  readonly chain: string
  readonly from: number
  readonly nonce: string
  /** Set where the paths do not hold this attempt's nonce. */
  readonly attempt?: string
}

/**
 * Uploads files so that nobody sees them. When anything fails, or the signal aborts, what was uploaded is discarded: no
 * record was written yet, so none can name it.
 */
export async function prepareFiles(
  store: Store,
  { chain, from, nonce, attempt }: Attempt,
  files: readonly PlacedFile[],
  signal: AbortSignal
): Promise<EntryFile[]> {
  const id = entryId(chain, from, nonce)
  const prepared: Preparation[] = []
  const prepareFile = async ({ path, file }: PlacedFile): Promise<EntryFile> => {
    const { kind, parts, bytes, records, sha256 } = file
    const named = attempt === undefined ? {} : { attempt }
    const preparation = await store.prepare({ path, parts, bytes, entryId: id, ...named }, signal)
    prepared.push(preparation)
    const minEventTime = optionalInstant(file.minEventTimeMs)
    const maxEventTime = optionalInstant(file.maxEventTimeMs)
    return { kind, path, bytes, records, minEventTime, maxEventTime, sha256, preparation }
  }
  try {
    return await inParallel(files, PARALLEL_FILES, prepareFile)
  } catch (error) {
    const cleanUp = AbortSignal.timeout(CLEAN_UP_MS)
    await Promise.allSettled(prepared.map((preparation) => store.discard(preparation, cleanUp)))
    throw toFault(error)
  }
}

/** Gives up the bytes of an entry that lost. */
export async function discardEntry(store: Store, entry: Entry, signal: AbortSignal): Promise<void> {
  await inParallel(entry.files, PARALLEL_FILES, ({ preparation }) => store.discard(preparation, signal))
}

/** Final path of a chunk's file. */
export function pathOf(file: ChunkFile, name: DataFileName): string {
  return file.kind === 'data' ? dataPath(file.directory, name, file.extension) : deadPath(name)
}

function optionalInstant(timestampMs: number | undefined): string | null {
  return timestampMs === undefined ? null : instantOf(timestampMs)
}
