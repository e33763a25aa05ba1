import * as z from 'zod'
import { Fault } from '../../errors.ts'

/**
 * The records of the commit log as they stand in the store: JSON, one per file (docs/formats.md, "Commit log").
 * Offsets are safe integers; instants are ISO 8601 in UTC with milliseconds. Unknown fields are ignored, another
 * `version` is refused.
 */
export const logVersion = 1

const offset = z.int().nonnegative()
const count = z.int().nonnegative()
const instant = z.iso.datetime({ precision: 3 })

const preparation = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('rename'), temporary: z.string().min(1) }),
    z.object({
      type: z.literal('multipart'),
      key: z.string().min(1),
      uploadId: z.string().min(1),
      checksumAlgorithm: z.enum(['SHA256', 'CRC32', 'none']),
      parts: z
        .array(
          z.object({
            partNumber: z.int().positive(),
            etag: z.string(),
            checksum: z.string().exactOptional(),
            bytes: count
          })
        )
        .min(1)
        .readonly()
    })
  ])
  .readonly()

const file = z.object({
  /** `data` holds rows, `dead` holds the dead letters of the same range. */
  kind: z.enum(['data', 'dead']),
  /** Final path, relative to the store's root. */
  path: z.string().min(1),
  bytes: count,
  records: count,
  /** Smallest and greatest record timestamp in the file; null when no record has one. */
  minEventTime: instant.nullable(),
  maxEventTime: instant.nullable(),
  /** SHA-256 of the file's bytes, lower-case hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  preparation
})

const entry = z.object({
  version: z.literal(logVersion),
  type: z.literal('entry'),
  /** `chainName` of the chain it belongs to. */
  chain: z.string().min(1),
  /** First offset covered, the predecessor's `to`. */
  from: offset,
  /** First offset not covered. */
  to: offset,
  /** Why an entry has no files; null when it has some. */
  reason: z.string().nullable(),
  /** read = kept + filtered + dead. Control batches and aborted records are not read. */
  counts: z.object({ read: count, kept: count, filtered: count, dead: count }),
  /** Leader epoch of the last batch read; -1 when unknown. */
  leaderEpoch: z.int(),
  /** Fingerprints of the columns, of what decides about the rows' bytes, and of the encoder's version. */
  schema: z.string(),
  config: z.string(),
  encoder: z.string(),
  /** Unique per attempt: who reads back the own nonce has won. */
  nonce: z.string().min(1),
  committedAt: instant,
  files: z.array(file).readonly()
})

const closed = z.object({
  version: z.literal(logVersion),
  type: z.literal('closed'),
  chain: z.string().min(1),
  /** The end of the generation: no entry has a greater `to`. */
  from: offset,
  /** The generation that continues. */
  closed: z.int().positive(),
  /** Nonce of the last entry, where it is given up unpublished: its missing files stay missing. */
  abandons: z.string().min(1).exactOptional(),
  nonce: z.string().min(1),
  committedAt: instant
})

const repair = z.object({
  version: z.literal(logVersion),
  type: z.literal('repair'),
  chain: z.string().min(1),
  /** The range of the entry whose files it supersedes. */
  from: offset,
  to: offset,
  /** Nonce of that entry. */
  repairs: z.string().min(1),
  /** Unique per attempt, as an entry's. */
  nonce: z.string().min(1),
  repairedAt: instant,
  /** Those of the entry's files that were gone, under their own paths. */
  files: z.array(file).min(1).readonly()
})

const segment = z.object({
  version: z.literal(logVersion),
  type: z.literal('segment'),
  chain: z.string().min(1),
  /** `from` of its first entry and `to` of its last. */
  from: offset,
  to: offset,
  sealedAt: instant,
  /** All published, in order, without a gap; what was repaired stands in them as it was repaired. */
  entries: z
    .array(entry.extend({ files: z.array(file.extend({ writer: z.string().exactOptional() })).readonly() }))
    .min(1)
    .readonly()
})

const genesis = z.object({
  version: z.literal(logVersion),
  type: z.literal('genesis'),
  chain: z.string().min(1),
  /** First offset that the chain covers. */
  start: offset,
  /** Why it starts there: `earliest`, `latest`, `rewind`. */
  reason: z.string().min(1),
  clusterId: z.string(),
  topicId: z.string().min(1),
  topic: z.string().min(1),
  partition: z.int().nonnegative(),
  createdAt: instant
})

const head = z.object({
  version: z.literal(logVersion),
  type: z.literal('head'),
  /** The last entry known to be published. */
  from: offset,
  to: offset,
  nonce: z.string().min(1),
  publishedAt: instant
})

const topicIdRecord = z.object({
  version: z.literal(logVersion),
  type: z.literal('topic-id'),
  topicId: z.string().min(1)
})

/** The counts, files and fingerprints of one published or committed range `[from, to)`. */
export type Entry = Omit<z.infer<typeof entry>, 'files'> & { readonly files: readonly EntryFile[] }
/** One file of an entry. */
export type EntryFile = z.infer<typeof file> & {
  /** Nonce of the repair that wrote it; absent where the entry itself did. Stands in no entry, only in segments. */
  readonly writer?: string
}
/** New files for a committed entry whose prepared ones are gone. */
export type Repair = z.infer<typeof repair>
/** Entries of a chain in one record. */
export type Segment = z.infer<typeof segment>
/** Ends a generation of a chain. */
export type ClosedEntry = z.infer<typeof closed>
/** Where a chain starts, and why. */
export type Genesis = z.infer<typeof genesis>
/** A hint at the last published entry. */
export type Head = z.infer<typeof head>
export type TopicIdRecord = z.infer<typeof topicIdRecord>

/** The first bytes of a record stand in the error: a proxy's HTML page shows itself. */
const EXCERPT_CHARS = 60

/** Reads `<from>.json`. Throws `log-corrupt` for what is no entry or contradicts itself. */
export function parseEntry(content: Buffer, path: string): Entry | ClosedEntry {
  const record = parse(z.discriminatedUnion('type', [entry, closed]), content, path)
  const contradiction = record.type === 'entry' ? contradictionOf(record) : undefined
  if (contradiction) throw new Fault('log-corrupt', `${path}: ${contradiction}`)
  return record
}

/** Reads `<from>.repair-<n>.json`. Throws `log-corrupt`. */
export function parseRepair(content: Buffer, path: string): Repair {
  return parse(repair, content, path)
}

/** Reads `segment-<from>-<to>.json`. Throws `log-corrupt` for what is no segment or has a gap. */
export function parseSegment(content: Buffer, path: string): Segment {
  const record = parse(segment, content, path)
  let next = record.from
  for (const one of record.entries) {
    const contradiction =
      one.from === next ? contradictionOf(one) : `an entry begins at ${one.from}, not ${next}`
    if (contradiction) throw new Fault('log-corrupt', `${path}: ${contradiction}`)
    next = one.to
  }
  if (next !== record.to) throw new Fault('log-corrupt', `${path} ends at ${next}`)
  return record
}

/** The entry with what its repairs say of its files; a repair of another entry at this offset says nothing. */
export function withRepairs(entry: Entry, repairs: readonly Repair[]): Entry {
  const repaired = new Map<string, EntryFile>()
  for (const { repairs: nonce, nonce: writer, files } of repairs) {
    if (nonce !== entry.nonce) continue
    for (const each of files) repaired.set(each.path, { ...each, writer })
  }
  if (repaired.size === 0) return entry
  return { ...entry, files: entry.files.map((each) => repaired.get(each.path) ?? each) }
}

/** Reads `genesis.json`. Throws `log-corrupt`. */
export function parseGenesis(content: Buffer, path: string): Genesis {
  return parse(genesis, content, path)
}

/** Reads `topic-id.json`. Throws `log-corrupt`. */
export function parseTopicId(content: Buffer, path: string): TopicIdRecord {
  return parse(topicIdRecord, content, path)
}

/** Reads `head.json`. It is a hint, so what cannot be read is no error but no hint. */
export function parseHead(content: Buffer): Head | undefined {
  try {
    return parse(head, content, 'head.json')
  } catch {
    return undefined
  }
}

/** The bytes of a record. The same record gives the same bytes: a retry after a doubt repeats them. */
export function serialize(
  record: Entry | ClosedEntry | Repair | Segment | Genesis | Head | TopicIdRecord
): Buffer {
  return Buffer.from(`${JSON.stringify(record)}\n`, 'utf8')
}

/** An instant as the log writes it, from milliseconds since 1970. */
export function instantOf(timestampMs: number): string {
  return new Date(timestampMs).toISOString()
}

function parse<T>(schema: z.ZodType<T>, content: Buffer, path: string): T {
  let json: unknown
  try {
    json = JSON.parse(content.toString('utf8'))
  } catch (error) {
    const excerpt = JSON.stringify(content.toString('utf8', 0, EXCERPT_CHARS))
    throw new Fault('log-corrupt', `${path} is not JSON: ${excerpt}`, { cause: error })
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.join('.') || 'record'
  throw new Fault('log-corrupt', `${path}: ${where}: ${issue?.message ?? 'not valid'}`)
}

function contradictionOf({ from, to, files, reason, counts }: Entry): string | undefined {
  if (to <= from) return `to ${to} is not greater than from ${from}`
  if (files.length === 0 && reason === null) return 'no files and no reason'
  const { read, kept, filtered, dead } = counts
  if (read !== kept + filtered + dead) {
    return `read ${read} is not kept ${kept} + filtered ${filtered} + dead ${dead}`
  }
  const recordsOf = (kind: EntryFile['kind']) =>
    files.reduce((sum, each) => (each.kind === kind ? sum + each.records : sum), 0)
  if (recordsOf('data') !== kept) return `data files hold ${recordsOf('data')} records, kept is ${kept}`
  if (recordsOf('dead') !== dead)
    return `dead-letter files hold ${recordsOf('dead')} records, dead is ${dead}`
  return undefined
}
