import { createRecord } from './commit.ts'
import { type Entry, instantOf, logVersion, type Segment, serialize } from './entry.ts'
import {
  type ChainId,
  chainName,
  chainPrefix,
  entryPath,
  parseLogPath,
  repairPath,
  segmentPath
} from './names.ts'
import { inParallel } from './parallel.ts'
import { discardEntry } from './prepare.ts'
import { readEntry, readRepaired } from './records.ts'
import { readSegment, type SegmentName } from './segments.ts'
import type { Store } from './store.ts'

/**
 * Keeps the log of one chain small, beside its writer and by anybody, also by several at once: nothing here decides about
 * an offset. Entries are sealed, many in one segment; a week later the loose ones go; what a late writer has put into a place
 * that was cleared is void, and goes with what it prepared.
 */
export interface KeepOptions {
  readonly now: () => number
  /** Entries of one segment; 1,000 but for tests. */
  readonly segmentEntries?: number
}

/** What was done. */
export interface Kept {
  readonly sealed: number
  /** Loose entries that went because they are sealed. */
  readonly cleared: number
  readonly voided: number
}

const SEGMENT_ENTRIES = 1_000
const LOOSE_AGE_MS = 7 * 86_400_000
const PARALLEL = 8

/** The records of a chain, as one listing shows them: ascending. */
interface Listed {
  readonly entries: readonly number[]
  readonly repairs: readonly { readonly from: number; readonly n: number }[]
  readonly segments: readonly SegmentName[]
}

/** Seals, clears and voids once. */
export async function keepChain(
  store: Store,
  chain: ChainId,
  { now, segmentEntries = SEGMENT_ENTRIES }: KeepOptions,
  signal: AbortSignal
): Promise<Kept> {
  const listed = await listRecords(store, chain, signal)
  const { cleared, voided } = await clear(store, chain, listed, now(), signal)
  const sealedEnd = listed.segments.at(-1)?.to ?? 0
  let loose = listed.entries.filter((from) => from >= sealedEnd)
  let sealed = 0
  // A hole would be sealed over: whoever reads there is to find it.
  if (listed.segments.length > 0 && loose[0] !== sealedEnd) return { sealed, cleared, voided }
  // The last of them stays loose: that its successor exists is what says that an entry is published.
  while (loose.length > segmentEntries) {
    const isSealed = await seal(store, chain, loose.slice(0, segmentEntries + 1), now(), signal)
    if (!isSealed) break
    loose = loose.slice(segmentEntries)
    sealed++
  }
  return { sealed, cleared, voided }
}

async function listRecords(store: Store, chain: ChainId, signal: AbortSignal): Promise<Listed> {
  const [entries, repairs, segments]: [number[], { from: number; n: number }[], SegmentName[]] = [[], [], []]
  for await (const { path } of store.list(chainPrefix(chain), {}, signal)) {
    const file = parseLogPath(path)?.file
    if (file?.type === 'entry') entries.push(file.from)
    if (file?.type === 'repair') repairs.push({ from: file.from, n: file.n })
    if (file?.type === 'segment') segments.push({ from: file.from, to: file.to })
  }
  return { entries, repairs, segments }
}

/** Seals all but the last of a run. False when these are not a run of published entries: the log is being written, or its generation ends here. */
async function seal(
  store: Store,
  chain: ChainId,
  run: readonly number[],
  nowMs: number,
  signal: AbortSignal
): Promise<boolean> {
  const read = await inParallel(run, PARALLEL, (from) => readRepaired(store, chain, from, signal))
  const all: Entry[] = []
  for (const entry of read) {
    if (entry?.type !== 'entry' || entry.from !== (all.at(-1)?.to ?? entry.from)) return false
    all.push(entry)
  }
  const entries = all.slice(0, -1)
  const [from, to] = [entries[0]?.from ?? 0, entries.at(-1)?.to ?? 0]
  const range = { version: logVersion, type: 'segment', chain: chainName(chain), from, to } as const
  const segment: Segment = { ...range, sealedAt: instantOf(nowMs), entries }
  const path = segmentPath(chain, from, to)
  const readBack = () => readSegment(store, chain, { from, to }, signal)
  await createRecord(store, path, serialize(segment), signal, readBack)
  return true
}

/** In order, so that a loose entry is never there when one before it has gone: who commits looks only for the one before. */
async function clear(
  store: Store,
  chain: ChainId,
  { entries, repairs, segments }: Listed,
  nowMs: number,
  signal: AbortSignal
): Promise<Pick<Kept, 'cleared' | 'voided'>> {
  let [cleared, voided] = [0, 0]
  for (const segment of segments) {
    const isIn = ({ from }: { readonly from: number }) => from >= segment.from && from < segment.to
    const loose = entries.filter((from) => isIn({ from }))
    const mending = repairs.filter(isIn)
    if (loose.length + mending.length === 0) continue
    const content = await readSegment(store, chain, segment, signal)
    const sealed = new Map(content.entries.map((entry) => [entry.from, entry]))
    const isOld = Date.parse(content.entries.at(-1)?.committedAt ?? '') + LOOSE_AGE_MS <= nowMs
    for (const from of loose) {
      const entry = await readEntry(store, chain, from, signal)
      if (entry === undefined) continue
      const isVoid = entry.nonce !== sealed.get(from)?.nonce
      if (!isVoid && !isOld) continue
      if (isVoid && entry.type === 'entry') await discardEntry(store, entry, signal)
      await store.remove(entryPath(chain, from), signal)
      if (isVoid) voided++
      else cleared++
    }
    for (const { from, n } of isOld ? mending : []) await store.remove(repairPath(chain, from, n), signal)
  }
  return { cleared, voided }
}
