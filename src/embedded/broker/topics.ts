import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'
import { PartitionLog } from './log.ts'
import { TopicConfig } from './topic-config.ts'

const NAME = /^[A-Za-z0-9._-]{1,249}$/
const PARTITIONS_MAX = 10_000
/** Producer ids are taken from the journal in blocks; a restart skips the rest of a block. */
const PRODUCER_ID_BLOCK = 1000

export interface Topic {
  readonly name: string
  /** A UUID in 22 characters of base64url. A topic created again has another one. */
  readonly id: string
  readonly config: TopicConfig
  readonly partitions: readonly PartitionLog[]
}

type MetadataEntry =
  | { readonly type: 'cluster'; readonly id: string }
  | { readonly type: 'start'; readonly epoch: number }
  | {
      readonly type: 'topic'
      readonly name: string
      readonly id: string
      readonly partitions: number
      readonly config: Record<string, string>
    }
  | { readonly type: 'partitions'; readonly name: string; readonly count: number }
  | { readonly type: 'config'; readonly name: string; readonly config: Record<string, string> }
  | { readonly type: 'delete'; readonly name: string }
  | { readonly type: 'truncate'; readonly id: string; readonly partition: number; readonly offset: number }
  | { readonly type: 'producer-ids'; readonly next: number }

interface TopicRecord {
  readonly name: string
  readonly id: string
  config: TopicConfig
  count: number
  readonly startOffsets: Map<number, number>
  partitions: PartitionLog[]
}

/** The cluster's metadata and its partitions: what exists, under which id, with which settings. */
export class Topics {
  readonly #journal: Journal<MetadataEntry>
  readonly #directory: string
  readonly #disk: Disk
  readonly #topics = new Map<string, TopicRecord>()
  #clusterId = ''
  #leaderEpoch = -1
  #nextProducerId = 0
  #producerIdsEnd = 0

  /**
   * @param directory where the journal and one directory per topic id are
   * @param clusterId for a new directory; an existing one keeps its own
   */
  constructor(directory: string, disk: Disk, clusterId = newId()) {
    this.#directory = directory
    this.#disk = disk
    mkdirSync(directory, { recursive: true })
    this.#journal = new Journal(join(directory, 'metadata.journal'), (entry) => this.#apply(entry))
    this.#nextProducerId = this.#producerIdsEnd
    this.#journal.compact(this.#snapshot())
    if (this.#clusterId === '') this.#log({ type: 'cluster', id: clusterId })
    this.#log({ type: 'start', epoch: this.#leaderEpoch + 1 })
    this.#sweep()
    for (const topic of this.#topics.values()) this.#open(topic)
  }

  get clusterId(): string {
    return this.#clusterId
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  byId(id: string): Topic | undefined {
    return this.all().find((topic) => topic.id === id)
  }

  all(): readonly Topic[] {
    return [...this.#topics.values()]
  }

  /** The partition, or `UNKNOWN_TOPIC_OR_PARTITION`. */
  partition(name: string, partition: number): PartitionLog {
    const log = this.#topics.get(name)?.partitions[partition]
    if (log) return log
    throw new KafkaError(codes.UNKNOWN_TOPIC_OR_PARTITION, `${name}-${partition} does not exist`)
  }

  /**
   * Creates a topic, or with `validateOnly` says whether it could be. Throws `INVALID_TOPIC_EXCEPTION`,
   * `TOPIC_ALREADY_EXISTS`, `INVALID_PARTITIONS`, `INVALID_CONFIG`.
   */
  create(
    name: string,
    partitions: number,
    config: Record<string, string>,
    validateOnly = false
  ): Topic | undefined {
    checkName(name)
    if (this.#topics.has(name))
      throw new KafkaError(codes.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
    checkCount(partitions)
    const given = new TopicConfig(config).given()
    if (validateOnly) return undefined
    this.#log({ type: 'topic', name, id: newId(), partitions, config: given })
    const topic = this.#known(name)
    this.#open(topic)
    return topic
  }

  /** Grows a topic to `count` partitions. */
  grow(name: string, count: number, validateOnly = false): void {
    const topic = this.#known(name)
    if (count <= topic.count) {
      throw new KafkaError(
        codes.INVALID_PARTITIONS,
        `Topic currently has ${topic.count} partitions, which is higher than the requested ${count}.`
      )
    }
    checkCount(count)
    if (validateOnly) return
    this.#log({ type: 'partitions', name, count })
    this.#open(topic)
  }

  configure(name: string, config: Record<string, string>, validateOnly = false): void {
    this.#known(name)
    const given = new TopicConfig(config).given()
    if (!validateOnly) this.#log({ type: 'config', name, config: given })
  }

  delete(name: string): void {
    const topic = this.#known(name)
    this.#log({ type: 'delete', name })
    for (const log of topic.partitions) log.remove()
    rmSync(join(this.#directory, 'logs', topic.id), { recursive: true, force: true })
  }

  /** Moves a partition's start to `offset` (-1: its end) and returns the new start. */
  truncate(name: string, partition: number, offset: number): number {
    const log = this.partition(name, partition)
    const wanted = offset === -1 ? log.endOffset : offset
    if (wanted < 0 || wanted > log.endOffset) {
      throw new KafkaError(codes.OFFSET_OUT_OF_RANGE, `offset ${wanted} is beyond the end`)
    }
    if (wanted > log.startOffset) {
      this.#log({ type: 'truncate', id: this.#known(name).id, partition, offset: wanted })
      log.truncateFront(wanted)
    }
    return log.startOffset
  }

  /** A producer id that was never given out before. */
  newProducerId(): number {
    if (this.#nextProducerId >= this.#producerIdsEnd) {
      this.#log({ type: 'producer-ids', next: this.#nextProducerId + PRODUCER_ID_BLOCK })
    }
    return this.#nextProducerId++
  }

  close(): void {
    for (const topic of this.#topics.values()) for (const log of topic.partitions) log.close()
    this.#journal.close()
  }

  #known(name: string): TopicRecord {
    const topic = this.#topics.get(name)
    if (topic) return topic
    throw new KafkaError(codes.UNKNOWN_TOPIC_OR_PARTITION, `Topic '${name}' does not exist.`)
  }

  #log(entry: MetadataEntry): void {
    this.#disk.append(this.#journal, entry)
    this.#apply(entry)
  }

  #apply(entry: MetadataEntry): void {
    switch (entry.type) {
      case 'cluster':
        this.#clusterId = entry.id
        return
      case 'start':
        this.#leaderEpoch = entry.epoch
        return
      case 'topic': {
        const { name, id, partitions, config } = entry
        const record = { name, id, config: new TopicConfig(config), count: partitions, partitions: [] }
        this.#topics.set(name, { ...record, startOffsets: new Map() })
        return
      }
      case 'partitions':
        this.#known(entry.name).count = entry.count
        return
      case 'config':
        this.#known(entry.name).config = new TopicConfig(entry.config)
        return
      case 'delete':
        this.#topics.delete(entry.name)
        return
      case 'truncate':
        for (const topic of this.#topics.values()) {
          if (topic.id === entry.id) topic.startOffsets.set(entry.partition, entry.offset)
        }
        return
      case 'producer-ids':
        this.#producerIdsEnd = entry.next
    }
  }

  #snapshot(): MetadataEntry[] {
    const entries: MetadataEntry[] = [{ type: 'producer-ids', next: this.#producerIdsEnd }]
    if (this.#clusterId !== '') entries.push({ type: 'cluster', id: this.#clusterId })
    if (this.#leaderEpoch >= 0) entries.push({ type: 'start', epoch: this.#leaderEpoch })
    for (const { name, id, config, count, startOffsets } of this.#topics.values()) {
      entries.push({ type: 'topic', name, id, partitions: count, config: config.given() })
      for (const [partition, offset] of startOffsets)
        entries.push({ type: 'truncate', id, partition, offset })
    }
    return entries
  }

  /** Removes what a deletion that was cut short left behind. */
  #sweep(): void {
    const logs = join(this.#directory, 'logs')
    mkdirSync(logs, { recursive: true })
    const ids = new Set(this.all().map(({ id }) => id))
    for (const id of readdirSync(logs)) {
      if (!ids.has(id)) rmSync(join(logs, id), { recursive: true, force: true })
    }
  }

  /** Opens the logs of the partitions that have none yet. */
  #open(topic: TopicRecord): void {
    for (let partition = topic.partitions.length; partition < topic.count; partition++) {
      topic.partitions.push(
        new PartitionLog({
          directory: join(this.#directory, 'logs', topic.id, String(partition)),
          disk: this.#disk,
          leaderEpoch: this.#leaderEpoch,
          segmentBytes: () => topic.config.segmentBytes,
          startOffset: topic.startOffsets.get(partition) ?? 0
        })
      )
    }
  }
}

function checkName(name: string): void {
  if (!NAME.test(name) || name === '.' || name === '..') {
    throw new KafkaError(codes.INVALID_TOPIC_EXCEPTION, `Topic name '${name}' is illegal.`)
  }
}

function checkCount(partitions: number): void {
  if (partitions >= 1 && partitions <= PARTITIONS_MAX) return
  throw new KafkaError(
    codes.INVALID_PARTITIONS,
    `Number of partitions must be between 1 and ${PARTITIONS_MAX}.`
  )
}

function newId(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
}
