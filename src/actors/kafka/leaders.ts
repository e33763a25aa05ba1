import { Fault, toFault } from '../../errors.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import type { PartitionBatch, RecordError } from './produce.ts'
import { type Outcome, Sender } from './sender.ts'
import { type TopicPartition, tp } from './topic-partition.ts'
import { unlessAborted } from './waiting.ts'

/** The outcome for one batch; `fault` undefined means it was appended. */
export interface ProduceResult extends TopicPartition {
  /** Offset the first record got on the target, -1 when it failed. */
  readonly baseOffset: number
  /** Kafka's error code, 0 for none; -1 with a fault that is not Kafka's (no answer, link closed): outcome unknown. */
  readonly error: number
  readonly fault: Fault | undefined
  /** The records for which it was refused, if the broker names them. */
  readonly recordErrors?: readonly RecordError[]
}

export interface LeadersOptions {
  readonly cluster: Cluster
  /** `null` outside of transactions. */
  readonly transactionalId: string | null
  readonly requestTimeoutMs: number
  readonly isHalted: () => boolean
  readonly onFault: (fault: Fault) => void
}

const LEADER_NOT_AVAILABLE = 5
/** A request above this is split; brokers refuse requests above 100 MiB. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024

/** The links to the leaders of one transaction's partitions: where its batches go. */
export class Leaders {
  readonly #options: LeadersOptions
  readonly #senders = new Map<number, Sender>()
  #life = new AbortController()
  /** Topics whose leaders were asked for since something went wrong. What the cluster remembers is no proof: it is old. */
  readonly #looked = new Set<string>()

  constructor(options: LeadersOptions) {
    this.#options = options
  }

  /**
   * Makes sure of a link to each partition's leader; returns the faults of those that have none, by `tp`. A new session
   * asks where the leaders are: the one before it may have ended because they moved.
   */
  async reach(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Map<string, Fault>> {
    const { cluster } = this.#options
    const isUnsure = ({ topic, partition }: TopicPartition) =>
      !this.#looked.has(topic) || cluster.leader(topic, partition) === undefined
    const topics = [...new Set(partitions.filter(isUnsure).map(({ topic }) => topic))]
    if (topics.length > 0) {
      await cluster.metadata(signal, topics)
      for (const topic of topics) this.#looked.add(topic)
    }
    const faults = new Map<string, Fault>()
    const byLeader = Map.groupBy(partitions, ({ topic, partition }) => cluster.leader(topic, partition))
    const connecting = [...byLeader].map(async ([node, led]) => {
      const fault = await this.#connect(node, signal)
      if (fault === undefined) return
      this.#looked.clear()
      for (const { topic, partition } of led) {
        const key = tp(topic, partition)
        const topicError = cluster.cached()?.topics.get(topic)?.error ?? 0
        const named = topicError === 0 ? fault : kafkaFault(topicError, 'its topic')
        const what = `partition ${key}: ${named.message}`
        faults.set(key, new Fault(named.code, what, { cause: named, retryable: named.retryable }))
      }
    })
    await Promise.all(connecting)
    return faults
  }

  /** Sends stamped batches; an outcome per batch, in their order. Never rejects. */
  async send(batches: readonly PartitionBatch[]): Promise<ProduceResult[]> {
    const outcomes = new Map<PartitionBatch, Outcome>()
    const byLeader = Map.groupBy(batches, ({ topic, partition }) =>
      this.#options.cluster.leader(topic, partition)
    )
    const requests = [...byLeader].flatMap(([node, led]) => {
      const sender = this.#senders.get(node ?? -1)
      return intoRequests(led).map(async (request) => {
        const answers = await sender?.send(request)
        for (const [index, one] of request.entries()) {
          const answer = answers?.[index]
          if (answer !== undefined) outcomes.set(one, answer)
        }
      })
    })
    await Promise.all(requests)
    return batches.map((one) => {
      const { topic, partition } = one
      return { topic, partition, ...(outcomes.get(one) ?? this.#unsent(one)) }
    })
  }

  /** Destroys all links and resolves when they are closed. `reach` opens new ones. */
  async destroy(): Promise<void> {
    const links = [...this.#senders.values()].map(({ link }) => link)
    this.#senders.clear()
    this.#life.abort(new Fault('link-closed', 'the transaction was given up', { retryable: true }))
    this.#life = new AbortController()
    await Promise.all(links.map(({ closed }) => closed))
  }

  /** Destroys the links at once; what is under way comes back with its fault. */
  cut(): void {
    for (const { link } of this.#senders.values()) link.destroy()
  }

  async #connect(node: number | undefined, signal: AbortSignal): Promise<Fault | undefined> {
    if (node === undefined) return kafkaFault(LEADER_NOT_AVAILABLE, 'no leader')
    if (this.#senders.get(node)?.link.alive === true) return undefined
    const life = this.#life.signal
    try {
      const link = await unlessAborted(this.#options.cluster.open(node, life), signal)
      const onFault = (fault: Fault) => {
        this.#looked.clear()
        this.#options.onFault(fault)
      }
      this.#senders.set(node, new Sender({ ...this.#options, link, onFault }))
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      life.throwIfAborted()
      return toFault(error)
    }
  }

  /** The leader has moved, in our metadata, between `reach` and `send`. */
  #unsent({ topic, partition }: PartitionBatch): Outcome {
    this.#looked.clear()
    const fault = new Fault('link-closed', `${tp(topic, partition)} has a new leader`, { retryable: true })
    this.#options.onFault(fault)
    return { baseOffset: -1, error: -1, fault }
  }
}

/** As few requests as there can be: in order, one batch per partition in each, none above the limit. */
function intoRequests(batches: readonly PartitionBatch[]): PartitionBatch[][] {
  const requests: { readonly batches: PartitionBatch[]; bytes: number }[] = []
  const nextSlot = new Map<string, number>()
  for (const one of batches) {
    const key = tp(one.topic, one.partition)
    let slot = nextSlot.get(key) ?? 0
    const isFull = (bytes: number) => bytes > 0 && bytes + one.batch.length > REQUEST_BYTES_MAX
    while (isFull(requests[slot]?.bytes ?? 0)) slot++
    const request = requests[slot]
    if (request === undefined) requests.push({ batches: [one], bytes: one.batch.length })
    else {
      request.batches.push(one)
      request.bytes += one.batch.length
    }
    nextSlot.set(key, slot + 1)
  }
  return requests.map((request) => request.batches)
}
