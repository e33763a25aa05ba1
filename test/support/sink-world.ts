import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import type { Producer } from 'kafkajs'
import { expect } from 'vitest'
import { ByteBudget } from '../../src/actors/budget.ts'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import type { Entry } from '../../src/actors/store/entry.ts'
import { parseLogPath } from '../../src/actors/store/names.ts'
import { readRepaired } from '../../src/actors/store/records.ts'
import type { Store } from '../../src/actors/store/store.ts'
import type { SinkConfig } from '../../src/config.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { type FaultAction, Faults } from '../../src/embedded/faults.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { startWebHdfs } from '../../src/embedded/webhdfs/webhdfs.ts'
import type { RoleName } from '../../src/roles/role.ts'
import { createSink } from '../../src/roles/sink.ts'
import { KafkaWorld, type RunningRole } from './kafka-world.ts'
import { MemoryStore } from './memory-store.ts'
import type { StorePlace } from './sink-process.ts'

export type Backend = 'hdfs' | 's3' | 'memory'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const region = 'us-east-1'

const config: SinkConfig = {
  cluster: 'source',
  topics: ['hybrid'],
  store: 'lake',
  preset: 'tweet',
  lineage: true,
  template: '{topic}/dt={date}/hour={hour}',
  rotateBytes: 128 * 1024,
  rotateAgeMs: 100,
  timeColumn: undefined,
  timeWindow: undefined,
  rotateRecords: 1_000_000,
  rotateBytesMin: 0,
  rotateAgeMaxMs: 1_000,
  filesPerChunk: 32,
  filesOpen: 1_000,
  deadLetters: { max: 500, among: 1_000, topic: undefined, replication: 1 },
  format: { type: 'parquet', codec: 'snappy' },
  start: 'earliest',
  shards: 8,
  refreshIntervalMs: 200,
  sessionTimeoutMs: 2_000
}

/** A broker, a store, and what a sink role needs to run between them. */
export class SinkWorld {
  readonly kafka: KafkaWorld
  readonly backend: Backend
  readonly faults: Faults
  readonly store: Store
  /** Where others find the store; a store in memory is nowhere. */
  readonly place: StorePlace | undefined
  /** Ids of what a read_committed reader must see, by partition, in order; `undefined` is a dead letter. */
  readonly expected: (string | undefined)[][] = [[], [], [], []]
  readonly #inject: Opened['inject']
  readonly #stop: () => Promise<void>
  #produced = 0

  private constructor(kafka: KafkaWorld, backend: Backend, opened: Opened) {
    this.kafka = kafka
    this.backend = backend
    this.store = opened.store
    this.place = opened.place
    this.faults = opened.faults ?? new Faults()
    this.#inject = opened.inject
    this.#stop = opened.stop
  }

  /** On an embedded store. */
  static async start(backend: Backend): Promise<SinkWorld> {
    return await SinkWorld.over(backend, await openers[backend]())
  }

  /** On a store that somebody else has opened. The topic `hybrid` is there, with four partitions. */
  static async over(backend: Backend, opened: Opened): Promise<SinkWorld> {
    const world = new SinkWorld(await KafkaWorld.start(), backend, opened)
    await world.kafka.createTopic('source', 'hybrid', world.expected.length)
    return world
  }

  /** Makes some of the next requests of a step fail. */
  inject(step: Step, action: FaultAction, hits: Hits = {}): void {
    if (this.#inject) this.#inject(step, action, hits)
    else this.faults.add({ subject: subjects[this.backend][step], action, ...hits })
  }

  async stop(): Promise<void> {
    await this.kafka.stop()
    await this.#stop()
  }

  run(options: RunOptions = {}): RunningRole {
    const { budgetBytes } = options
    const context = {
      ...this.kafka.context({}, options.workerId),
      ...(budgetBytes !== undefined && { budget: new ByteBudget(budgetBytes) })
    }
    const role = createSink(context, {
      role: options.role ?? 'hdfs-sink',
      instance: 'raw',
      config: { ...config, ...options.config },
      store: options.store ?? this.store
    })
    return this.kafka.run(role)
  }

  /** Writes tweets in transactions of many sizes, every fifth aborted but never the last, some values no tweets. */
  async produce(tweets: number, random: () => number): Promise<void> {
    const producer = this.kafka.kafka('source').producer({
      transactionalId: 'writer',
      maxInFlightRequests: 1,
      idempotent: true,
      retry: { retries: 20, initialRetryTime: 10 }
    })
    await producer.connect()
    for (let left = tweets; left > 0; ) {
      const count = Math.min(left, 100 + Math.floor(random() * 700))
      left -= count
      await this.#transact(producer, count, random() < 0.2 && left > 0 ? 'abort' : 'commit')
    }
    await producer.disconnect()
  }

  async #transact(producer: Producer, count: number, end: 'commit' | 'abort'): Promise<void> {
    const transaction = await producer.transaction()
    const messages = []
    for (let n = 0; n < count; n++) {
      const index = this.#produced++
      const partition = index % this.expected.length
      const isDead = index % 997 === 0
      const { id, json } = tweetAt(1, index)
      messages.push({ partition, key: id, value: isDead ? `{"no":"tweet ${index}"` : json })
      if (end === 'commit') this.expected[partition]?.push(isDead ? undefined : id)
    }
    await transaction.send({ topic: 'hybrid', messages })
    await transaction[end]()
  }

  /** Waits until everything that the topic has is published. */
  async untilCaughtUp(sink: RunningRole): Promise<void> {
    const ends = await this.kafka.ends('source', ['hybrid'])
    await sink.until(({ partitions }) =>
      [...ends].every(([key, end]) =>
        partitions.some((one) => tp(one.topic, one.partition) === key && one.position === end)
      )
    )
  }

  /** Reads the whole store as a stranger would, and compares it with what was written. */
  async verify(): Promise<void> {
    const { signal } = new AbortController()
    const entries = await entriesOf(this.store, signal)
    const published = new Map<string, number>()
    for (const prefix of ['data/', 'dead/']) {
      for await (const { path, bytes } of this.store.list(prefix, {}, signal)) published.set(path, bytes)
    }
    const named = entries.flatMap(({ files }) => files)
    expect([...published].sort()).toEqual(named.map(({ path, bytes }) => [path, bytes]).sort())

    const seen: Seen[][] = this.expected.map(() => [])
    for (const { kind, path } of named) {
      const content = (await this.store.read(path, signal)) ?? Buffer.alloc(0)
      const rows = kind === 'data' ? await rowsOf(content) : lettersOf(content)
      for (const row of rows) seen[row.partition]?.push(row)
    }
    for (const [partition, rows] of seen.entries()) {
      rows.sort((a, b) => a.offset - b.offset)
      expect(new Set(rows.map(({ offset }) => offset)).size, 'each offset once').toBe(rows.length)
      const expected = this.expected[partition] ?? []
      expect(rows.length, `records of partition ${partition}`).toBe(expected.length)
      expect(
        rows.findIndex(({ id }, index) => id !== expected[index]),
        'first row in disorder'
      ).toBe(-1)
    }
  }
}

export type Step = 'probe' | 'prepare' | 'commit' | 'publish' | 'head' | 'open'

export interface RunOptions {
  readonly budgetBytes?: number
  readonly role?: Extract<RoleName, 'hdfs-sink' | 's3-sink'>
  readonly workerId?: string
  readonly config?: Partial<SinkConfig>
  readonly store?: Store
}

/** A record in a file; `id` is undefined for a dead letter. */
export interface Seen {
  readonly partition: number
  readonly offset: number
  readonly id: string | undefined
}

export interface Hits {
  readonly after?: number
  readonly times?: number
}

export interface Opened {
  readonly store: Store
  readonly place?: StorePlace
  readonly faults?: Faults
  /** For a service that has no fault hooks. */
  readonly inject?: (step: Step, action: FaultAction, hits: Hits) => void
  readonly stop: () => Promise<void>
}

/** Requests by which each step takes its effect, as the faults' subjects. */
const subjects: Readonly<Record<Backend, Readonly<Record<Step, RegExp>>>> = {
  hdfs: {
    probe: /^RENAME .*probe/,
    prepare: /^DATA CREATE .*parquet/,
    commit: /^RENAME .*\/\d{20}\.json/,
    publish: /^RENAME .*\.parquet/,
    head: /^RENAME .*head/,
    open: /^OPEN .*head/
  },
  s3: {
    probe: /^PUT .*probe/,
    prepare: /^PUT .*partNumber/,
    commit: /^PUT .*\/\d{20}\.json/,
    publish: /^POST .*parquet.*uploadId/,
    head: /^PUT .*head/,
    open: /^GET .*head/
  },
  memory: {
    probe: /^create .*probe/,
    prepare: /^prepare /,
    commit: /^create .*\/\d{20}\.json/,
    publish: /^publish /,
    head: /^replace .*head/,
    open: /^read .*head/
  }
}

const openers: Readonly<Record<Backend, () => Promise<Opened>>> = {
  memory: async () => {
    const store = new MemoryStore()
    return { store, faults: store.faults, stop: async () => {} }
  },
  hdfs: async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'causeway-sink-hdfs-'))
    const hdfs = await startWebHdfs({ dataDir, superuser: 'causeway' })
    const place = { type: 'hdfs', url: hdfs.url, path: '/lake', user: 'causeway' } as const
    const store = new HdfsStore({ namenodes: [hdfs.url], path: place.path, user: place.user })
    const stop = async () => {
      store.close()
      await hdfs.stop()
      await rm(dataDir, { recursive: true })
    }
    return { store, place, faults: hdfs.faults, stop }
  },
  s3: async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'causeway-sink-s3-'))
    const s3 = await startObjectStore({ dataDir, region, ...credentials, buckets: ['lake'] })
    const access = { region, endpoint: s3.endpoint, pathStyle: true, credentials }
    const store = new S3Store({ bucket: 'lake', prefix: 'road', ...access })
    const stop = async () => {
      store.close()
      await s3.stop()
      await rm(dataDir, { recursive: true })
    }
    const place = { type: 's3', bucket: 'lake', prefix: 'road', region, endpoint: s3.endpoint } as const
    return { store, place: { ...place, ...credentials }, faults: s3.faults, stop }
  }
}

/** All entries, after checking that each chain is one contiguous run from 0. */
async function entriesOf(store: Store, signal: AbortSignal): Promise<Entry[]> {
  const entries: Entry[] = []
  const ends = new Map<string, number>()
  for await (const { path } of store.list('log/v1/', {}, signal)) {
    const parsed = parseLogPath(path)
    if (parsed?.file.type !== 'entry') continue
    const entry = await readRepaired(store, parsed.chain, parsed.file.from, signal)
    if (entry?.type !== 'entry') throw new Error(`${path} closes its chain`)
    expect(entry.from, path).toBe(ends.get(entry.chain) ?? 0)
    ends.set(entry.chain, entry.to)
    entries.push(entry)
  }
  return entries
}

/** The rows of a data file: it must be whole. */
export async function rowsOf(content: Buffer): Promise<Seen[]> {
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.length) as ArrayBuffer
  const columns = ['id', '_partition', '_offset']
  const rows = await parquetReadObjects({ file, columns, compressors })
  return rows.map((row) => ({
    partition: Number(row._partition),
    offset: Number(row._offset),
    id: String(row.id)
  }))
}

/** The records of a dead-letter file. */
export function lettersOf(content: Buffer): Seen[] {
  const lines = content.toString().trimEnd().split('\n')
  return lines.map((line) => ({ ...(JSON.parse(line) as Seen), id: undefined }))
}
