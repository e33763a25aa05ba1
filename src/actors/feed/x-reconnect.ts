/** How a connection to the stream ended. */
export type Ending =
  /** Something had come over it. */
  | { readonly type: 'streamed' }
  /** No connection, no answer, or nothing over the stream. */
  | { readonly type: 'network' }
  | { readonly type: 'http'; readonly status: number }

const NETWORK_STEP_MS = 250
const NETWORK_MAX_MS = 16_000
const HTTP_MIN_MS = 5_000
const HTTP_MAX_MS = 320_000
const RATE_LIMIT_MIN_MS = 60_000
/** X counts connections in windows of fifteen minutes. */
const RATE_LIMIT_MAX_MS = 900_000

/**
 * When to connect again, as X asks for: at once after a stream that was up, then 250 ms more with each failure of the
 * network, 5 s doubling after an HTTP error, a minute doubling after 429.
 * Source: https://docs.x.com/x-api/posts/filtered-stream/integrate/consume-streaming-data
 */
export class Reconnect {
  #failures = 0
  #kind: Ending['type'] | 'rate-limit' = 'streamed'

  /** How long to wait after this ending, in milliseconds. */
  after(ending: Ending): number {
    const kind = ending.type === 'http' && ending.status === 429 ? 'rate-limit' : ending.type
    this.#failures = kind === this.#kind ? this.#failures + 1 : 1
    this.#kind = kind
    const doubled = 2 ** Math.min(this.#failures - 1, 30)
    switch (kind) {
      case 'streamed':
        return 0
      case 'network':
        return Math.min(NETWORK_MAX_MS, NETWORK_STEP_MS * this.#failures)
      case 'http':
        return Math.min(HTTP_MAX_MS, HTTP_MIN_MS * doubled)
      case 'rate-limit':
        return Math.min(RATE_LIMIT_MAX_MS, RATE_LIMIT_MIN_MS * doubled)
    }
  }
}
