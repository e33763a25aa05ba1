import { codes } from './errors.ts'

const SESSIONS_MAX = 1000
const EPOCH_MAX = 0x7fffffff
/** Session epochs with a meaning of their own (KIP-227). */
const INITIAL = 0
const FINAL = -1

/** One partition of a fetch, as the client last asked for it. */
export interface SessionPartition {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly offset: number
  readonly maxBytes: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly partitions: readonly SessionPartition[]
  readonly forgotten: readonly { readonly topic: string; readonly partition: number }[]
}

/** What the client was last told of a partition; while it stays true there is no need to repeat it. */
interface Told {
  readonly highWatermark: number
  readonly startOffset: number
}

/** What the client hears of a partition now. */
export interface Tellable extends Told {
  readonly error: number
  readonly records: Buffer
}

/** The context of one fetch: what to read, and which answers to leave out. */
export interface FetchContext {
  /** Told to the client; 0 when there is no session. */
  readonly sessionId: number
  readonly partitions: () => readonly SessionPartition[]
  /** Whether the answer for this partition has to be sent; remembers that it was. */
  readonly tell: (partition: SessionPartition, answer: Tellable) => boolean
}

interface Session {
  readonly id: number
  nextEpoch: number
  /** In the order in which they are served: who got data goes to the end, so that nobody starves. */
  readonly partitions: Map<string, { wanted: SessionPartition; told: Told | undefined }>
}

/** Incremental fetch sessions (KIP-227): the client names only what changed, the broker answers only what is new. */
export class FetchSessions {
  /** The least recently used first. */
  readonly #sessions = new Map<number, Session>()
  #nextId = 1

  /** The context of a request, or the error code that ends its session. */
  open(request: SessionRequest): FetchContext | number {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === FINAL || sessionEpoch === INITIAL) {
      this.#sessions.delete(sessionId)
      return sessionEpoch === FINAL ? withoutSession(request.partitions) : this.#create(request)
    }
    const session = this.#sessions.get(sessionId)
    if (!session) return codes.FETCH_SESSION_ID_NOT_FOUND
    if (sessionEpoch !== session.nextEpoch) return codes.INVALID_FETCH_SESSION_EPOCH
    session.nextEpoch = sessionEpoch === EPOCH_MAX ? 1 : sessionEpoch + 1
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, session)
    for (const forgotten of request.forgotten) session.partitions.delete(keyOf(forgotten))
    for (const wanted of request.partitions) {
      session.partitions.set(keyOf(wanted), { wanted, told: session.partitions.get(keyOf(wanted))?.told })
    }
    return contextOf(session, true)
  }

  /** The partitions that a request is about, those it does not repeat included. */
  partitionsOf(request: SessionRequest): readonly SessionPartition[] {
    const session = request.sessionEpoch > INITIAL ? this.#sessions.get(request.sessionId) : undefined
    if (!session) return request.partitions
    const all = new Map([...session.partitions].map(([key, { wanted }]) => [key, wanted]))
    for (const forgotten of request.forgotten) all.delete(keyOf(forgotten))
    for (const wanted of request.partitions) all.set(keyOf(wanted), wanted)
    return [...all.values()]
  }

  #create(request: SessionRequest): FetchContext {
    if (request.partitions.length === 0) return withoutSession([])
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size >= SESSIONS_MAX && oldest !== undefined) this.#sessions.delete(oldest)
    const partitions = new Map(
      request.partitions.map((wanted) => [keyOf(wanted), { wanted, told: undefined }])
    )
    const session = { id: this.#nextId++, nextEpoch: 1, partitions }
    this.#sessions.set(session.id, session)
    return contextOf(session, false)
  }
}

function withoutSession(partitions: readonly SessionPartition[]): FetchContext {
  return { sessionId: 0, partitions: () => partitions, tell: () => true }
}

/** As in Kafka, the turns are taken from the second fetch of a session on. */
function contextOf(session: Session, takesTurns: boolean): FetchContext {
  const { id, partitions } = session
  return {
    sessionId: id,
    partitions: () => [...partitions.values()].map(({ wanted }) => wanted),
    tell: (wanted, answer) => {
      const key = keyOf(wanted)
      const known = partitions.get(key)
      if (!known) return true
      const { told } = known
      const { highWatermark, startOffset } = answer
      const hasNews =
        answer.error !== codes.NONE ||
        highWatermark !== told?.highWatermark ||
        startOffset !== told.startOffset
      known.told = { highWatermark, startOffset }
      if (takesTurns && answer.records.length > 0) {
        partitions.delete(key)
        partitions.set(key, known)
      }
      return hasNews || answer.records.length > 0
    }
  }
}

function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}
