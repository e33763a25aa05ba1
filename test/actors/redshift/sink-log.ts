import { createHash } from 'node:crypto'
import { ParquetWriter } from '../../../src/actors/parquet/writer.ts'
import { sinkColumns } from '../../../src/actors/rows/open.ts'
import { publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import {
  type ClosedEntry,
  type Entry,
  instantOf,
  logVersion,
  serialize
} from '../../../src/actors/store/entry.ts'
import {
  type ChainId,
  chainName,
  dataPath,
  entryId,
  entryPath,
  genesisPath
} from '../../../src/actors/store/names.ts'
import type { Store } from '../../../src/actors/store/store.ts'

/** The columns of a sink with lineage. */
export const columns = sinkColumns({ preset: 'tweet', lineage: true })

export const chainOf = (partition = 0, generation = 1): ChainId => ({
  sink: 'demo.crucial',
  topic: 'hybrid',
  topicId: 'topic-id',
  generation,
  partition
})

/** Ids beyond 2^53, so that a rounded one shows. */
export const idOf = (partition: number, offset: number) =>
  9_007_199_254_740_993n * 7n + BigInt(partition * 1_000_000 + offset)

/** A tweet per offset: a text or none, and null in every column of which these tests say nothing. */
export function parquetOf(partition: number, from: number, to: number): Buffer {
  const writer = new ParquetWriter(columns, { codec: 'snappy' })
  for (let at = from; at < to; at++) {
    const digits = Buffer.from(idOf(partition, at).toString())
    for (const [index, { name }] of columns.entries()) {
      const column = writer.columns[index]
      if (name === 'id') column?.appendInt64FromDigits(digits, 0, digits.length)
      else if (name === 'text' && textOf(at) !== null) column?.appendString(textOf(at) ?? '')
      else if (name === '_topic') column?.appendString('hybrid')
      else if (name === '_partition') column?.appendNumber(partition)
      else if (name === '_offset') column?.appendNumber(at)
      else column?.appendNull()
    }
    writer.endRow()
  }
  return Buffer.concat(writer.finish())
}

export const textOf = (offset: number) => (offset % 10 === 3 ? null : `tweet\t${offset}\n🎉 \\N`)

const never = new AbortController().signal

/** A sink's commit log, written as a sink writes it. */
export class SinkLog {
  readonly #store: Store
  readonly #chain: ChainId
  #end: number

  private constructor(store: Store, chain: ChainId, start: number) {
    this.#store = store
    this.#chain = chain
    this.#end = start
  }

  static async begin(store: Store, chain: ChainId, start = 0): Promise<SinkLog> {
    const { topicId, topic, partition } = chain
    const genesis = {
      version: logVersion,
      type: 'genesis',
      chain: chainName(chain),
      start,
      reason: 'earliest',
      clusterId: 'cluster',
      topicId,
      topic,
      partition,
      createdAt: instantOf(0)
    } as const
    await store.create(genesisPath(chain), serialize(genesis), never)
    return new SinkLog(store, chain, start)
  }

  get end(): number {
    return this.#end
  }

  /** Appends a published entry of `records` rows, one per offset, in one file or in none. */
  async append(records: number, file: 'whole' | 'none' = 'whole'): Promise<Entry> {
    const entry = await this.#prepare(this.#end, this.#end + records, file)
    await this.#store.create(entryPath(this.#chain, entry.from), serialize(entry), never)
    await publishEntry(this.#store, entry, never)
    await writeHead(this.#store, this.#chain, entry, 0, never)
    this.#end = entry.to
    return entry
  }

  async close(): Promise<void> {
    const closed: ClosedEntry = {
      version: logVersion,
      type: 'closed',
      chain: chainName(this.#chain),
      from: this.#end,
      closed: this.#chain.generation + 1,
      nonce: 'c0',
      committedAt: instantOf(0)
    }
    await this.#store.create(entryPath(this.#chain, this.#end), serialize(closed), never)
  }

  async #prepare(from: number, to: number, file: 'whole' | 'none'): Promise<Entry> {
    const kept = file === 'whole' ? to - from : 0
    const range = { chain: this.#chain, from, to, nonce: `a${from}` }
    const files = file === 'whole' ? [await this.#file(range)] : []
    return {
      version: logVersion,
      type: 'entry',
      chain: chainName(this.#chain),
      from,
      to,
      reason: file === 'whole' ? null : 'nothing to keep',
      counts: { read: to - from, kept, filtered: to - from - kept, dead: 0 },
      leaderEpoch: 0,
      schema: 's',
      config: 'c',
      encoder: 'e',
      nonce: range.nonce,
      committedAt: instantOf(0),
      files
    }
  }

  async #file(range: {
    readonly chain: ChainId
    readonly from: number
    readonly to: number
    readonly nonce: string
  }) {
    const { chain, from, to, nonce } = range
    const content = parquetOf(chain.partition, from, to)
    const path = dataPath('hybrid/dt=2026-01-02/hour=03', range)
    const preparation = await this.#store.prepare(
      {
        path,
        parts: [content],
        bytes: content.length,
        entryId: entryId(chainName(chain), from, nonce)
      },
      never
    )
    return {
      kind: 'data' as const,
      path,
      bytes: content.length,
      records: to - from,
      minEventTime: null,
      maxEventTime: null,
      sha256: createHash('sha256').update(content).digest('hex'),
      preparation
    }
  }
}
