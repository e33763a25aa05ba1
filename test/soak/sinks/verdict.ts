import {
  encodeName,
  parseLogPath,
  sinkDataPrefix,
  sinkDeadPrefix,
  sinkLogPrefix
} from '../../../src/actors/store/names.ts'
import { readRepaired } from '../../../src/actors/store/records.ts'
import type { Store } from '../../../src/actors/store/store.ts'
import { sweepLeftovers } from '../../../src/actors/store/sweep.ts'
import { lettersOf, rowsOf, type Seen } from '../../support/sink-world.ts'

/** What a store holds, compared with what was written; all but the first four must be 0. */
export interface SinkVerdict {
  readonly records: number
  readonly entries: number
  readonly repairs: number
  /** Prepared bytes that killed workers left, and that went when they were two days old. */
  readonly swept: number
  /** Those that stayed. */
  readonly left: number
  /** Records that are in no published file. */
  readonly missing: number
  /** Records that are in more than one place. */
  readonly repeated: number
  /** Places in a partition where another record is than was written there. */
  readonly wrong: number
  /** Entries that do not begin where the one before ends. */
  readonly gaps: number
  /** Visible files that no entry names, or files of entries that are not visible. */
  readonly strayFiles: number
}

export type Expected = readonly (readonly (string | undefined)[])[]

/** Reads a whole store as a stranger would. */
export async function judgeStore(
  store: Store,
  sink: string,
  expected: Expected,
  signal: AbortSignal
): Promise<SinkVerdict> {
  const named = new Map<string, 'data' | 'dead'>()
  const ends = new Map<string, number>()
  let [entries, repairs, gaps] = [0, 0, 0]
  for await (const { path } of store.list('log/v1/', {}, signal)) {
    const parsed = parseLogPath(path)
    if (parsed?.file.type === 'repair') repairs++
    if (parsed?.file.type !== 'entry') continue
    const entry = await readRepaired(store, parsed.chain, parsed.file.from, signal)
    if (entry?.type !== 'entry') continue
    entries++
    if (entry.from !== (ends.get(entry.chain) ?? 0)) gaps++
    ends.set(entry.chain, entry.to)
    for (const file of entry.files) named.set(file.path, file.kind)
  }
  const seen: Seen[][] = expected.map(() => [])
  let strayFiles = 0
  for (const prefix of ['data/', 'dead/']) {
    for await (const { path } of store.list(prefix, {}, signal)) if (!named.has(path)) strayFiles++
  }
  for (const [path, kind] of named) {
    const content = await store.read(path, signal)
    if (content === undefined) strayFiles++
    else
      for (const row of kind === 'data' ? await rowsOf(content) : lettersOf(content))
        seen[row.partition]?.push(row)
  }
  const swept = await sweepLeftovers(store, { sink, now: () => Date.now() + 2 * DAY_MS }, signal)
  const left = await leftoversOf(store, sink, signal)
  return { ...compare(seen, expected), entries, repairs, swept, left, gaps, strayFiles }
}

async function leftoversOf(store: Store, sink: string, signal: AbortSignal): Promise<number> {
  const prefixes = { data: sinkDataPrefix(sink), dead: sinkDeadPrefix(sink), log: sinkLogPrefix(sink) }
  let left = 0
  for await (const _ of store.leftovers({ ...prefixes, chain: `${encodeName(sink)}/` }, signal)) left++
  return left
}

const DAY_MS = 86_400_000

/** Rows by partition with what was written there, in order. */
export function compare(
  seen: readonly (readonly Seen[])[],
  expected: Expected
): Pick<SinkVerdict, 'records' | 'missing' | 'repeated' | 'wrong'> {
  let [records, missing, repeated, wrong] = [0, 0, 0, 0]
  for (const [partition, wanted] of expected.entries()) {
    const byOffset = new Map((seen[partition] ?? []).map((row) => [row.offset, row]))
    const rows = [...byOffset.values()].sort((a, b) => a.offset - b.offset)
    records += rows.length
    repeated += (seen[partition] ?? []).length - rows.length
    missing += Math.max(0, wanted.length - rows.length)
    wrong += rows.filter(({ id }, index) => index >= wanted.length || id !== wanted[index]).length
  }
  return { records, missing, repeated, wrong }
}

/** Files that are visible now and are not whole: there must be none at any moment. */
export async function brokenFiles(store: Store, signal: AbortSignal): Promise<number> {
  const paths: string[] = []
  for await (const { path } of store.list('data/', {}, signal)) paths.push(path)
  let broken = 0
  for (const path of paths.slice(-NEWEST)) {
    const content = await store.read(path, signal)
    if (content !== undefined) await rowsOf(content).catch(() => broken++)
  }
  return broken
}

/** Files that one look reads. */
const NEWEST = 3
