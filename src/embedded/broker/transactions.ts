import type { Faults } from '../faults.ts'
import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'
import type { OffsetStore } from './offsets.ts'
import type { Timers } from './timers.ts'
import type { Topics } from './topics.ts'

/** `transaction.max.timeout.ms`. */
const TIMEOUT_MAX_MS = 900_000
/** A producer never gets the greatest epoch, so that it can always be fenced once more. */
const EPOCH_MAX = 0x7fff - 1
const MARKER_RETRY_MS = 100
const STALE_ENTRIES_MAX = 20_000

export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Everything that is known of one transactional id. Each change is one entry of the journal. */
export interface Transaction extends ProducerIdentity {
  readonly id: string
  /** The epoch before, for a client that retries its own InitProducerId (KIP-360); -1 for none. */
  readonly lastEpoch: number
  readonly timeoutMs: number
  readonly state: TransactionState
  readonly partitions: readonly TopicPartition[]
  readonly groups: readonly string[]
  /** When the last transaction began with its first partition; -1 before there was one. */
  readonly startedAt: number
}

export interface TransactionServices {
  readonly path: string
  readonly disk: Disk
  readonly topics: Topics
  readonly offsets: OffsetStore
  readonly faults: Faults
  readonly timers: Timers
  readonly now: () => number
}

/**
 * The transaction coordinator (KIP-98; Kafka 4.1's `TransactionCoordinator` with clients of transaction version 0).
 *
 * A decision is durable before the first marker is written and is answered before the last one is, so the next request
 * may meet `CONCURRENT_TRANSACTIONS`. A restart writes the markers of undecided ends again; that is harmless.
 */
export class Transactions {
  readonly #services: TransactionServices
  readonly #journal: Journal<Transaction>
  readonly #transactions = new Map<string, Transaction>()
  readonly #timeouts = new Map<string, NodeJS.Timeout>()

  constructor(services: TransactionServices) {
    this.#services = services
    this.#journal = new Journal(services.path, (entry: Transaction) =>
      this.#transactions.set(entry.id, entry)
    )
    this.#journal.compact(this.all())
  }

  /** Finishes what an earlier life decided, and resumes the timeouts of what it left open. */
  resume(): void {
    for (const transaction of this.all()) {
      if (isPreparing(transaction)) this.#finish(transaction)
      else this.#watch(transaction)
    }
  }

  all(): readonly Transaction[] {
    return [...this.#transactions.values()]
  }

  get(id: string): Transaction | undefined {
    return this.#transactions.get(id)
  }

  /**
   * InitProducerId. An ongoing transaction is aborted under a new epoch, and the caller told to come again
   * (`CONCURRENT_TRANSACTIONS`) until the markers are written.
   *
   * @param expected what the caller believes to be (version 3 and later), checked against what is known
   */
  init(id: string | null, timeoutMs: number, expected?: ProducerIdentity): ProducerIdentity {
    const { topics } = this.#services
    if (id === null) return { producerId: topics.newProducerId(), producerEpoch: 0 }
    if (id === '') throw new KafkaError(codes.INVALID_REQUEST, 'the transactional id is empty')
    if (timeoutMs <= 0 || timeoutMs > TIMEOUT_MAX_MS) {
      throw new KafkaError(codes.INVALID_TRANSACTION_TIMEOUT, `the timeout ${timeoutMs} ms is out of bounds`)
    }
    const known = this.#transactions.get(id)
    if (known === undefined) return this.#save(empty(id, topics.newProducerId(), 0, timeoutMs))
    if (expected && expected.producerId !== known.producerId) throw fenced(id)
    if (isPreparing(known)) throw concurrent(id)
    if (known.state === 'Ongoing') {
      this.#abortUnderNewEpoch(known)
      throw concurrent(id)
    }
    if (expected && expected.producerEpoch !== known.producerEpoch) {
      // A repeated request whose answer was lost is answered again; anybody else has been fenced.
      if (expected.producerEpoch === known.lastEpoch) return known
      throw fenced(id)
    }
    const lastEpoch = expected ? known.producerEpoch : -1
    if (known.producerEpoch >= EPOCH_MAX) {
      return this.#save({ ...empty(id, topics.newProducerId(), 0, timeoutMs), lastEpoch })
    }
    return this.#save({ ...empty(id, known.producerId, known.producerEpoch + 1, timeoutMs), lastEpoch })
  }

  addPartitions(id: string, producer: ProducerIdentity, partitions: readonly TopicPartition[]): void {
    const known = this.#owned(id, producer)
    if (isPreparing(known)) throw concurrent(id)
    const added = partitions.filter((one) => !includes(known.partitions, one))
    if (known.state === 'Ongoing' && added.length === 0) return
    this.#save(this.#opened(known, { partitions: [...openPartitions(known), ...added] }))
  }

  addGroup(id: string, producer: ProducerIdentity, group: string): void {
    const known = this.#owned(id, producer)
    if (isPreparing(known)) throw concurrent(id)
    if (known.state === 'Ongoing' && known.groups.includes(group)) return
    this.#save(this.#opened(known, { groups: [...openGroups(known), group] }))
  }

  /**
   * Whether a transactional batch may go into a partition: it has to have been added to the ongoing transaction
   * (KIP-890 part 1). Throws what Kafka 4.1 answers to clients that do not know `TRANSACTION_ABORTABLE`.
   */
  verify(id: string, producer: ProducerIdentity, partition: TopicPartition): void {
    const known = this.#owned(id, producer)
    if (isPreparing(known)) {
      throw new KafkaError(codes.NOT_ENOUGH_REPLICAS, `the last transaction of ${id} is not complete yet`)
    }
    if (known.state !== 'Ongoing' || !includes(known.partitions, partition)) throw notAdded(id)
  }

  /** Offsets that shall be committed with the transaction; its group must have been added. */
  commitOffsets(id: string, producer: ProducerIdentity, group: string, commit: () => void): void {
    const known = this.#owned(id, producer)
    if (isPreparing(known)) throw concurrent(id)
    if (known.state !== 'Ongoing' || !known.groups.includes(group)) throw notAdded(id)
    commit()
  }

  end(id: string, producer: ProducerIdentity, committed: boolean): void {
    const known = this.#owned(id, producer)
    const wanted = committed ? 'Commit' : 'Abort'
    if (known.state === `Complete${wanted}`) return
    if (known.state === `Prepare${wanted}`) throw concurrent(id)
    if (known.state !== 'Ongoing') {
      throw new KafkaError(codes.INVALID_TXN_STATE, `${id} is in state ${known.state}`)
    }
    this.#decide(known, committed)
  }

  close(): void {
    this.#journal.close()
  }

  #owned(id: string, producer: ProducerIdentity): Transaction {
    if (id === '') throw new KafkaError(codes.INVALID_REQUEST, 'the transactional id is empty')
    const known = this.#transactions.get(id)
    if (known === undefined || known.producerId !== producer.producerId) {
      throw new KafkaError(codes.INVALID_PRODUCER_ID_MAPPING, `${id} is not held by ${producer.producerId}`)
    }
    if (known.producerEpoch !== producer.producerEpoch) throw fenced(id)
    return known
  }

  #opened(known: Transaction, added: Partial<Transaction>): Transaction {
    const startedAt = known.state === 'Ongoing' ? known.startedAt : this.#services.now()
    const inherited = { partitions: openPartitions(known), groups: openGroups(known) }
    return { ...known, ...inherited, ...added, state: 'Ongoing', startedAt }
  }

  #abortUnderNewEpoch(known: Transaction): void {
    this.#decide({ ...known, producerEpoch: known.producerEpoch + 1, lastEpoch: -1 }, false)
  }

  #decide(known: Transaction, committed: boolean): void {
    const decided = this.#save({ ...known, state: committed ? 'PrepareCommit' : 'PrepareAbort' })
    setImmediate(() => this.#finish(decided))
  }

  /** Writes the markers, then completes. A partition that cannot take its marker holds the id until it can. */
  #finish(decided: Transaction): void {
    const { faults, timers } = this.#services
    const action = faults.next(`WriteTxnMarkers ${decided.id}`)
    if (action?.type === 'hang') return
    if (action?.type === 'delay') {
      timers.after(action.ms, () => this.#writeMarkers(decided))
    } else if (action === undefined) {
      this.#writeMarkers(decided)
    } else {
      timers.after(MARKER_RETRY_MS, () => this.#finish(decided))
    }
  }

  #writeMarkers(decided: Transaction): void {
    const { topics, offsets, timers, now } = this.#services
    const committed = decided.state === 'PrepareCommit'
    try {
      const { producerId, producerEpoch } = decided
      const logs = decided.partitions.flatMap(({ topic, partition }) => {
        return topics.get(topic)?.partitions[partition] ?? []
      })
      if (logs.some(({ leadership }) => leadership.leader < 0)) throw new Error('a partition has no leader')
      for (const log of logs) {
        log.appendMarker({ producerId, producerEpoch, committed, coordinatorEpoch: 0, timestamp: now() })
      }
      for (const group of decided.groups) offsets.endTransaction(decided.producerId, group, committed)
      const state = committed ? 'CompleteCommit' : 'CompleteAbort'
      this.#save({ ...decided, state, partitions: [], groups: [] })
    } catch {
      timers.after(MARKER_RETRY_MS, () => this.#finish(decided))
    }
  }

  #save(transaction: Transaction): Transaction {
    this.#services.disk.append(this.#journal, transaction)
    this.#transactions.set(transaction.id, transaction)
    if (this.#journal.entries > this.#transactions.size + STALE_ENTRIES_MAX) this.#journal.compact(this.all())
    this.#watch(transaction)
    return transaction
  }

  /** Aborts an open transaction when its time is up. */
  #watch(transaction: Transaction): void {
    const { timers, now } = this.#services
    timers.cancel(this.#timeouts.get(transaction.id))
    this.#timeouts.delete(transaction.id)
    if (transaction.state !== 'Ongoing') return
    const expire = () => {
      const known = this.#transactions.get(transaction.id)
      if (known?.state !== 'Ongoing') return
      try {
        this.#abortUnderNewEpoch(known)
      } catch {
        this.#watch(known)
      }
    }
    const left = transaction.startedAt + transaction.timeoutMs - now()
    this.#timeouts.set(transaction.id, timers.after(Math.max(left, MARKER_RETRY_MS), expire))
  }
}

function empty(id: string, producerId: number, producerEpoch: number, timeoutMs: number): Transaction {
  return {
    id,
    producerId,
    producerEpoch,
    lastEpoch: -1,
    timeoutMs,
    state: 'Empty',
    partitions: [],
    groups: [],
    startedAt: -1
  }
}

function isPreparing({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

function includes(partitions: readonly TopicPartition[], wanted: TopicPartition): boolean {
  return partitions.some(({ topic, partition }) => topic === wanted.topic && partition === wanted.partition)
}

function openPartitions(known: Transaction): readonly TopicPartition[] {
  return known.state === 'Ongoing' ? known.partitions : []
}

function openGroups(known: Transaction): readonly string[] {
  return known.state === 'Ongoing' ? known.groups : []
}

function concurrent(id: string): KafkaError {
  return new KafkaError(codes.CONCURRENT_TRANSACTIONS, `the last transaction of ${id} is not complete yet`)
}

/** Versions before KIP-588 know this as `INVALID_PRODUCER_EPOCH`: the API files translate. */
function fenced(id: string): KafkaError {
  return new KafkaError(codes.PRODUCER_FENCED, `a newer producer has taken ${id}`)
}

function notAdded(id: string): KafkaError {
  return new KafkaError(codes.INVALID_TXN_STATE, `the partition was not added to the transaction of ${id}`)
}
