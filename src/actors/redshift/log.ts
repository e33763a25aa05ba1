import { preparedFile } from '../store/commit.ts'
import { type ClosedEntry, type Entry, type EntryFile, parseHead } from '../store/entry.ts'
import { type ChainId, chainPrefix, entryPath, headPath, parseLogPath } from '../store/names.ts'
import { inParallel } from '../store/parallel.ts'
import { readRepaired } from '../store/records.ts'
import { readSealed } from '../store/segments.ts'
import type { Store } from '../store/store.ts'

/** A range that may be loaded: its files are published, and their bytes are told. */
export interface LoadableEntry {
  readonly from: number
  readonly to: number
  /** Data files, in order; dead letters are not loaded. */
  readonly files: readonly LoadableFile[]
}

export type LoadableFile = Pick<EntryFile, 'path' | 'bytes' | 'records' | 'sha256'>

/** What the log says from a position on. */
export interface Survey {
  /** In order, without a gap, from the position on. */
  readonly entries: readonly LoadableEntry[]
  /** The greatest offset that the log is known to reach. */
  readonly end: number
  /**
   * What comes after `entries`: nothing yet (`end`), perhaps more (`more`), an entry whose files are not visible yet
   * (`unpublished`), the end of the generation (`closed`), or a hole: offsets that the log once covered and that
   * nobody can read any more (`lost`).
   */
  readonly next:
    | { readonly type: 'end' }
    | { readonly type: 'more' }
    | { readonly type: 'unpublished'; readonly path: string }
    | { readonly type: 'closed'; readonly generation: number }
    | { readonly type: 'lost'; readonly from: number; readonly to: number }
}

/** Requests to the store that run at once. */
const PARALLEL = 8

/**
 * Reads at most `limit` loadable entries from `position` on. An entry is loadable when its successor exists, because
 * nobody commits one before the last is published; or when the store shows every one of its files.
 */
export async function surveyChain(
  store: Store,
  { id, position, limit }: { readonly id: ChainId; readonly position: number; readonly limit: number },
  signal: AbortSignal
): Promise<Survey> {
  const walked: Entry[] = []
  let after: Entry | ClosedEntry | undefined
  for (let next = position; ; next = after.to) {
    after = await readRepaired(store, id, next, signal)
    if (after?.type !== 'entry' || walked.length === limit) break
    walked.push(after)
  }
  const last = walked.at(-1)
  const end = after?.type === 'entry' ? after.to : (last?.to ?? position)
  if (last === undefined) {
    if (after?.type === 'closed')
      return { entries: [], end, next: { type: 'closed', generation: after.closed } }
    return await beyondEnd(store, { id, position, limit }, signal)
  }
  if (after?.type === 'entry') return { entries: walked.map(loadable), end, next: { type: 'more' } }
  const hidden = await firstHiddenFile(store, last, signal)
  if (hidden !== undefined) {
    return { entries: walked.slice(0, -1).map(loadable), end, next: { type: 'unpublished', path: hidden } }
  }
  const next: Survey['next'] =
    after === undefined ? { type: 'end' } : { type: 'closed', generation: after.closed }
  return { entries: walked.map(loadable), end, next }
}

function loadable({ from, to, files }: Entry): LoadableEntry {
  return {
    from,
    to,
    files: files
      .filter(({ kind }) => kind === 'data')
      .map(({ path, bytes, records, sha256 }) => ({ path, bytes, records, sha256 }))
  }
}

async function firstHiddenFile(store: Store, entry: Entry, signal: AbortSignal): Promise<string | undefined> {
  const hidden = await inParallel(entry.files, PARALLEL, async (file) => {
    const { path, bytes, entryId } = preparedFile(entry, file)
    const found = await store.stat(path, signal)
    const isOurs = found?.entryId === undefined || found.entryId === entryId
    return found?.bytes === bytes && isOurs ? [] : [path]
  })
  return hidden.flat()[0]
}

/** No loose entry begins at the position: it is sealed, or the log ends here, unless its head points farther. */
async function beyondEnd(
  store: Store,
  { id, position, limit }: Parameters<typeof surveyChain>[1],
  signal: AbortSignal
): Promise<Survey> {
  const content = await store.read(headPath(id), signal)
  const head = content === undefined ? undefined : parseHead(content)
  if (head === undefined || head.to <= position) return { entries: [], end: position, next: { type: 'end' } }
  // The head may have moved between the two reads.
  if ((await readRepaired(store, id, position, signal)) !== undefined) {
    return { entries: [], end: head.to, next: { type: 'more' } }
  }
  const sealed = await readSealed(store, id, position, signal)
  if (sealed.length > 0) {
    return { entries: sealed.slice(0, limit).map(loadable), end: head.to, next: { type: 'more' } }
  }
  for await (const { path } of store.list(chainPrefix(id), { startAfter: entryPath(id, position) }, signal)) {
    const file = parseLogPath(path)?.file
    if (file?.type === 'repair') continue
    if (file?.type !== 'entry') break // genesis and head sort behind the entries
    return { entries: [], end: head.to, next: { type: 'lost', from: position, to: file.from } }
  }
  return { entries: [], end: head.to, next: { type: 'lost', from: position, to: head.to } }
}
