import * as z from 'zod'
import type { TopicPartition } from '../kafka/topic-partition.ts'
import { encodeName } from '../store/names.ts'
import type { Store } from '../store/store.ts'

/** A place in the log of a topic-partition, through its generations. */
export interface LogPosition {
  readonly generation: number
  /** The `from` of the next entry. */
  readonly next: number
}

/** One topic-partition of one incarnation of a topic. */
export interface ChainName extends TopicPartition {
  readonly topicId: string
}

const bookmark = z.object({
  version: z.literal(1),
  type: z.literal('hive'),
  /** Of the table; see `ensureTable`. */
  incarnation: z.string(),
  generation: z.int().positive(),
  next: z.int().nonnegative()
})

/**
 * Bookmarks say up to which entry of a chain the partitions of all files are in Hive (docs/formats.md). A bookmark is
 * written after that is so, and entries never change, so one that is late, or written by a member that lost the chain
 * meanwhile, only lets partitions be added that are there. They lie beside the log, which they do not belong to.
 */
export async function readBookmark(
  store: Store,
  sink: string,
  chain: ChainName,
  incarnation: string,
  signal: AbortSignal
): Promise<LogPosition | undefined> {
  const content = await store.read(bookmarkPath(sink, chain), signal)
  const found = content && bookmark.safeParse(parsed(content)).data
  return found?.incarnation === incarnation ? { generation: found.generation, next: found.next } : undefined
}

export async function writeBookmark(
  store: Store,
  sink: string,
  chain: ChainName,
  { incarnation, generation, next }: LogPosition & { readonly incarnation: string },
  signal: AbortSignal
): Promise<void> {
  const record: z.infer<typeof bookmark> = { version: 1, type: 'hive', incarnation, generation, next }
  await store.replace(bookmarkPath(sink, chain), Buffer.from(`${JSON.stringify(record)}\n`), signal)
}

export function bookmarkPath(sink: string, { topic, topicId, partition }: ChainName): string {
  return `hive/v1/${[sink, topic, topicId].map(encodeName).join('/')}/${partition}.json`
}

/** What cannot be read is no bookmark: the log is read from its beginning. */
function parsed(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'))
  } catch {
    return undefined
  }
}
