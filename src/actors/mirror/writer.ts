import type { Logger } from 'pino'
import { Fault, toFault } from '../../errors.ts'
import type {
  Destination,
  Expectation,
  PartitionFailure,
  PositionRecord,
  Skipped,
  Taken,
  WriterCommand,
  WriterReport
} from '../../machines/shard-protocol.ts'
import type { Delivery } from '../../machines/shard-setup.ts'
import { isDoubt } from '../../machines/verdict.ts'
import { encodeBatch, type Record } from '../../records/record.ts'
import { Bell } from '../kafka/bell.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { IdempotentSession } from '../kafka/idempotent.ts'
import {
  type AddResult,
  type ProduceResult,
  type ProducerSession,
  TransactionSession
} from '../kafka/producer.ts'
import type { TopicPartition } from '../kafka/topic-partition.ts'
import { fromTask, type TaskScope } from '../task.ts'
import { type DeadLetterOptions, ensureDeadLetters } from './dead-letters.ts'
import { failuresOf, unacknowledged } from './failures.ts'
import { type CopiedBatch, Intake, type Load } from './intake.ts'
import type { OffsetBook } from './offsets/book.ts'
import { Landings } from './offsets/landings.ts'
import { type Claim, encodeClaim, encodePosition } from './position-records.ts'
import type { Restorer } from './restore.ts'
import type { MirrorStats } from './stats.ts'

/**
 * The hands of one shard: it proves that the shard is ours, fences, restores, and then does what the shard machine
 * commands, one step of the transaction at a time. Whatever goes wrong ends it, sockets first; the machine decides what
 * comes next. Buffers are given back when they were acknowledged, or when no socket refers to them any more.
 */
export interface WriterOptions {
  readonly target: Cluster
  /** `<prefix>-<shard>` becomes the transactional id. */
  readonly prefix: string
  readonly positionsTopic: string
  readonly transactionTimeoutMs: number
  readonly delivery: Delivery
  /** One heartbeat acknowledged in the current generation: whoever lost the shard must not fence its new owner. */
  readonly confirm: (signal: AbortSignal) => Promise<void>
  readonly restorer: Restorer
  /** Where records go that the target refuses, if the rules want them to be kept. */
  readonly deadLetters: DeadLetterOptions
  /** Replication factor of topics that we create. */
  readonly replication: number
  readonly claim: () => Claim
  readonly stats: MirrorStats
  /** Is told where the records went. */
  readonly book: OffsetBook
  readonly log: Pick<Logger, 'warn' | 'error'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

type Scope = TaskScope<{ readonly shard: number }, WriterCommand, WriterReport>
type Step = Extract<WriterCommand, { readonly type: 'add' | 'produce' | 'commit' }>

/** Records per batch of positions: with the longest topic names still well below any limit on a batch. */
const POSITIONS_PER_BATCH = 1_000

const nothing: Load = { batches: [], leases: [], records: 0, bytes: 0 }

export function createWriter(options: WriterOptions) {
  return fromTask<void, { readonly shard: number }, WriterCommand, WriterReport>((scope) =>
    new ShardWriter(options, scope).run()
  )
}

class ShardWriter {
  readonly #options: WriterOptions
  readonly #shard: number
  readonly #signal: AbortSignal
  readonly #report: (event: WriterReport) => void
  readonly #session: ProducerSession
  readonly #intake: Intake
  readonly #landings: Landings
  /** Topics for dead letters that may be missing still. */
  readonly #unmade = new Set<string>()
  /** What the next `produce` is about. */
  #load: Load = nothing
  readonly #steps: Step[] = []
  readonly #bell = new Bell()
  #isClaimed = false
  /** What the open transaction holds. */
  #written = { records: 0, bytes: 0 }

  constructor(options: WriterOptions, { input, signal, report, receive }: Scope) {
    this.#options = options
    this.#intake = new Intake(options.stats.counters, options.deadLetters)
    this.#shard = input.shard
    const { book, delivery } = options
    this.#landings = new Landings({ book, shard: input.shard, delivery })
    this.#signal = signal
    this.#report = report
    this.#session = this.#newSession()
    receive((command) => this.#obey(command))
  }

  #newSession(): ProducerSession {
    const { target, prefix, transactionTimeoutMs, delivery } = this.#options
    if (delivery === 'at-least-once') return new IdempotentSession(target)
    return new TransactionSession({
      cluster: target,
      transactionalId: `${prefix}-${this.#shard}`,
      timeoutMs: transactionTimeoutMs,
      onState: (state) => {
        if (state !== 'markersPending') return
        const reason = `markers of the former transaction of ${prefix}-${this.#shard} are not written yet`
        this.#report({ type: 'writer.waiting', on: 'markersPending', reason })
      }
    })
  }

  async run(): Promise<void> {
    try {
      await this.#options.confirm(this.#signal)
      await this.#session.fence(this.#signal)
      this.#options.stats.counters.fences++
      this.#report({ type: 'writer.fenced' })
      const { positions, isClaimed } = await this.#options.restorer.restore(
        this.#shard,
        this.#signal,
        (reason) => {
          this.#report({ type: 'writer.waiting', on: 'hangingTransaction', reason })
        }
      )
      this.#isClaimed = isClaimed
      this.#options.stats.restored(this.#shard, positions)
      this.#report({ type: 'writer.restored', positions })
      for (;;) {
        const step = this.#steps.shift()
        if (step === undefined) await this.#bell.wait(Number.POSITIVE_INFINITY, this.#signal)
        else await this.#perform(step)
      }
    } catch (error) {
      this.#tell(toFault(error))
      throw error
    } finally {
      this.#session.destroy()
      for (const lease of this.#load.leases) lease.release()
      this.#intake.close()
    }
  }

  #obey(command: WriterCommand): void {
    switch (command.type) {
      case 'expect':
        for (const { policies, deadLetter = this.#options.deadLetters.topic } of command.partitions) {
          if (policies.rejected === 'dead-letter') this.#unmade.add(deadLetter)
        }
        for (const expected of command.partitions) this.#tellJump(expected)
        this.#intake.expect(command.partitions)
        this.#landings.expect(command.partitions)
        break
      case 'forget':
        this.#intake.forget(command.partitions)
        break
      case 'take':
        this.#took(this.#intake.take(command.slices))
        break
      case 'produce':
        // The machine counts as sent what it has heard of by now; what waited for room is the next load.
        this.#load = this.#intake.unload()
        this.#took(this.#intake.takeMore())
        this.#queue(command)
        break
      default:
        this.#queue(command)
    }
  }

  /** Nothing is skipped in silence. */
  #tellJump({ topic, partition, jump }: Expectation): void {
    if (jump === undefined) return
    this.#options.stats.counters.jumps++
    this.#options.log.warn({ topic, partition, ...jump }, 'a partition goes on elsewhere, as its rules want')
  }

  #queue(step: Step): void {
    this.#steps.push(step)
    this.#bell.ring()
  }

  #took(taken: readonly Taken[]): void {
    if (taken.length === 0) return
    for (const { topic, partition, records, stop, skipped = [] } of taken) {
      this.#options.stats.counters.recordsRead += records
      for (const left of skipped) this.#tellSkipped({ topic, partition, ...left })
      if (stop !== undefined) this.#options.log.error({ topic, partition, ...stop }, 'a partition stops')
    }
    this.#report({ type: 'writer.took', taken })
  }

  #tellSkipped(left: Skipped & TopicPartition): void {
    const { counters } = this.#options.stats
    counters[left.deadLetter === undefined ? 'offsetsSkipped' : 'deadLetters'] += left.until - left.from
    const what = left.deadLetter === undefined ? 'offsets are left out' : 'a record becomes a dead letter'
    this.#options.log.warn(left, `${what}, as the rules of its topic want`)
  }

  async #perform(step: Step): Promise<void> {
    switch (step.type) {
      case 'add':
        return this.#add(step.partitions)
      case 'produce':
        return this.#produce()
      case 'commit':
        return this.#commit(step.positions)
    }
  }

  async #add(partitions: readonly Destination[]): Promise<void> {
    const unmade = await this.#makeTopics(partitions)
    const results =
      unmade.length > 0 ? unmade : await this.#session.add([...partitions, this.#ownPartition], this.#signal)
    const failures = results.flatMap((result) => spread(result, partitions))
    if (failures.length > 0) return this.#refuse(failures)
    if (this.#options.delivery === 'exactly-once') this.#options.stats.opened(this.#shard)
    this.#report({ type: 'writer.added', partitions })
  }

  /** Makes those for dead letters when the first one comes; tells which could not be made. */
  async #makeTopics(partitions: readonly TopicPartition[]): Promise<AddResult[]> {
    const { target, replication } = this.#options
    const failed: AddResult[] = []
    for (const { topic, partition } of partitions) {
      if (!this.#unmade.has(topic)) continue
      try {
        await ensureDeadLetters(target, topic, replication, this.#signal)
        this.#unmade.delete(topic)
      } catch (error) {
        this.#signal.throwIfAborted()
        const cause = toFault(error)
        const what = `the topic for dead letters: ${cause.message}`
        const fault = new Fault(cause.code, what, { cause, retryable: cause.retryable })
        failed.push({ topic, partition, fault })
      }
    }
    return failed
  }

  async #produce(): Promise<void> {
    const { batches, leases, records, bytes } = this.#load
    this.#load = nothing
    try {
      const results = await this.#session.produce(batches, this.#signal)
      this.#landings.acknowledged(batches, results)
      const failures = failuresOf(results, batches)
      if (failures.length > 0) {
        this.#tellAcknowledged(results, batches)
        return this.#refuse(failures)
      }
      this.#options.stats.written(batches)
      this.#written = { records: this.#written.records + records, bytes: this.#written.bytes + bytes }
    } finally {
      for (const lease of leases) lease.release()
    }
    this.#report({ type: 'writer.produced' })
  }

  /** What a transaction would take back stays here. */
  #tellAcknowledged(results: readonly ProduceResult[], batches: readonly CopiedBatch[]): void {
    if (this.#options.delivery === 'exactly-once') return
    this.#report({ type: 'writer.acknowledged', but: unacknowledged(results, batches) })
  }

  async #commit(positions: readonly PositionRecord[]): Promise<void> {
    const startedAt = performance.now()
    const now = this.#options.now()
    const records = positions.map((position) => encodePosition(position, now))
    if (!this.#isClaimed) records.push(encodeClaim(this.#options.claim(), now))
    const results = await this.#session.produce(this.#inBatches(records), this.#signal)
    for (const { fault } of results) if (fault !== undefined) throw fault
    this.#options.stats.committing(this.#shard, { positions, ...this.#written })
    await this.#session.commit(this.#signal)
    this.#options.stats.committed(this.#shard)
    this.#landings.committed(positions)
    this.#isClaimed = true
    this.#written = { records: 0, bytes: 0 }
    this.#report({ type: 'writer.committed', tookMs: performance.now() - startedAt })
  }

  #refuse(failures: readonly PartitionFailure[]): void {
    for (const { topic, partition, fault, refused } of failures) {
      const found = refused && { records: refused.records.length, suspicion: refused.suspicion }
      const what = refused === undefined ? 'the target failed a partition' : 'the target refuses a batch'
      this.#options.log.warn({ shard: this.#shard, topic, partition, ...found, err: fault }, what)
    }
    this.#report({ type: 'writer.refused', failures })
  }

  /** What escalates is logged by whoever it reaches. */
  #tell(fault: Fault): void {
    if (this.#signal.aborted || !isDoubt(fault)) return
    this.#options.log.warn(
      { shard: this.#shard, err: fault },
      'a shard recovers: its transaction is in doubt'
    )
  }

  #inBatches(records: readonly Record[]) {
    const batches = []
    for (let at = 0; at < records.length; at += POSITIONS_PER_BATCH) {
      const batch = encodeBatch(records.slice(at, at + POSITIONS_PER_BATCH), { codec: 0 })
      batches.push({ ...this.#ownPartition, batch })
    }
    return batches
  }

  get #ownPartition(): TopicPartition {
    return { topic: this.#options.positionsTopic, partition: this.#shard }
  }
}

/** The failure of a partition of the target is that of each partition of the source whose batches go there. */
function spread({ fault, ...target }: AddResult, destinations: readonly Destination[]): PartitionFailure[] {
  if (fault === undefined) return []
  const there = destinations.find(
    ({ topic, partition }) => topic === target.topic && partition === target.partition
  )
  return (there?.sources ?? [target]).map((source) => ({ ...source, fault }))
}
