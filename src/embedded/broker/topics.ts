import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Journal } from '../journal.ts'
import type { Cluster } from './cluster.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'
import { type Leadership, PartitionLog } from './log.ts'
import { checkAssignments, elect, type Placement, spread } from './placement.ts'
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
  | {
      readonly type: 'placement'
      readonly id: string
      readonly partition: number
      readonly placement: Placement
    }
  | { readonly type: 'config'; readonly name: string; readonly config: Record<string, string> }
  | { readonly type: 'delete'; readonly name: string }
  | { readonly type: 'truncate'; readonly id: string; readonly partition: number; readonly offset: number }
  | { readonly type: 'producer-ids'; readonly next: number }

interface TopicRecord {
  readonly name: string
  readonly id: string
  config: TopicConfig
  count: number
  readonly placements: Map<number, Placement>
  readonly startOffsets: Map<number, number>
  partitions: PartitionLog[]
}

/** What a topic is to be; -1 takes the broker's default. */
export interface NewTopic {
  readonly partitions: number
  readonly replication: number
  /** The replicas of each partition, instead of both numbers. */
  readonly assignments: readonly (readonly number[])[]
  readonly config: Record<string, string>
}

export interface TopicsOptions {
  readonly cluster: Cluster
  /** For a new directory; an existing one keeps its own. */
  readonly clusterId?: string | undefined
  /** `num.partitions` and `default.replication.factor`. */
  readonly defaults: { readonly partitions: number; readonly replication: number }
}

/** The cluster's metadata and its partitions: what exists, under which id, with which settings, and who leads. */
export class Topics {
  readonly #journal: Journal<MetadataEntry>
  readonly #directory: string
  readonly #disk: Disk
  readonly #options: TopicsOptions
  readonly #topics = new Map<string, TopicRecord>()
  readonly #byId = new Map<string, TopicRecord>()
  #clusterId = ''
  #leaderEpoch = -1
  #nextProducerId = 0
  #producerIdsEnd = 0

  /** @param directory where the journal and one directory per topic id are */
  constructor(directory: string, disk: Disk, options: TopicsOptions) {
    this.#directory = directory
    this.#disk = disk
    this.#options = options
    mkdirSync(directory, { recursive: true })
    this.#journal = new Journal(join(directory, 'metadata.journal'), (entry) => this.#apply(entry))
    this.#nextProducerId = this.#producerIdsEnd
    this.#journal.compact(this.#snapshot())
    if (this.#clusterId === '') this.#log({ type: 'cluster', id: options.clusterId ?? newId() })
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
    return this.#byId.get(id)
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
   * `TOPIC_ALREADY_EXISTS`, `INVALID_PARTITIONS`, `INVALID_REPLICATION_FACTOR`, `INVALID_REPLICA_ASSIGNMENT`,
   * `INVALID_CONFIG`.
   */
  create(name: string, wanted: NewTopic, validateOnly = false): Topic | undefined {
    checkName(name)
    if (this.#topics.has(name))
      throw new KafkaError(codes.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
    const replicas = this.#place(wanted)
    const given = new TopicConfig(wanted.config).given()
    if (validateOnly) return undefined
    const id = newId()
    this.#log({ type: 'topic', name, id, partitions: replicas.length, config: given })
    for (const [partition, some] of replicas.entries()) this.#settle(id, partition, some)
    const topic = this.#known(name)
    this.#open(topic)
    return topic
  }

  /** Grows a topic to `count` partitions; with `assignments`, those of the new ones. */
  grow(name: string, count: number, assignments: NewTopic['assignments'], validateOnly = false): void {
    const topic = this.#known(name)
    if (count <= topic.count) {
      throw new KafkaError(
        codes.INVALID_PARTITIONS,
        `Topic currently has ${topic.count} partitions, which is higher than the requested ${count}.`
      )
    }
    const added = count - topic.count
    const replication = topic.placements.get(0)?.replicas.length ?? 1
    const replicas = this.#place({ partitions: added, replication, assignments, config: {} }, topic.count)
    if (replicas.length !== added) {
      throw new KafkaError(
        codes.INVALID_REPLICA_ASSIGNMENT,
        `${added} partitions are added, and ${replicas.length} assigned.`
      )
    }
    if (validateOnly) return
    for (const [index, some] of replicas.entries()) this.#settle(topic.id, topic.count + index, some)
    this.#log({ type: 'partitions', name, count })
    this.#open(topic)
  }

  /** Changes who has a partition or leads it; a placement that stays the same is no change. */
  place(name: string, partition: number, change: (placement: Placement) => Placement): void {
    const { id, placements } = this.#known(name)
    const log = this.partition(name, partition)
    const placement = placements.get(partition)
    if (placement === undefined) return
    const changed = change(placement)
    if (changed === placement) return
    this.#log({ type: 'placement', id, partition, placement: changed })
    log.lead(this.#leadership(changed))
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

  /** The replicas of new partitions, the first of which is number `first` of its topic. */
  #place({ assignments, ...wanted }: NewTopic, first = 0): readonly (readonly number[])[] {
    const { cluster, defaults } = this.#options
    checkAssignments(cluster, assignments)
    if (assignments.length > 0) return assignments
    const partitions = wanted.partitions === -1 ? defaults.partitions : wanted.partitions
    const replication = wanted.replication === -1 ? defaults.replication : wanted.replication
    checkCount(partitions)
    // Not every topic begins with the same node.
    return spread(cluster, partitions, replication, this.#topics.size + first)
  }

  #settle(id: string, partition: number, replicas: readonly number[]): void {
    const placement = elect(this.#options.cluster, { replicas, leader: replicas[0] ?? -1, moves: 0 })
    this.#log({ type: 'placement', id, partition, placement })
  }

  #leadership({ replicas, leader, moves }: Placement): Leadership {
    return { replicas, leader, epoch: this.#leaderEpoch + moves }
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
        const known = { name, id, config: new TopicConfig(config), count: partitions, partitions: [] }
        const record = { ...known, placements: new Map(), startOffsets: new Map() }
        this.#topics.set(name, record)
        this.#byId.set(id, record)
        return
      }
      case 'placement':
        this.#byId.get(entry.id)?.placements.set(entry.partition, entry.placement)
        return
      case 'partitions':
        this.#known(entry.name).count = entry.count
        return
      case 'config':
        this.#known(entry.name).config = new TopicConfig(entry.config)
        return
      case 'delete':
        this.#byId.delete(this.#known(entry.name).id)
        this.#topics.delete(entry.name)
        return
      case 'truncate':
        this.#byId.get(entry.id)?.startOffsets.set(entry.partition, entry.offset)
        return
      case 'producer-ids':
        this.#producerIdsEnd = entry.next
    }
  }

  #snapshot(): MetadataEntry[] {
    const entries: MetadataEntry[] = [{ type: 'producer-ids', next: this.#producerIdsEnd }]
    if (this.#clusterId !== '') entries.push({ type: 'cluster', id: this.#clusterId })
    if (this.#leaderEpoch >= 0) entries.push({ type: 'start', epoch: this.#leaderEpoch })
    for (const { name, id, config, count, placements, startOffsets } of this.#topics.values()) {
      entries.push({ type: 'topic', name, id, partitions: count, config: config.given() })
      for (const [partition, placement] of placements)
        entries.push({ type: 'placement', id, partition, placement })
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
      const placement = this.#resume(topic.placements.get(partition))
      topic.placements.set(partition, placement)
      topic.partitions.push(
        new PartitionLog({
          directory: join(this.#directory, 'logs', topic.id, String(partition)),
          disk: this.#disk,
          leadership: this.#leadership(placement),
          config: () => topic.config,
          startOffset: topic.startOffsets.get(partition) ?? 0
        })
      )
    }
  }

  /** Where a partition is, among the nodes that the cluster has in this life. */
  #resume(placement: Placement = { replicas: [], leader: -1, moves: 0 }): Placement {
    const { cluster } = this.#options
    const [first] = cluster.nodes
    const known = placement.replicas.filter((id) => cluster.has(id))
    const replicas = known.length > 0 || first === undefined ? known : [first.id]
    const leader = replicas.includes(placement.leader) ? placement.leader : (replicas[0] ?? -1)
    return { ...placement, replicas, leader }
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
