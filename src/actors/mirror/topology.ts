import { toFault } from '../../errors.ts'
import type { PlacedPartition, TopologyReport } from '../../machines/mirror.ts'
import { plainRules } from '../../machines/topic-rules.ts'
import { shardOf } from '../kafka/assignor.ts'
import { Bell } from '../kafka/bell.ts'
import type { Cluster, Metadata, PartitionMetadata, TopicMetadata } from '../kafka/cluster.ts'
import { kafkaFault } from '../kafka/errors.ts'
import { tp } from '../kafka/topic-partition.ts'
import { fromTask } from '../task.ts'

/**
 * Looks at both clusters again and again: which topics are copied, what their ids, partitions and first offsets are, and
 * what keeps a partition from being copied. Names are the same on both sides. A topic missing on the target is created
 * with the source's partition count, retention and limits, so that old records are not deleted as soon as they arrive.
 */
export interface TopologyOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** Whether the config chooses this topic. */
  readonly isChosen: (topic: string) => boolean
  readonly shards: number
  /** Replication factor of the topics that we create. */
  readonly replication: number
  readonly refreshIntervalMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Of the source's topic config, what its copy must share from its first record on. */
const COPIED_CONFIGS = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes'] as const
const TARGET_CONFIGS = ['max.message.bytes', 'message.timestamp.type', 'compression.type'] as const
/** Kafka's default of `max.message.bytes`. */
const MESSAGE_BYTES_MAX = 1_048_588
/** How soon to look again when something is about to change, in milliseconds; doubled each time. */
const SOON_MIN_MS = 100
const UNKNOWN_TOPIC = 3
const EARLIEST = -2
const LATEST = -1
/** How long a last stable offset may stand still below the end of the log before people should know, in milliseconds. */
const STUCK_MS = 60_000
/** Looks after which the configs of target topics are read again. */
const CONFIG_LOOKS = 10

export function createTopology(options: TopologyOptions) {
  return fromTask<void, undefined, never, TopologyReport>(async ({ signal, report }) => {
    const look = new Look(options, signal)
    const bell = new Bell()
    let soonMs = SOON_MIN_MS
    for (;;) {
      const seen = await look.take()
      report(seen.report)
      soonMs = seen.isSettled ? SOON_MIN_MS : Math.min(options.refreshIntervalMs, 2 * soonMs)
      await bell.wait(seen.isSettled ? options.refreshIntervalMs : soonMs, signal)
    }
  })
}

interface Seen {
  readonly report: TopologyReport
  /** Nothing is on its way: no topic was just created, no question failed. */
  readonly isSettled: boolean
}

interface TargetConfig {
  readonly maxBytes: number
  readonly notes: readonly string[]
  /** The look that read it. */
  readonly look: number
}

interface Stall {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly since: number
}

class Look {
  readonly #options: TopologyOptions
  readonly #signal: AbortSignal
  readonly #configs = new Map<string, TargetConfig>()
  /** First and last stable offsets as last learned, by `tp`. */
  #starts = new Map<string, number>()
  #ends = new Map<string, number>()
  /** Where a transaction holds the last stable offset back, and since when, by `tp`. */
  #stalls = new Map<string, Stall>()
  #count = 0

  constructor(options: TopologyOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  async take(): Promise<Seen> {
    this.#count++
    try {
      return await this.#take()
    } catch (error) {
      this.#signal.throwIfAborted()
      const fault = toFault(error)
      if (!fault.retryable) throw fault
      return { report: { type: 'topology.failed', fault }, isSettled: false }
    }
  }

  async #take(): Promise<Seen> {
    const { source, target } = this.#options
    const from = await source.metadata(this.#signal)
    const names = [...from.topics.keys()].filter((name) => this.#isCopied(name, from)).sort()
    const to = names.length === 0 ? undefined : await target.metadata(this.#signal, names)
    await this.#learnOffsets(from, names)
    const partitions: PlacedPartition[] = []
    const notes = [
      ...withoutIds(source, from, names),
      ...(to === undefined ? [] : withoutIds(target, to, names))
    ]
    let isSettled = true
    for (const name of names) {
      const there = to?.topics.get(name)
      const here = from.topics.get(name)
      if (here === undefined) continue
      const missing = there === undefined || there.error === UNKNOWN_TOPIC
      const hold = missing ? await this.#create(name, here) : undefined
      if (missing && hold === undefined) isSettled = false
      const config = missing || there.error !== 0 ? undefined : await this.#config(name)
      notes.push(...(config?.notes ?? []))
      for (const partition of here.partitions) {
        const place = this.#place(name, here, partition, missing ? undefined : there, config, hold)
        if (place !== undefined) partitions.push(place)
      }
    }
    return { report: { type: 'topology.seen', partitions, notes }, isSettled }
  }

  /** Topics of our own, and those that no mirror copies, are never chosen. */
  #isCopied(name: string, metadata: Metadata): boolean {
    if (name.endsWith('.internal') || name.startsWith('__') || name.startsWith('.')) return false
    const topic = metadata.topics.get(name)
    return topic !== undefined && !topic.internal && topic.error === 0 && this.#options.isChosen(name)
  }

  async #learnOffsets(metadata: Metadata, names: readonly string[]): Promise<void> {
    const led = names.flatMap((topic) =>
      (metadata.topics.get(topic)?.partitions ?? [])
        .filter(({ leader }) => leader >= 0)
        .map(({ partition }) => ({ topic, partition }))
    )
    if (led.length === 0) return
    const ask = (timestamp: -1 | -2, isolation: 0 | 1) =>
      this.#options.source.listOffsets(
        led.map((one) => ({ ...one, timestamp })),
        isolation,
        this.#signal
      )
    const [starts, ends, tops] = await Promise.all([ask(EARLIEST, 0), ask(LATEST, 1), ask(LATEST, 0)])
    this.#starts = new Map([...this.#starts, ...starts])
    this.#ends = new Map([...this.#ends, ...ends])
    this.#noteStalls(ends, tops)
  }

  /** Remembers since when the last stable offsets that lie below the end of their logs have not moved. */
  #noteStalls(ends: ReadonlyMap<string, number>, tops: ReadonlyMap<string, number>): void {
    const before = this.#stalls
    this.#stalls = new Map()
    for (const [key, offset] of ends) {
      if (offset >= (tops.get(key) ?? 0)) continue
      const known = before.get(key)
      this.#stalls.set(key, known?.offset === offset ? known : { offset, since: this.#options.now() })
    }
  }

  #stallOf(key: string): string | undefined {
    const stall = this.#stalls.get(key)
    const ageMs = stall === undefined ? 0 : this.#options.now() - stall.since
    if (stall === undefined || ageMs < STUCK_MS) return undefined
    const seconds = Math.round(ageMs / 1_000)
    return `the transaction at offset ${stall.offset} has been open for ${seconds} s: nothing after it can be copied`
  }

  #place(
    topic: string,
    here: TopicMetadata,
    { partition }: PartitionMetadata,
    there: TopicMetadata | undefined,
    config: TargetConfig | undefined,
    hold: string | undefined
  ): PlacedPartition | undefined {
    const logStart = this.#starts.get(tp(topic, partition))
    // Nobody knows yet where it begins: its first leader will tell.
    if (logStart === undefined) return undefined
    const reason = hold ?? this.#holdOf(topic, partition, there)
    const stall = this.#stallOf(tp(topic, partition))
    return {
      topic,
      partition,
      shard: shardOf(topic, partition, this.#options.shards),
      sourceId: here.id,
      targetId: there?.id,
      logStart,
      end: this.#ends.get(tp(topic, partition)) ?? -1,
      targetTopic: topic,
      targetPartitions: there?.partitions.length ?? 0,
      targetMaxBytes: config?.maxBytes ?? MESSAGE_BYTES_MAX,
      rules: plainRules,
      ...(reason === undefined ? {} : { hold: reason }),
      ...(stall === undefined ? {} : { stall })
    }
  }

  #holdOf(topic: string, partition: number, there: TopicMetadata | undefined): string | undefined {
    const { name } = this.#options.target
    if (there === undefined) return `topic ${topic} is being created on ${name}`
    if (there.error !== 0) return kafkaFault(there.error, `topic ${topic} on ${name}`).message
    if (there.partitions.some((one) => one.partition === partition)) return undefined
    return `topic ${topic} has only ${there.partitions.length} partitions on ${name}`
  }

  /** Resolves with why it cannot be created, if so. */
  async #create(name: string, here: TopicMetadata): Promise<string | undefined> {
    const { source, target, replication } = this.#options
    try {
      const configs = await source.topicConfig(name, COPIED_CONFIGS, this.#signal)
      await target.createTopic(
        name,
        { partitions: here.partitions.length, replication, configs },
        this.#signal
      )
      return undefined
    } catch (error) {
      this.#signal.throwIfAborted()
      return `topic ${name} cannot be created on ${target.name}: ${toFault(error).message}`
    }
  }

  async #config(name: string): Promise<TargetConfig> {
    const known = this.#configs.get(name)
    if (known !== undefined && this.#count - known.look < CONFIG_LOOKS) return known
    const config = await this.#readConfig(name)
    this.#configs.set(name, config)
    return config
  }

  async #readConfig(name: string): Promise<TargetConfig> {
    const { target } = this.#options
    try {
      const config = await target.topicConfig(name, TARGET_CONFIGS, this.#signal)
      const notes: string[] = []
      if (config['message.timestamp.type'] === 'LogAppendTime') {
        notes.push(
          `topic ${name} on ${target.name} stamps records itself: their timestamps are not preserved`
        )
      }
      const compression = config['compression.type'] ?? 'producer'
      if (compression !== 'producer') {
        notes.push(
          `topic ${name} on ${target.name} recompresses to ${compression}, which costs its broker time`
        )
      }
      const maxBytes = Number(config['max.message.bytes'] ?? MESSAGE_BYTES_MAX)
      return { maxBytes, notes, look: this.#count }
    } catch (error) {
      this.#signal.throwIfAborted()
      const why = toFault(error).message
      const note = `the config of topic ${name} on ${target.name} cannot be read: ${why}`
      return { maxBytes: MESSAGE_BYTES_MAX, notes: [note], look: this.#count }
    }
  }
}

/** Without topic ids nobody can tell a topic from another one of the same name that took its place. */
function withoutIds(cluster: Cluster, { topics }: Metadata, names: readonly string[]): string[] {
  const isWithout = names.some((name) => topics.get(name)?.error === 0 && topics.get(name)?.id === undefined)
  if (!isWithout) return []
  return [`cluster ${cluster.name} has no topic ids: a topic that is created anew there goes unnoticed`]
}
