import type { ByteBudget, Lease } from '../budget.ts'

/**
 * A source of events as the ingest role sees it: lines of JSON from a place that it can go back to. Two feeds exist:
 * `x-stream.ts` and `ndjson-file.ts`. Each is a task that starts at a cursor and ends when the source does.
 */
export interface FeedInput {
  /** Where to go on; undefined at the very first start. */
  readonly cursor: Cursor | undefined
}

/** A place in a source, as its feed understands it; plain JSON. */
export type Cursor = Readonly<Record<string, number>>

export type FeedReport =
  | { readonly type: 'feed.chunk'; readonly chunk: FeedChunk }
  /** The source is exhausted; nothing will follow. */
  | { readonly type: 'feed.ended' }
  /** What the feed is doing, for people: `connecting`, `streaming`, `waiting` (and for how long and why). */
  | { readonly type: 'feed.status'; readonly status: FeedStatus }

export interface FeedStatus {
  readonly state: 'connecting' | 'streaming' | 'waiting' | 'reading'
  readonly reason: string
}

/** Lines that came together. */
export interface FeedChunk {
  readonly lines: readonly FeedLine[]
  /** The place after the last line. */
  readonly cursor: Cursor
  /** Sum of the lines' lengths. */
  readonly bytes: number
  /** Released when the bytes are no longer needed. */
  readonly lease: Lease
}

export interface FeedLine {
  /** One event without its line end. The beginning of it when `length` is larger than what is here. */
  readonly bytes: Buffer
  /** Length of the whole line in bytes. */
  readonly length: number
  /** Counts from 1: in the file, or on this connection. */
  readonly line: number
  /** Of the line's first byte: in the file, or on this connection. */
  readonly offset: number
}

/** Longest line that is kept whole, in bytes; of a longer one only the first bytes reach the dead letters. */
export const LINE_BYTES_MAX = 32 * 1024 * 1024

/** Lines as a chunk that holds a lease for their bytes, which are in memory already. */
export function chunkOf(lines: readonly FeedLine[], cursor: Cursor, budget: ByteBudget): FeedChunk {
  const bytes = lines.reduce((sum, line) => sum + line.bytes.length, 0)
  return { lines, cursor, bytes, lease: budget.takeNow(bytes) }
}
