import { Fault, toFault } from '../../errors.ts'
import type { AbortedTransaction } from '../../records/aborted.ts'
import type { ByteBudget, Lease } from '../budget.ts'
import { fromTask } from '../task.ts'
import { BufferPool } from './answer-memory.ts'
import { Bell } from './bell.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { partitionIn } from './metadata.ts'
import { NodeFetcher } from './node-fetcher.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { Tracked } from './tracked.ts'
import { backoffMs } from './waiting.ts'

export type { AbortedTransaction } from '../../records/aborted.ts'

export interface FetcherInput {
  readonly cluster: Cluster
  readonly budget: ByteBudget
  /** Most bytes one fetch response should hold; 4 MiB by default. */
  readonly maxBytes?: number
  /** Most bytes per partition in one response; 512 KiB by default, so that one partition cannot fill a response. */
  readonly partitionMaxBytes?: number
  /** How long a broker may wait for data, in milliseconds; 500 by default. */
  readonly maxWaitMs?: number
  /**
   * Reads into a few buffers again and again. Only for a consumer that keeps no view of a slice after it has released
   * the slice's lease: the next answer overwrites it. False by default.
   */
  readonly reuseBuffers?: boolean
  /**
   * A partition of which so many slices are not released yet is not fetched on: who is slow holds a bounded part of the
   * budget, and nobody else waits for him. No limit by default.
   */
  readonly heldMax?: number
  /** Told of what one answer brought before it is reported. It must not keep the bytes, and be quick. */
  readonly onFetched?: (slices: readonly FetchedSlice[]) => void
}

export interface FetchAssignment extends TopicPartition {
  /** The next offset to read. */
  readonly position: number
  /** Leader epoch of the batch before `position`, when known: then divergence is looked for before the first fetch. */
  readonly leaderEpoch?: number
  /** Topic id the position belongs to, when known: a topic with another id faults with `topic-reset`. */
  readonly topicId?: string
  /** Comes back in every slice of this assignment. A number the caller counts up; 0 by default. */
  readonly generation?: number
}

export type FetcherCommand =
  /** Starts (or restarts, at another position) the fetching of these partitions. */
  | { readonly type: 'assign'; readonly partitions: readonly FetchAssignment[] }
  | { readonly type: 'release'; readonly partitions: readonly TopicPartition[] }
  /** Stops fetching, keeps the position. Without `partitions`: all of them, present and to come. */
  | { readonly type: 'pause'; readonly partitions?: readonly TopicPartition[] }
  | { readonly type: 'resume'; readonly partitions?: readonly TopicPartition[] }
  | { readonly type: 'stop' }

export type FetcherReport =
  | { readonly type: 'records.fetched'; readonly slices: readonly FetchedSlice[] }
  /**
   * The partition is no longer fetched; `assign` starts it again. `fault.code` is one of
   * `offset-out-of-range`, `topic-reset`, `log-diverged` (the leader's log ends before our position in our epoch),
   * or a Kafka code that is not retryable (`kafka-topic-authorization-failed`).
   */
  | {
      readonly type: 'partition.faulted'
      readonly topic: string
      readonly partition: number
      readonly generation: number
      readonly fault: Fault
    }

/** What one fetch brought for one partition. `recordSet` may end in a truncated batch. */
export interface FetchedSlice extends TopicPartition {
  /** The generation of the assignment this slice belongs to. */
  readonly generation: number
  /** The offset asked for; the first batch may begin before it. */
  readonly fetchOffset: number
  /** Whole batches. Empty when nothing but the watermarks moved. */
  readonly recordSet: Buffer
  /** Offset after the last whole batch in `recordSet`, or `fetchOffset` when there is none. */
  readonly nextOffset: number
  /** Transactions aborted in this range, as the broker listed them: in no order. */
  readonly aborted: readonly AbortedTransaction[]
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Id of the topic as the last metadata told it, where brokers have ids. */
  readonly topicId: string | undefined
  /** Epoch of the leader that answered, -1 when the broker tells none. */
  readonly leaderEpoch: number
  /** Released when the bytes are no longer needed. */
  readonly lease: Lease
}

/** How often metadata is asked for when nothing is wrong: topic ids and leaders are verified then. */
const REFRESH_MS = 30_000
const MAX_BYTES = 4 * 1024 * 1024
const MAX_BYTES_MIN = 64 * 1024
const PARTITION_MAX_BYTES = 512 * 1024
const PARTITION_BYTES_MIN = 16 * 1024
/** As many partitions at least find room in an answer. */
const PARTITIONS_PER_ANSWER = 8
const MAX_WAIT_MS = 500
/** Many come back at once when a transaction's last request is acknowledged; what is thrown away then has to be collected. */
const POOLED_ANSWERS = 6
const UNKNOWN_TOPIC = 3

/**
 * Fetches the assigned partitions from their leaders, read_committed, until `stop`. One per role instance.
 *
 * Credits come before bytes: each request is sent only with a lease for its answer. A partition is fetched on from
 * where its last slice ended, without waiting for whoever consumes the slices. Nothing of a released or re-assigned
 * partition is delivered, nothing after a `pause`. Rejects only with what cannot be retried (`authentication-failed`).
 */
export const fetcher = fromTask<void, FetcherInput, FetcherCommand, FetcherReport>(
  async ({ input, signal, report, receive }) => {
    const fetching = new Fetching(input, signal, report)
    receive((command) => fetching.obey(command))
    await fetching.run()
  }
)

class Fetching {
  readonly #input: FetcherInput
  readonly #report: (report: FetcherReport) => void
  readonly #tracked = new Map<string, Tracked>()
  readonly #nodes = new Map<number, NodeFetcher>()
  readonly #bell = new Bell()
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  readonly #pool: BufferPool | undefined
  readonly #maxBytes: number
  readonly #running: Promise<void>[] = []
  #placedAt = 0
  #isPaused = false
  #failure: Fault | undefined

  constructor(input: FetcherInput, signal: AbortSignal, report: (report: FetcherReport) => void) {
    this.#input = input
    this.#report = report
    this.#signal = AbortSignal.any([signal, this.#end.signal])
    // Several leaders share the budget, and what was fetched is still held while more is asked for.
    const share = Math.max(MAX_BYTES_MIN, Math.floor(input.budget.limitBytes / 8))
    this.#maxBytes = Math.min(input.maxBytes ?? MAX_BYTES, share)
    this.#pool = input.reuseBuffers === true ? new BufferPool(POOLED_ANSWERS * this.#maxBytes) : undefined
  }

  obey(command: FetcherCommand): void {
    if (command.type === 'stop') this.#end.abort()
    else if (command.type === 'assign') for (const one of command.partitions) this.#assign(one)
    else if (command.type === 'release') {
      for (const { topic, partition } of command.partitions) this.#tracked.delete(tp(topic, partition))
    } else this.#pause(command.type === 'pause', command.partitions)
    this.#bell.ring()
    for (const node of this.#nodes.values()) node.wake()
  }

  /** Finds leaders for partitions that have none, and looks at all topics again from time to time. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await this.#bell.wait(this.#restMs(), this.#signal)
        if (this.#restMs() > 0) continue
        this.#placedAt = performance.now()
        await this.#place()
      } catch (error) {
        if (this.#signal.aborted) break
        const fault = toFault(error)
        if (!fault.retryable) this.#fail(fault)
        for (const tracked of this.#tracked.values()) if (tracked.node === undefined) tracked.failures++
      }
    }
    this.#end.abort()
    await Promise.all(this.#running)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Until the next look at the metadata: partitions without a leader wait by their own back-off, new ones not at all. */
  #restMs(): number {
    if (this.#tracked.size === 0) return Number.POSITIVE_INFINITY
    let intervalMs = REFRESH_MS
    for (const { node, failures } of this.#tracked.values()) {
      if (node !== undefined) continue
      if (failures === 0) return 0
      intervalMs = Math.min(intervalMs, backoffMs(failures))
    }
    return Math.max(0, this.#placedAt + intervalMs - performance.now())
  }

  #assign(assignment: FetchAssignment): void {
    const tracked = new Tracked(assignment)
    tracked.isPaused = this.#isPaused
    this.#tracked.set(tracked.key, tracked)
  }

  #pause(isPaused: boolean, partitions: readonly TopicPartition[] | undefined): void {
    if (partitions === undefined) {
      this.#isPaused = isPaused
      for (const tracked of this.#tracked.values()) tracked.isPaused = isPaused
    }
    for (const { topic, partition } of partitions ?? []) {
      const tracked = this.#tracked.get(tp(topic, partition))
      if (tracked !== undefined) tracked.isPaused = isPaused
    }
  }

  async #place(): Promise<void> {
    const topics = new Set([...this.#tracked.values()].map(({ topic }) => topic))
    const metadata = await this.#input.cluster.metadata(this.#signal, [...topics])
    for (const tracked of this.#tracked.values()) {
      // What was assigned meanwhile has rung the bell.
      if (!topics.has(tracked.topic)) continue
      const topic = metadata.topics.get(tracked.topic)
      const fault = faultOf(tracked, topic)
      if (fault !== undefined && !fault.retryable) {
        this.#faulted(tracked, fault)
        continue
      }
      const known = partitionIn(topic, tracked.partition)
      if (fault !== undefined || known === undefined || !tracked.place(known.leader, known.leaderEpoch)) {
        tracked.displace()
        continue
      }
      tracked.topicId = topic?.id
      this.#nodeFetcher(known.leader).wake()
    }
  }

  #nodeFetcher(node: number): NodeFetcher {
    const existing = this.#nodes.get(node)
    if (existing !== undefined) return existing
    const { cluster, budget, partitionMaxBytes = PARTITION_MAX_BYTES, maxWaitMs = MAX_WAIT_MS } = this.#input
    const { heldMax = Number.POSITIVE_INFINITY } = this.#input
    const created = new NodeFetcher({
      node,
      cluster,
      budget,
      pool: this.#pool,
      maxBytes: this.#maxBytes,
      partitionMaxBytes: Math.min(
        partitionMaxBytes,
        Math.max(PARTITION_BYTES_MIN, this.#maxBytes / PARTITIONS_PER_ANSWER)
      ),
      maxWaitMs,
      heldMax,
      signal: this.#signal,
      led: () => [...this.#tracked.values()].filter((tracked) => tracked.node === node),
      find: (key) => this.#tracked.get(key),
      deliver: (slices) => this.#deliver(slices),
      faulted: (tracked, fault) => this.#faulted(tracked, fault),
      displaced: () => this.#bell.ring()
    })
    this.#nodes.set(node, created)
    this.#running.push(created.run().catch((error: unknown) => this.#fail(toFault(error))))
    return created
  }

  #deliver(slices: readonly FetchedSlice[]): void {
    if (this.#signal.aborted) {
      for (const { lease } of slices) lease.release()
      return
    }
    this.#input.onFetched?.(slices)
    this.#report({ type: 'records.fetched', slices })
  }

  #faulted(tracked: Tracked, fault: Fault): void {
    const { key, topic, partition, generation } = tracked
    if (this.#tracked.get(key) !== tracked) return
    this.#tracked.delete(key)
    this.#report({ type: 'partition.faulted', topic, partition, generation, fault })
  }

  #fail(fault: Fault): void {
    this.#failure ??= fault
    this.#end.abort()
  }
}

/** What metadata says against fetching a partition; retryable faults pass when the topic is back. */
function faultOf(tracked: Tracked, topic: TopicMetadata | undefined): Fault | undefined {
  const { topic: name, topicId } = tracked
  if (topic === undefined) return kafkaFault(UNKNOWN_TOPIC, `topic ${name}`)
  if (topic.error !== 0) return kafkaFault(topic.error, `topic ${name}`)
  if (topicId !== undefined && topic.id !== undefined && topicId !== topic.id) {
    return new Fault('topic-reset', `topic ${name} is another one now: id ${topic.id} instead of ${topicId}`)
  }
  return undefined
}
