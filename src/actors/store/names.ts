import { Fault } from '../../errors.ts'

/**
 * Every path that a sink writes, below the root of its store (docs/formats.md):
 *
 *     log   log/v1/<sink>/<topic>/<topicId>-g<generation>/<partition>/<from, 20 digits>.json
 *                                                                     <from, 20 digits>.repair-<n>.json
 *                                                                     segment-<from, 20 digits>-<to, 20 digits>.json
 *     data  data/<sink>/<template>/<topic>+<partition>+<from>+<to>+<nonce>.<ending of its format>
 *     dead  dead/<sink>/<topic>/<topic>+<partition>+<from>+<to>+<nonce>.ndjson
 *
 * The log is a sibling of the data and never beneath it: lifecycle rules cannot exclude, and a prefix COPY reads every
 * name below its prefix.
 */

/** One chain of the commit log: one topic-partition of one incarnation of a topic, as one sink carries it. */
export interface ChainId {
  /** `<config name>.<instance>`, not encoded. */
  readonly sink: string
  readonly topic: string
  /** Kafka's topic id, so that a re-created topic does not continue the old one's chain. */
  readonly topicId: string
  /** 1 at first; a rewind closes a generation and starts the next. */
  readonly generation: number
  readonly partition: number
}

/** What a path in the log directory is, as `parseLogPath` tells. */
export interface LogPath {
  readonly chain: ChainId
  readonly file:
    | { readonly type: 'genesis' }
    | { readonly type: 'head' }
    | { readonly type: 'entry'; readonly from: number }
    | { readonly type: 'repair'; readonly from: number; readonly n: number }
    | { readonly type: 'segment'; readonly from: number; readonly to: number }
}

/** A data file's or dead-letter file's name taken apart. */
export interface DataName {
  /** As encoded, and possibly shortened: the directory or the log tells the whole name. */
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly nonce: string
  readonly extension: string
}

const LOG_ROOT = 'log/v1'

/**
 * Encodes a name from outside as one path segment: ASCII letters, digits, `.`, `_` and `-` stay, any other byte of its
 * UTF-8 becomes `~XX`. So a name cannot contain `/` or `+` and cannot climb out of a prefix. A leading `.` or `_` is
 * encoded too, because Hive and Spark take such files and directories for hidden ones.
 */
export function encodeName(name: string): string {
  if (name === '') throw new Fault('name-invalid', 'an empty name cannot be part of a path')
  let encoded = ''
  for (const byte of Buffer.from(name, 'utf8')) {
    const char = String.fromCharCode(byte)
    const stays = encoded === '' ? /[A-Za-z0-9-]/.test(char) : /[A-Za-z0-9._-]/.test(char)
    encoded += stays ? char : `~${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The name that `encodeName` turned into this segment; throws `name-invalid` for what it never produces. */
export function decodeName(segment: string): string {
  const invalid = () => new Fault('name-invalid', `${JSON.stringify(segment)} is not an encoded name`)
  if (!/^(?:[A-Za-z0-9._-]|~[0-9A-F]{2})+$/.test(segment)) throw invalid()
  const latin1 = segment.replace(/~([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16))
  )
  const name = Buffer.from(latin1, 'latin1').toString('utf8')
  if (encodeName(name) !== segment) throw invalid()
  return name
}

/** Where the log of one sink lies; listing it finds every chain. Ends with `/`. */
export function sinkLogPrefix(sink: string): string {
  return `${LOG_ROOT}/${encodeName(sink)}/`
}

/** Where the data of one sink lies, and nothing else. Ends with `/`. */
export function sinkDataPrefix(sink: string): string {
  return `data/${encodeName(sink)}/`
}

/** Where the dead letters of one sink lie. Ends with `/`. */
export function sinkDeadPrefix(sink: string): string {
  return `dead/${encodeName(sink)}/`
}

/** Names a chain in entries, in object metadata and in the warehouse: `<sink>/<topic>/<topicId>-g<n>/<partition>`. */
export function chainName(chain: ChainId): string {
  const { sink, topic, topicId, generation, partition } = chain
  return `${encodeName(sink)}/${encodeName(topic)}/${encodeName(topicId)}-g${generation}/${partition}`
}

/** The directory of a chain's log files; ends with `/`. */
export function chainPrefix(chain: ChainId): string {
  return `${LOG_ROOT}/${chainName(chain)}/`
}

export function genesisPath(chain: ChainId): string {
  return `${chainPrefix(chain)}genesis.json`
}

export function headPath(chain: ChainId): string {
  return `${chainPrefix(chain)}head.json`
}

export function entryPath(chain: ChainId, from: number): string {
  return `${chainPrefix(chain)}${padded(from)}.json`
}

/** New files for the entry at `from`; `n` counts from 1. */
export function repairPath(chain: ChainId, from: number, n: number): string {
  return `${chainPrefix(chain)}${padded(from)}.repair-${n}.json`
}

export function segmentPath(chain: ChainId, from: number, to: number): string {
  return `${segmentPrefix(chain)}${padded(from)}-${padded(to)}.json`
}

/** All segments of a chain, and nothing else. */
export function segmentPrefix(chain: ChainId): string {
  return `${chainPrefix(chain)}segment-`
}

/** Where the id of a topic is recorded whose brokers give none (before Kafka 2.8). */
export function topicIdPath(sink: string, topic: string): string {
  return `${LOG_ROOT}/${encodeName(sink)}/${encodeName(topic)}/topic-id.json`
}

/** What a listed path below `sinkLogPrefix` is; `undefined` for files that belong to no chain. */
export function parseLogPath(path: string): LogPath | undefined {
  const match = /^log\/v1\/([^/]+)\/([^/]+)\/([^/]+)-g(\d+)\/(\d+)\/([^/]+)\.json$/.exec(path)
  if (!match) return undefined
  const [, sink = '', topic = '', topicId = '', generation = '', partition = '', name = ''] = match
  const file = parseRecordName(name)
  if (file === undefined) return undefined
  const chain = {
    sink: decodeName(sink),
    topic: decodeName(topic),
    topicId: decodeName(topicId),
    generation: Number(generation),
    partition: Number(partition)
  }
  return { chain, file }
}

function parseRecordName(name: string): LogPath['file'] | undefined {
  if (name === 'genesis' || name === 'head') return { type: name }
  const entry = /^(\d{20})(?:\.repair-(\d+))?$/.exec(name)
  if (entry?.[2] !== undefined) return { type: 'repair', from: Number(entry[1]), n: Number(entry[2]) }
  if (entry) return { type: 'entry', from: Number(entry[1]) }
  const segment = /^segment-(\d{20})-(\d{20})$/.exec(name)
  return segment ? { type: 'segment', from: Number(segment[1]), to: Number(segment[2]) } : undefined
}

/** The entry id of a chunk, unique per attempt: it stands in the metadata of the chunk's objects. */
export function entryId(chain: string, from: number, nonce: string): string {
  return `${chain}/${from}-${nonce}`
}

/** Final path of a data file; `directory` comes from the sink's template (`layout.ts`). */
export function dataPath(directory: string, file: DataFileName, extension = 'parquet'): string {
  return `${sinkDataPrefix(file.chain.sink)}${directory}/${dataName(file, extension)}`
}

/** Final path of a chunk's dead letters. */
export function deadPath(file: DataFileName): string {
  return `dead/${encodeName(file.chain.sink)}/${encodeName(file.chain.topic)}/${dataName(file, 'ndjson')}`
}

export interface DataFileName {
  readonly chain: ChainId
  readonly from: number
  readonly to: number
  readonly nonce: string
}

/** Takes a data file's or dead-letter file's name apart; `undefined` when it is not one of ours. */
export function parseDataName(path: string): DataName | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const match = /^([^+]+)\+(\d+)\+(\d+)\+(\d+)\+([0-9a-f]+)\.([a-z.]+)$/.exec(name)
  if (!match) return undefined
  const [, topic = '', partition = '', from = '', to = '', nonce = '', extension = ''] = match
  return { topic, partition: Number(partition), from: Number(from), to: Number(to), nonce, extension }
}

/** A name component of HDFS has at most 255 bytes, a Kafka topic up to 249: a long one is cut, the directory has it all. */
const TOPIC_IN_NAME_MAX = 150

function dataName({ chain, from, to, nonce }: DataFileName, extension: string): string {
  const topic = encodeName(chain.topic).slice(0, TOPIC_IN_NAME_MAX)
  return `${topic}+${chain.partition}+${from}+${to}+${nonce}.${extension}`
}

/** So that names sort as offsets do. */
function padded(offset: number): string {
  return String(offset).padStart(20, '0')
}
