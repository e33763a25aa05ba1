import type { Fault } from '../../errors.ts'

/** One authenticated connection to one broker. Requests are answered in order; a timeout destroys the socket. */
export interface Link {
  /** `host:port` */
  readonly address: string
  /**
   * Sends a request and resolves with its decoded answer. Rejects with a retryable Fault (`link-closed`,
   * `request-timed-out`) when the outcome is unknown; the socket is destroyed then and so is every other request on it.
   */
  call<A>(api: Api<A>, options?: CallOptions): Promise<A>
  destroy(reason?: Error): void
  /** Resolves when the socket is closed: no buffer handed to `call` is referenced any longer. */
  readonly closed: Promise<Fault | undefined>
  /** The highest version of an API that the broker offers, `undefined` when it does not know the API. */
  version(apiKey: number): number | undefined
}

export interface CallOptions {
  readonly timeoutMs?: number
}

/** One request and how to read its answer. */
export interface Api<A> {
  readonly key: number
  readonly version: number
  readonly name: string
  /** The body in parts, written one after the other without being copied. */
  encode(): readonly Buffer[]
  /** @param body the answer after its header; it may be kept, nobody overwrites it. */
  decode(body: Buffer): A
  /** false for acks = 0 requests only. */
  readonly expectsReply?: boolean
  /** Request header v2 and response header v1 (tagged fields). */
  readonly flexible?: boolean
}
