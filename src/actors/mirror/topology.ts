import { type Fault, toFault } from '../../errors.ts'
import type { PlacedPartition, TopologyReport } from '../../machines/mirror-protocol.ts'
import { shardOf } from '../kafka/assignor.ts'
import { Bell } from '../kafka/bell.ts'
import type { Cluster, Metadata, TopicMetadata } from '../kafka/cluster.ts'
import { kafkaFault } from '../kafka/errors.ts'
import { tp } from '../kafka/topic-partition.ts'
import { fromTask } from '../task.ts'
import { syncAcls } from './topics/acls.ts'
import { SourceOffsets } from './topics/offsets.ts'
import type { PlannedTopic, Planner } from './topics/plan.ts'
import { type Place, type TargetOptions, TargetTopics } from './topics/target.ts'
import { verificationNote } from './topics/verification.ts'

/**
 * Looks at both clusters again and again: which topics are copied and to where, what their ids, partitions and first
 * offsets are, and what keeps a partition from being copied. What the target lacks is created like the source's, so that
 * old records are not deleted as soon as they arrive; configs, and ACLs if wanted, are kept like the source's.
 */
export interface TopologyOptions extends TargetOptions {
  /** Who decides which of the source's topics are copied. */
  readonly planner: (from: Metadata, signal: AbortSignal) => Promise<Planner>
  readonly shards: number
  readonly syncAcls: boolean
  readonly refreshIntervalMs: number
  /** How long an open transaction may hold up a partition of the source before people are told. */
  readonly lsoStuckAfterMs: number
  /** Told of each look before it is reported. */
  readonly onSeen: (partitions: readonly PlacedPartition[]) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** How soon to look again when something is about to change, in milliseconds; doubled each time. */
const SOON_MIN_MS = 100
/** Looks after which ACLs are compared again. */
const ACL_LOOKS = 10

export function createTopology(options: TopologyOptions) {
  return fromTask<void, undefined, never, TopologyReport>(async ({ signal, report }) => {
    const look = new Look(options, signal)
    const bell = new Bell()
    let soonMs = SOON_MIN_MS
    for (;;) {
      const seen = await look.take()
      if (seen.report.type === 'topology.seen') options.onSeen(seen.report.partitions)
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

class Look {
  readonly #options: TopologyOptions
  readonly #signal: AbortSignal
  readonly #offsets: SourceOffsets
  readonly #places: TargetTopics
  #aclNotes: readonly string[] = []
  /** Known after the first look. */
  #verificationNotes: readonly string[] | undefined
  #count = 0

  constructor(options: TopologyOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#offsets = new SourceOffsets({ ...options, stuckAfterMs: options.lsoStuckAfterMs })
    this.#places = new TargetTopics(options, signal)
  }

  async take(): Promise<Seen> {
    try {
      const seen = await this.#take()
      this.#count++
      return seen
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
    const planner = await this.#options.planner(from, this.#signal)
    const plan = planner.plan(from)
    const copies = plan.topics.filter(({ hold }) => hold === undefined).map((topic) => topic.target)
    const [to, unseen] = await Promise.all([
      target.metadata(this.#signal, copies),
      this.#unseen(planner.missing(from)),
      this.#offsets.learn(
        from,
        plan.topics.map(({ name }) => name),
        this.#signal
      ),
      this.#learnVerification()
    ])
    const places = await this.#places.look(plan.topics, from, to)
    await this.#syncAcls(plan.topics)
    const partitions = plan.topics.flatMap((topic) =>
      this.#place(topic, from.topics.get(topic.name), places.byName.get(topic.name))
    )
    const notes = [
      ...withoutIds(
        source,
        from,
        plan.topics.map(({ name }) => name)
      ),
      ...withoutIds(target, to, copies),
      ...(this.#verificationNotes ?? []),
      ...unseen,
      ...plan.notes,
      ...places.notes,
      ...this.#aclNotes
    ]
    return { report: { type: 'topology.seen', partitions, notes }, isSettled: places.isSettled }
  }

  /** Topics that the config names and the source does not list: they may be missing, or not for us to see. */
  async #unseen(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return []
    const { source } = this.#options
    const { topics } = await source.metadata(this.#signal, names)
    return names.flatMap((name) => {
      const error = topics.get(name)?.error ?? 0
      return error === 0 ? [] : [kafkaFault(error, `topic ${name} on ${source.name}`).message]
    })
  }

  async #learnVerification(): Promise<void> {
    this.#verificationNotes ??= await verificationNote(this.#options.target, this.#signal)
  }

  async #syncAcls(topics: readonly PlannedTopic[]): Promise<void> {
    const { source, target } = this.#options
    if (!this.#options.syncAcls || this.#count % ACL_LOOKS !== 0) return
    try {
      const copied = topics.filter(({ hold }) => hold === undefined)
      this.#aclNotes = await syncAcls(source, target, copied, this.#signal)
    } catch (error) {
      this.#signal.throwIfAborted()
      const fault: Fault = toFault(error)
      this.#aclNotes = [`ACLs cannot be kept like those of ${source.name}: ${fault.message}`]
    }
  }

  #place(topic: PlannedTopic, here: TopicMetadata | undefined, place: Place | undefined): PlacedPartition[] {
    const { name, target } = topic
    const { there, maxBytes, codec } = place ?? {}
    return (here?.partitions ?? []).flatMap(({ partition }) => {
      const key = tp(name, partition)
      const logStart = this.#offsets.startOf(key)
      // Nobody knows yet where it begins: its first leader will tell.
      if (logStart === undefined || maxBytes === undefined) return []
      const reason = place?.hold ?? this.#lackOf(topic, partition, place)
      const stuck = this.#offsets.stuckAt(key)
      return [
        {
          topic: name,
          partition,
          shard: shardOf(name, partition, this.#options.shards),
          sourceId: here?.id,
          targetId: there?.id,
          logStart,
          end: this.#offsets.endOf(key),
          highWatermark: this.#offsets.topOf(key),
          targetTopic: target,
          targetPartitions: there?.partitions.length ?? 0,
          sourcePartitions: here?.partitions.length ?? 0,
          targetMaxBytes: maxBytes,
          ...(codec === undefined ? {} : { targetCodec: codec }),
          rules: this.#options.rulesOf(name),
          ...(reason === undefined ? {} : { hold: reason }),
          ...(stuck === undefined ? {} : { stuck })
        }
      ]
    })
  }

  #lackOf({ name, target }: PlannedTopic, partition: number, place: Place | undefined): string | undefined {
    if (this.#options.rulesOf(name).partitioning === 'hash') return undefined
    const { partitions } = place?.there ?? { partitions: [] }
    if (partitions.some((one) => one.partition === partition)) return undefined
    const few = `topic ${target} has only ${partitions.length} partitions on ${this.#options.target.name}`
    return place?.lack === undefined ? few : `${few}, ${place.lack}`
  }
}

/** Without topic ids nobody can tell a topic from another one of the same name that took its place. */
function withoutIds(cluster: Cluster, { topics }: Metadata, names: readonly string[]): string[] {
  const isWithout = names.some((name) => topics.get(name)?.error === 0 && topics.get(name)?.id === undefined)
  if (!isWithout) return []
  return [`cluster ${cluster.name} has no topic ids: a topic that is created anew there goes unnoticed`]
}
