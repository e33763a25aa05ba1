import type { Logger } from 'pino'
import { toFault } from '../../errors.ts'
import type { Held, IngestCommand, IngestReport } from '../../machines/ingest.ts'
import { isDoubt } from '../../machines/verdict.ts'
import type { FeedChunk } from '../feed/feed.ts'
import { RecentIds } from '../feed/recent-ids.ts'
import { Bell } from '../kafka/bell.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { readInternal } from '../kafka/positions.ts'
import { TransactionSession } from '../kafka/producer.ts'
import { fromTask, type TaskScope } from '../task.ts'
import { type Composed, compose, type IngestTopics } from './batch.ts'
import { Restored } from './records.ts'

/**
 * The hands of an ingest: fences, restores cursor and recent ids, and then does what the ingest machine commands. A
 * transaction takes whole chunks until the batch is large enough. Whatever goes wrong ends the writer, sockets first.
 */
export interface IngestWriterOptions {
  readonly cluster: Cluster
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** Names the source in the cursor's key and in dead letters. */
  readonly source: string
  /** Undefined where the source never repeats an event. */
  readonly recentIdsMs: number | undefined
  readonly batchBytes: number
  /** Known once the topics were prepared. */
  readonly topics: () => IngestTopics
  readonly stats: IngestStats
  readonly log: Pick<Logger, 'warn'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** What an ingest has done since its start; repeats and dead letters count when they are committed. */
export class IngestStats {
  readonly counters = {
    recordsRead: 0,
    recordsWritten: 0,
    bytesWritten: 0,
    transactionsCommitted: 0,
    fences: 0,
    deadLettered: 0,
    duplicatesDropped: 0
  }

  reset(): void {
    for (const name of Object.keys(this.counters) as (keyof typeof this.counters)[]) this.counters[name] = 0
  }

  committed({ records, bytes, repeated, dead }: Composed): void {
    this.counters.transactionsCommitted++
    this.counters.recordsWritten += records
    this.counters.bytesWritten += bytes
    this.counters.duplicatesDropped += repeated
    this.counters.deadLettered += dead
  }
}

type Scope = TaskScope<undefined, IngestCommand, IngestReport>
type Step = Exclude<IngestCommand, { readonly type: 'take' }>

/** Events in one transaction: their ids must fit into one record. */
const LINES_MAX = 10_000

export function createIngestWriter(options: IngestWriterOptions) {
  return fromTask<void, undefined, IngestCommand, IngestReport>((scope) =>
    new IngestWriter(options, scope).run()
  )
}

class IngestWriter {
  readonly #options: IngestWriterOptions
  readonly #signal: AbortSignal
  readonly #report: (event: IngestReport) => void
  readonly #session: TransactionSession
  readonly #steps: Step[] = []
  readonly #bell = new Bell()
  #window: RecentIds | undefined
  /** Not in a transaction yet. */
  #waiting: FeedChunk[] = []
  /** In the open transaction. */
  #taken: FeedChunk[] = []
  #composed: Composed | undefined

  constructor(options: IngestWriterOptions, { signal, report, receive }: Scope) {
    this.#options = options
    this.#signal = signal
    this.#report = report
    this.#session = new TransactionSession({
      cluster: options.cluster,
      transactionalId: options.transactionalId,
      timeoutMs: options.transactionTimeoutMs,
      onState: (state) => {
        if (state !== 'markersPending') return
        const reason = `markers of the former transaction of ${options.transactionalId} are not written yet`
        report({ type: 'writer.waiting', on: 'markersPending', reason })
      }
    })
    receive((command) => this.#obey(command))
  }

  async run(): Promise<void> {
    try {
      await this.#session.fence(this.#signal)
      this.#options.stats.counters.fences++
      this.#report({ type: 'writer.fenced' })
      const { cursor } = await this.#restore()
      this.#report({ type: 'writer.restored', cursor })
      for (;;) {
        const step = this.#steps.shift()
        if (step === undefined) await this.#bell.wait(Number.POSITIVE_INFINITY, this.#signal)
        else await this.#perform(step)
      }
    } catch (error) {
      const fault = toFault(error)
      // What escalates is logged by whoever it reaches.
      if (!this.#signal.aborted && isDoubt(fault)) {
        this.#options.log.warn({ err: fault }, 'the ingest recovers: its transaction is in doubt')
      }
      throw error
    } finally {
      this.#session.destroy()
      for (const { lease } of [...this.#taken, ...this.#waiting]) lease.release()
    }
  }

  #obey(command: IngestCommand): void {
    if (command.type !== 'take') {
      this.#steps.push(command)
      this.#bell.ring()
      return
    }
    this.#waiting.push(command.chunk)
    this.#options.stats.counters.recordsRead += command.chunk.lines.length
    this.#report({ type: 'writer.took', held: this.#held() })
  }

  async #perform(step: Step): Promise<void> {
    switch (step.type) {
      case 'add':
        return this.#add()
      case 'produce':
        return this.#produce()
      case 'commit':
        return this.#commit()
    }
  }

  async #add(): Promise<void> {
    const { source, topics, now } = this.#options
    this.#taken = this.#nextChunks()
    const composed = compose(this.#taken, source, topics(), this.#window, now())
    this.#composed = composed
    for (const { fault } of await this.#session.add(composed.batches, this.#signal)) {
      if (fault !== undefined) throw fault
    }
    this.#report({ type: 'writer.added', held: this.#held() })
  }

  async #produce(): Promise<void> {
    for (const { fault } of await this.#session.produce(this.#composed?.batches ?? [], this.#signal)) {
      if (fault !== undefined) throw fault
    }
    for (const { lease } of this.#taken) lease.release()
    this.#report({ type: 'writer.produced' })
  }

  async #commit(): Promise<void> {
    await this.#session.commit(this.#signal)
    if (this.#composed === undefined) return
    this.#options.stats.committed(this.#composed)
    this.#report({ type: 'writer.committed', cursor: this.#composed.cursor })
  }

  /** At least one chunk, and more until the batch is large enough. */
  #nextChunks(): FeedChunk[] {
    let [count, bytes, lines] = [0, 0, 0]
    for (const chunk of this.#waiting) {
      if (count > 0 && (bytes >= this.#options.batchBytes || lines + chunk.lines.length > LINES_MAX)) break
      count++
      bytes += chunk.bytes
      lines += chunk.lines.length
    }
    return this.#waiting.splice(0, count)
  }

  #held(): Held {
    let [lines, bytes] = [0, 0]
    for (const chunk of this.#waiting) {
      lines += chunk.lines.length
      bytes += chunk.bytes
    }
    return { lines, bytes }
  }

  async #restore(): Promise<Restored> {
    const { cluster, source, topics, transactionTimeoutMs, recentIdsMs, now } = this.#options
    const { positionsTopic: topic } = topics()
    const restored = new Restored(source)
    await readInternal({
      cluster,
      topic,
      partition: 0,
      signal: this.#signal,
      transactionTimeoutMs,
      onRecord: ({ key, value }) => restored.read(key, value),
      onWaiting: (reason) => this.#report({ type: 'writer.waiting', on: 'hangingTransaction', reason })
    })
    if (recentIdsMs !== undefined) {
      this.#window = new RecentIds({ keepMs: recentIdsMs }, [...restored.slots.values()], now())
    }
    return restored
  }
}
