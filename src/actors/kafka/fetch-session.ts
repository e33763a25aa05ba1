import type { FetchAnswer, PartitionRequest } from './fetch.ts'
import type { TopicPartition } from './topic-partition.ts'

/** A partition to be fetched. As long as nothing of it changes it had better be the same object. */
export interface WantedPartition extends PartitionRequest {
  /** `tp(topic, partition)` */
  readonly key: string
}

/** The part of a fetch request that says which partitions and within which session. */
export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly partitions: readonly PartitionRequest[]
  readonly forgotten: readonly TopicPartition[]
}

const SESSION_ID_NOT_FOUND = 70
const INVALID_SESSION_EPOCH = 71
const EPOCH_MAX = 2 ** 31 - 1
const NO_SESSION = 0
const NEW_SESSION = 0

/**
 * An incremental fetch session with one broker (KIP-227): the broker remembers what was asked, so that a request names
 * only what changed. Where it grants none (session id 0), every request is a full one.
 */
export class FetchSession {
  #id = NO_SESSION
  #epoch = NEW_SESSION
  readonly #known = new Map<string, Known>()
  /** Counts the requests. */
  #turn = 0

  /** @param wanted everything to be fetched now */
  next(wanted: readonly WantedPartition[]): SessionRequest {
    const isNew = this.#id === NO_SESSION
    const session = { sessionId: this.#id, sessionEpoch: this.#epoch }
    const changed = this.#learn(wanted)
    const forgotten = this.#forget(wanted.length)
    return isNew
      ? { ...session, partitions: this.#rotated(wanted), forgotten: [] }
      : { ...session, partitions: changed, forgotten }
  }

  /** Takes note of the answer. False when the session is gone: ask again, the next request is a full one. */
  accept({ error, sessionId }: FetchAnswer): boolean {
    if (error === SESSION_ID_NOT_FOUND || error === INVALID_SESSION_EPOCH) {
      this.reset()
      return false
    }
    this.#id = sessionId
    this.#epoch = sessionId === NO_SESSION ? NEW_SESSION : this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1
    return true
  }

  /**
   * The position the broker was asked to read a partition from, in this or an earlier request.
   *
   * @param key `tp(topic, partition)`
   */
  positionOf(key: string): number | undefined {
    return this.#known.get(key)?.request.fetchOffset
  }

  reset(): void {
    this.#id = NO_SESSION
    this.#epoch = NEW_SESSION
    this.#known.clear()
  }

  /** Remembers what is asked for; returns what the broker does not know yet. Runs over every partition at every fetch. */
  #learn(wanted: readonly WantedPartition[]): PartitionRequest[] {
    this.#turn++
    const changed: PartitionRequest[] = []
    for (const request of wanted) {
      const known = this.#known.get(request.key)
      if (known === undefined) {
        this.#known.set(request.key, { request, turn: this.#turn })
        changed.push(request)
        continue
      }
      known.turn = this.#turn
      if (isSame(request, known.request)) continue
      known.request = request
      changed.push(request)
    }
    return changed
  }

  #forget(wanted: number): TopicPartition[] {
    if (this.#known.size === wanted) return []
    const forgotten: TopicPartition[] = []
    for (const [key, { request, turn }] of this.#known) {
      if (turn === this.#turn) continue
      this.#known.delete(key)
      forgotten.push(request)
    }
    return forgotten
  }

  /** The broker fills the answer in the order of the request; within a session it rotates by itself. */
  #rotated(wanted: readonly PartitionRequest[]): readonly PartitionRequest[] {
    const start = wanted.length === 0 ? 0 : (this.#turn - 1) % wanted.length
    return [...wanted.slice(start), ...wanted.slice(0, start)]
  }
}

interface Known {
  request: WantedPartition
  turn: number
}

function isSame(one: PartitionRequest, other: PartitionRequest): boolean {
  return (
    one === other ||
    (one.fetchOffset === other.fetchOffset &&
      one.leaderEpoch === other.leaderEpoch &&
      one.maxBytes === other.maxBytes)
  )
}
