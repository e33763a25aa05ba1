import { Fault, toFault } from '../../errors.ts'
import type { ByteBudget, Lease } from '../budget.ts'
import { AnswerMemory, type BufferPool } from './answer-memory.ts'
import { Bell } from './bell.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { type FetchAnswer, fetchApi, type PartitionAnswer } from './fetch.ts'
import { FetchSession, type SessionRequest } from './fetch-session.ts'
import type { FetchedSlice } from './fetcher.ts'
import { leaderEpochApi, OFFSET_FOR_LEADER_EPOCH, OFFSET_FOR_LEADER_EPOCH_VERSION } from './leader-epoch.ts'
import type { Link } from './link.ts'
import { tp } from './topic-partition.ts'
import type { Tracked } from './tracked.ts'
import { backoffMs, pause } from './waiting.ts'
import { wholeBatches } from './whole-batches.ts'

export interface NodeFetcherOptions {
  readonly node: number
  readonly cluster: Cluster
  readonly budget: ByteBudget
  readonly pool: BufferPool | undefined
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  readonly maxWaitMs: number
  /** Slices of one partition that may be held at once. */
  readonly heldMax: number
  readonly signal: AbortSignal
  /** Every assigned partition whose leader this node is, paused ones included. */
  readonly led: () => Tracked[]
  readonly find: (key: string) => Tracked | undefined
  readonly deliver: (slices: readonly FetchedSlice[]) => void
  readonly faulted: (tracked: Tracked, fault: Fault) => void
  /** Some partitions have no leader any more. */
  readonly displaced: () => void
}

const OFFSET_OUT_OF_RANGE = 1
const NO_SESSION = { sessionId: 0, sessionEpoch: -1, forgotten: [] } as const
const IDLE_BYTES = 64 * 1024
const STARVED_AFTER = 2
/**
 * A fetch costs both sides something for each partition in it, whether it has news or not. One that found little is
 * followed by the next only after a rest of so long, so that the loop does not spin over thousands of partitions.
 */
const REST_MS_PER_PARTITION = 0.02
const REST_MS_MAX = 50
/** The part of an answer that counts as little: with more, catching up matters and what is to be gained by a rest does not. */
const LITTLE = 1 / 4
/** After a fetch of its own that brought nothing either, a partition waits so many answers for the next. */
const NOT_STARVED_FOR = -8
/** A broker without news answers so soon while a partition is left out of the request that may be wanted again at any moment. */
const WITHHOLDING_MS = 5

/** Fetches from one broker, one request at a time, until its signal aborts. Rejects only with what cannot be retried. */
export class NodeFetcher {
  readonly #options: NodeFetcherOptions
  readonly #bell = new Bell()
  readonly #session = new FetchSession()
  #link: Link | undefined
  #failures = 0
  /** Bytes of the last answer. After an empty one the next will probably be, too: its wait should not hold much of the budget. */
  #broughtBytes = 1
  /** The last request was for a starving partition: the next one is for all again. */
  #wasAlone = false

  constructor(options: NodeFetcherOptions) {
    this.#options = options
  }

  /** The set of led or paused partitions has changed. */
  wake(): void {
    this.#bell.ring()
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        if (this.#wanted().length === 0) await this.#bell.wait(Number.POSITIVE_INFINITY, signal)
        else await this.#turn()
      } catch (error) {
        if (signal.aborted) return
        await this.#recover(toFault(error))
      }
    }
  }

  #wanted(): Tracked[] {
    const { led, heldMax } = this.#options
    return led().filter(({ isPaused, held }) => !isPaused && held < heldMax)
  }

  /** Some partition is only left out until what it brought is released, which may be at any moment. */
  #isWithholding(): boolean {
    const { led, heldMax } = this.#options
    return led().some(({ isPaused, held }) => !isPaused && held >= heldMax)
  }

  async #turn(): Promise<void> {
    const { signal, budget, maxBytes, pool } = this.#options
    const link = await this.#connect()
    await this.#validate(link)
    const startedAt = performance.now()
    const askedBytes = this.#broughtBytes === 0 ? Math.min(IDLE_BYTES, maxBytes) : maxBytes
    const memory = new AnswerMemory(await budget.take(askedBytes, signal), budget, pool)
    const wanted = this.#wanted().filter(({ mustValidate }) => !mustValidate)
    const isStarving = ({ starved }: Tracked) => starved >= STARVED_AFTER
    const starving = this.#wasAlone ? undefined : wanted.find(isStarving)
    this.#wasAlone = starving !== undefined
    try {
      if (wanted.length === 0) return
      if (starving === undefined) await this.#fetchAll(link, wanted, askedBytes, memory)
      else await this.#fetchAlone(link, starving, memory)
      this.#failures = 0
    } finally {
      memory.release()
    }
    if (this.#wasAlone || this.#broughtBytes > maxBytes * LITTLE) return
    const restMs = Math.min(REST_MS_MAX, wanted.length * REST_MS_PER_PARTITION)
    const leftMs = startedAt + restMs - performance.now()
    if (leftMs >= 1) await this.#bell.wait(leftMs, signal)
  }

  async #fetchAll(
    link: Link,
    wanted: readonly Tracked[],
    maxBytes: number,
    memory: AnswerMemory
  ): Promise<void> {
    const { partitionMaxBytes } = this.#options
    const maxWaitMs = this.#isWithholding() ? WITHHOLDING_MS : this.#options.maxWaitMs
    const request = this.#session.next(wanted.map((one) => one.request(partitionMaxBytes)))
    const answer = await this.#fetch(link, { ...request, maxWaitMs, maxBytes }, memory)
    if (!this.#session.accept(answer)) {
      // Evicted once in a while is normal. Twice in a row the broker is out of step: do not spin.
      if (this.#failures++ > 0) await pause(backoffMs(this.#failures), this.#options.signal)
      return
    }
    if (answer.error !== 0) throw kafkaFault(answer.error, `fetch from ${link.address}`)
    const isCurrent = (tracked: Tracked) => this.#session.positionOf(tracked.key) === tracked.position
    this.#take(answer, memory, isCurrent)
    // Of a full answer the rest has its turn in the next ones: who has had some goes to the end of the order.
    if (this.#broughtBytes < maxBytes / 2) this.#countStarved(wanted, answer)
  }

  /**
   * Only the first partition with data may exceed the limits: one whose next batch is larger than its share comes back
   * empty for as long as others have data, unless it is asked for alone.
   */
  async #fetchAlone(link: Link, starving: Tracked, memory: AnswerMemory): Promise<void> {
    const partition = starving.request(this.#options.maxBytes)
    const { maxBytes } = this.#options
    const request = { ...NO_SESSION, partitions: [partition], maxWaitMs: 0, maxBytes }
    const answer = await this.#fetch(link, request, memory)
    if (answer.error !== 0) throw kafkaFault(answer.error, `fetch from ${link.address}`)
    this.#take(
      answer,
      memory,
      (tracked) => tracked === starving && tracked.position === partition.fetchOffset
    )
    if (starving.position === partition.fetchOffset) starving.starved = NOT_STARVED_FOR
  }

  async #fetch(
    link: Link,
    request: SessionRequest & { readonly maxWaitMs: number; readonly maxBytes: number },
    memory: AnswerMemory
  ): Promise<FetchAnswer> {
    const answer = await link.call(fetchApi({ ...request, minBytes: 1, isolation: 1 }), {
      timeoutMs: request.maxWaitMs + this.#options.cluster.requestTimeoutMs,
      allocate: (bytes) => memory.allocate(bytes)
    })
    this.#broughtBytes = answer.partitions.reduce((sum, { recordSet }) => sum + recordSet.length, 0)
    return answer
  }

  #take(answer: FetchAnswer, memory: AnswerMemory, isCurrent: (tracked: Tracked) => boolean): void {
    const slices: FetchedSlice[] = []
    for (const one of answer.partitions) {
      const tracked = this.#options.find(tp(one.topic, one.partition))
      // Released, assigned anew, moved or paused while the answer was under way: these bytes are nobody's.
      if (tracked?.node !== this.#options.node || tracked.isPaused || !isCurrent(tracked)) continue
      if (one.error !== 0) this.#refused(one.error, tracked)
      else {
        const slice = this.#advance(one, tracked, memory)
        if (slice !== undefined) slices.push(slice)
      }
    }
    if (slices.length > 0) this.#options.deliver(slices)
  }

  /** Moves the position over what came; `undefined` when nothing is new. */
  #advance(one: PartitionAnswer, tracked: Tracked, memory: AnswerMemory): FetchedSlice | undefined {
    const fetchOffset = tracked.position
    let whole: ReturnType<typeof wholeBatches>
    try {
      whole = wholeBatches(one.recordSet, fetchOffset)
    } catch (error) {
      this.#options.faulted(tracked, toFault(error))
      return undefined
    }
    const { highWatermark, lastStableOffset, logStartOffset } = one
    const isNews =
      whole.bytes > 0 ||
      highWatermark !== tracked.highWatermark ||
      lastStableOffset !== tracked.lastStableOffset ||
      logStartOffset !== tracked.logStartOffset
    Object.assign(tracked, { highWatermark, lastStableOffset, logStartOffset, failures: 0 })
    if (!isNews) return undefined
    if (whole.bytes > 0) {
      tracked.position = whole.nextOffset
      tracked.lastEpoch = whole.leaderEpoch
      tracked.starved = 0
    }
    const { topic, partition, generation, topicId, leaderEpoch } = tracked
    return {
      topic,
      partition,
      generation,
      fetchOffset,
      recordSet: one.recordSet.subarray(0, whole.bytes),
      nextOffset: tracked.position,
      aborted: one.aborted,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      topicId,
      leaderEpoch,
      lease: whole.bytes > 0 ? this.#hold(tracked, whole.bytes, memory) : noLease
    }
  }

  #hold(tracked: Tracked, bytes: number, memory: AnswerMemory): Lease {
    tracked.held++
    return memory.share(bytes, () => {
      if (tracked.held-- === this.#options.heldMax) this.#bell.ring()
    })
  }

  #countStarved(wanted: readonly Tracked[], answer: FetchAnswer): void {
    const fed = new Set(
      answer.partitions
        .filter(({ recordSet }) => recordSet.length > 0)
        .map((one) => tp(one.topic, one.partition))
    )
    for (const tracked of wanted) {
      if (fed.has(tracked.key)) continue
      tracked.starved = tracked.lastStableOffset > tracked.position ? tracked.starved + 1 : 0
    }
  }

  #refused(code: number, tracked: Tracked): void {
    const name = tp(tracked.topic, tracked.partition)
    const fault = kafkaFault(code, `${name} at offset ${tracked.position}`)
    if (code === OFFSET_OUT_OF_RANGE) {
      const what = `${name}: offset ${tracked.position} is not in the leader's log`
      this.#options.faulted(tracked, new Fault('offset-out-of-range', what, { cause: fault }))
    } else if (fault.retryable) {
      tracked.displace()
      this.#options.displaced()
    } else {
      this.#options.faulted(tracked, fault)
    }
  }

  /** After a change of leader: does the new leader's log hold what the old one gave us? */
  async #validate(link: Link): Promise<void> {
    const doubted = this.#wanted().filter(({ mustValidate }) => mustValidate)
    if (doubted.length === 0) return
    if ((link.version(OFFSET_FOR_LEADER_EPOCH) ?? -1) < OFFSET_FOR_LEADER_EPOCH_VERSION) {
      for (const tracked of doubted) tracked.mustValidate = false
      return
    }
    const queries = doubted.map(({ topic, partition, leaderEpoch: currentLeaderEpoch, lastEpoch }) => ({
      topic,
      partition,
      currentLeaderEpoch,
      leaderEpoch: lastEpoch
    }))
    for (const end of await link.call(leaderEpochApi(queries))) {
      const tracked = doubted.find((one) => one.topic === end.topic && one.partition === end.partition)
      if (tracked === undefined || this.#options.find(tp(end.topic, end.partition)) !== tracked) continue
      if (end.error !== 0) this.#refused(end.error, tracked)
      else if (end.endOffset >= tracked.position) tracked.mustValidate = false
      else this.#options.faulted(tracked, diverged(tracked, end.endOffset))
    }
  }

  async #connect(): Promise<Link> {
    const { cluster, node, signal } = this.#options
    if (this.#link?.alive === true) return this.#link
    this.#session.reset()
    this.#link = await cluster.open(node, signal)
    return this.#link
  }

  /** The broker is gone or out of step: let metadata say who leads its partitions now. */
  async #recover(fault: Fault): Promise<void> {
    const { signal, displaced, led } = this.#options
    this.#link?.destroy()
    this.#link = undefined
    if (!fault.retryable) throw fault
    for (const tracked of led()) tracked.displace()
    displaced()
    await pause(backoffMs(this.#failures++), signal).catch(() => {})
  }
}

const noLease = { bytes: 0, release() {} }

function diverged({ topic, partition, position, lastEpoch }: Tracked, endOffset: number): Fault {
  const what = `${tp(topic, partition)}: epoch ${lastEpoch} ends at ${endOffset}, but was read up to ${position}`
  return new Fault('log-diverged', what)
}
