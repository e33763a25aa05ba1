import type { FetchAnswer, PartitionRequest } from './fetch.ts'
import { type TopicPartition, tp } from './topic-partition.ts'

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
  #known = new Map<string, PartitionRequest>()
  #rotation = 0

  /** @param wanted everything to be fetched now */
  next(wanted: readonly PartitionRequest[]): SessionRequest {
    const before = this.#known
    this.#known = new Map(wanted.map((one) => [tp(one.topic, one.partition), one]))
    const session = { sessionId: this.#id, sessionEpoch: this.#epoch }
    if (this.#id === NO_SESSION) return { ...session, partitions: this.#rotated(wanted), forgotten: [] }
    return {
      ...session,
      partitions: wanted.filter((one) => !isSame(one, before.get(tp(one.topic, one.partition)))),
      forgotten: [...before].filter(([key]) => !this.#known.has(key)).map(([, one]) => one)
    }
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

  /** The position the broker was asked to read a partition from, in this or an earlier request. */
  positionOf({ topic, partition }: TopicPartition): number | undefined {
    return this.#known.get(tp(topic, partition))?.fetchOffset
  }

  reset(): void {
    this.#id = NO_SESSION
    this.#epoch = NEW_SESSION
    this.#known = new Map()
  }

  /** The broker fills the answer in the order of the request; within a session it rotates by itself. */
  #rotated(wanted: readonly PartitionRequest[]): readonly PartitionRequest[] {
    const start = wanted.length === 0 ? 0 : this.#rotation++ % wanted.length
    return [...wanted.slice(start), ...wanted.slice(0, start)]
  }
}

function isSame(one: PartitionRequest, other: PartitionRequest | undefined): boolean {
  return (
    other !== undefined &&
    one.fetchOffset === other.fetchOffset &&
    one.leaderEpoch === other.leaderEpoch &&
    one.maxBytes === other.maxBytes
  )
}
