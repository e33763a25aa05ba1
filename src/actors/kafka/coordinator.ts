import { toFault } from '../../errors.ts'
import type { Cluster } from './cluster.ts'
import type { CallOptions, Link } from './link.ts'
import { pause, unlessAborted } from './waiting.ts'

export interface CoordinatorOptions {
  readonly cluster: Cluster
  readonly transactionalId: string
  readonly requestTimeoutMs: number
  /** True while the coordinator answers that the former transaction's markers are not all written (51). */
  readonly onMarkersPending: (isPending: boolean) => void
}

export interface Question<A> {
  readonly ask: (link: Link, options: CallOptions) => Promise<A>
  /** Kafka's error code of the answer as a whole. */
  readonly codeOf: (answer: A) => number
  /** Whether a lost answer may simply be asked for again. Otherwise it is the caller's doubt. */
  readonly isRepeatable: boolean
}

const CONCURRENT_TRANSACTIONS = 51
/** Loading, not available, not coordinator: the request had no effect. */
const ELSEWHERE = new Set([14, 15, 16])
/** Writing the markers of a commit takes some milliseconds after its answer: not worth a state. */
const USUAL_MS = 100
const WAIT_MIN_MS = 5
const WAIT_MAX_MS = 500

/** The broker that coordinates one transactional id, found again when it moves. */
export class TransactionCoordinator {
  readonly #options: CoordinatorOptions
  #link: Promise<Link> | undefined
  #life = new AbortController()

  constructor(options: CoordinatorOptions) {
    this.#options = options
  }

  /**
   * Asks until the answer is anything but "not now" (14, 15, 16, 51); only `signal` ends that. Rejects with the link's
   * Fault when the answer was lost.
   */
  async ask<A>(question: Question<A>, signal: AbortSignal): Promise<A> {
    const { requestTimeoutMs: timeoutMs, onMarkersPending } = this.#options
    const askedAt = performance.now()
    try {
      for (let waitMs = WAIT_MIN_MS; ; waitMs = Math.min(2 * waitMs, WAIT_MAX_MS)) {
        const answer = await this.#once(question, { timeoutMs }, signal)
        const code = answer === undefined ? undefined : question.codeOf(answer)
        if (answer !== undefined && code !== CONCURRENT_TRANSACTIONS && !ELSEWHERE.has(code ?? 0))
          return answer
        const isPending = code === CONCURRENT_TRANSACTIONS
        onMarkersPending(isPending && performance.now() - askedAt > USUAL_MS)
        if (!isPending) await this.#drop()
        await pause(waitMs, signal)
      }
    } finally {
      onMarkersPending(false)
    }
  }

  /** Destroys the socket and resolves when it is closed. The next question opens another. */
  async destroy(): Promise<void> {
    this.#life.abort()
    this.#life = new AbortController()
    await this.#drop()
  }

  /** `undefined`: nothing was asked or, for a repeatable question, the answer was lost. */
  async #once<A>(question: Question<A>, options: CallOptions, signal: AbortSignal): Promise<A | undefined> {
    let link: Link
    try {
      link = await this.#connect(signal)
    } catch (error) {
      signal.throwIfAborted()
      const fault = toFault(error)
      if (fault.retryable) return undefined
      throw fault
    }
    try {
      return await unlessAborted(question.ask(link, options), signal)
    } catch (error) {
      signal.throwIfAborted()
      const fault = toFault(error)
      if (question.isRepeatable && fault.retryable) return undefined
      throw fault
    }
  }

  async #connect(signal: AbortSignal): Promise<Link> {
    const current = await this.#link?.catch(() => undefined)
    if (current?.alive === true) return current
    const { cluster, transactionalId } = this.#options
    const life = this.#life.signal
    const node = await cluster.coordinator('transaction', transactionalId, signal)
    life.throwIfAborted()
    this.#link = cluster.open(node, life)
    return unlessAborted(this.#link, signal)
  }

  async #drop(): Promise<void> {
    const link = await this.#link?.catch(() => undefined)
    this.#link = undefined
    link?.destroy()
    await link?.closed
  }
}
