import { Fault } from '../../errors.ts'
import { type Entry, parseSegment, type Segment } from './entry.ts'
import { type ChainId, chainName, parseLogPath, segmentPath, segmentPrefix } from './names.ts'
import type { Store } from './store.ts'

/**
 * Segments: the older entries of a chain, many in one record (docs/formats.md, "Commit log"). All of theirs are published.
 * What lies loose below the end of a segment counts for nothing.
 */

/** The range of a segment, as its name tells. */
export interface SegmentName {
  readonly from: number
  readonly to: number
}

/** The segments of a chain, in order. */
export async function listSegments(
  store: Store,
  chain: ChainId,
  signal: AbortSignal
): Promise<SegmentName[]> {
  const segments: SegmentName[] = []
  for await (const { path } of store.list(segmentPrefix(chain), {}, signal)) {
    const file = parseLogPath(path)?.file
    if (file?.type === 'segment') segments.push({ from: file.from, to: file.to })
  }
  return segments
}

/** Throws `log-corrupt` when it is not what its name says. */
export async function readSegment(
  store: Store,
  chain: ChainId,
  { from, to }: SegmentName,
  signal: AbortSignal
): Promise<Segment> {
  const path = segmentPath(chain, from, to)
  const content = await store.read(path, signal)
  if (content === undefined) throw new Fault('log-corrupt', `${path} is listed and absent`)
  const segment = parseSegment(content, path)
  if (segment.chain !== chainName(chain)) {
    throw new Fault('log-corrupt', `${path} belongs to chain ${segment.chain}`)
  }
  if (segment.from === from && segment.to === to) return segment
  throw new Fault('log-corrupt', `${path} holds [${segment.from}, ${segment.to})`)
}

/** The sealed entries from this offset on, as far as one segment goes; empty when none begins there. */
export async function readSealed(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): Promise<readonly Entry[]> {
  const segments = await listSegments(store, chain, signal)
  const segment = segments.find((each) => from >= each.from && from < each.to)
  if (segment === undefined) return []
  const { entries } = await readSegment(store, chain, segment, signal)
  const index = entries.findIndex((entry) => entry.from === from)
  return index < 0 ? [] : entries.slice(index)
}
