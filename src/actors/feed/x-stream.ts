import { setTimeout as pause } from 'node:timers/promises'
import { Fault, toFault } from '../../errors.ts'
import type { ByteBudget } from '../budget.ts'
import { fromTask } from '../task.ts'
import {
  chunkOf,
  type FeedInput,
  type FeedLine,
  type FeedReport,
  type FeedStatus,
  LINE_BYTES_MAX
} from './feed.ts'
import { LineSplitter } from './lines.ts'
import { type Ending, Reconnect } from './x-reconnect.ts'
import { syncRules } from './x-rules.ts'

/**
 * Events of an X API v2 filtered stream. It has no cursor: every connection asks for the last minutes again
 * (`backfill_minutes`), and the ids of the last minutes, kept by the writer, drop the repeats.
 *
 * Reading waits for the budget, so that pressure reaches the socket; a stream that is silent for longer than its
 * keep-alives is dead. Faults that escalate: `x-unauthorized` (401, 403), `x-request-refused` (another 4xx) and
 * `x-rule-refused`. Everything else is tried again as X asks for.
 */
export interface XStreamOptions {
  /** Base URL without a trailing slash. */
  readonly url: string
  readonly token: { reveal(): string }
  readonly keywords: readonly string[]
  /** Marks our rules among those of the project. */
  readonly tag: string
  /** 0 asks for none. */
  readonly backfillMinutes: number
  readonly budget: ByteBudget
  readonly now: () => number
  /** Silence after which a connection is dead, in milliseconds: X sends a blank line every 20 s. */
  readonly silenceMs?: number
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

type Report = (event: FeedReport) => void

const SILENCE_MS = 21_000
/** What one read may bring: the size of undici's buffers. */
const READ_BYTES = 64 * 1024
const KEPT_BYTES = 64 * 1024
/** The fields that the tweet columns are made of. */
const FIELDS = {
  'tweet.fields': 'author_id,created_at,in_reply_to_user_id,lang,public_metrics,referenced_tweets,source',
  expansions: 'author_id',
  'user.fields': 'description,location,name,public_metrics,username'
} as const

export function createXStream(options: XStreamOptions) {
  return fromTask<void, FeedInput, never, FeedReport>(async ({ signal, report }) => {
    const reconnect = new Reconnect()
    const wait = options.pause ?? ((ms, ending) => pause(ms, undefined, { signal: ending }))
    while (!signal.aborted) {
      say(report, 'connecting', options.url)
      const { ending, reason } = await connectOnce(options, signal, report)
      const waitMs = reconnect.after(ending)
      say(report, 'waiting', `${waitMs} ms: ${reason}`)
      if (waitMs > 0) await wait(waitMs, signal)
    }
  })
}

interface Ended {
  readonly ending: Ending
  readonly reason: string
}

/** One connection from its rules to its end. Rejects only with what no retry can help. */
async function connectOnce(options: XStreamOptions, signal: AbortSignal, report: Report): Promise<Ended> {
  const connection = new Connection(options, signal)
  // One that ends before anything came was not up: connecting at once, again and again, would help nobody.
  const ending = (): Ending => ({ type: connection.hasStreamed ? 'streamed' : 'network' })
  try {
    await syncRules((request) => connection.askRules(request), options.keywords, options.tag)
    const body = await connection.stream()
    say(report, 'streaming', options.url)
    const reason = await readLines(body, connection, options, signal, report)
    return { ending: ending(), reason }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof HttpFault)
      return { ending: { type: 'http', status: error.status }, reason: error.message }
    const fault = toFault(connection.silence ?? error)
    if (!fault.retryable && !isNetwork(error)) throw fault
    return { ending: ending(), reason: fault.message }
  } finally {
    connection.close()
  }
}

/** Reads until the stream ends; resolves with why it did. */
async function readLines(
  body: ReadableStream<Uint8Array>,
  connection: Connection,
  { budget, now }: XStreamOptions,
  signal: AbortSignal,
  report: Report
): Promise<string> {
  const splitter = new LineSplitter(
    { lineBytesMax: LINE_BYTES_MAX, keptBytes: KEPT_BYTES },
    { line: 1, offset: 0 }
  )
  const reader = body.getReader()
  for (;;) {
    // While we do not read, silence is ours.
    connection.rest()
    const credit = await budget.take(READ_BYTES + splitter.openBytes, signal)
    connection.listen()
    try {
      const { value } = await reader.read()
      // What nobody takes any more must not be leased.
      signal.throwIfAborted()
      if (value === undefined) return 'the stream ended'
      const lines = splitter.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
      const events = lines.filter((line) => !isNotice(line))
      if (events.length > 0) {
        report({ type: 'feed.chunk', chunk: chunkOf(events, { receivedAt: now() }, budget) })
      }
      const notice = lines.find(isNotice)
      if (notice !== undefined) return `X said ${notice.bytes.toString('utf8', 0, 500)}`
      connection.hasStreamed = true
    } finally {
      credit.release()
    }
  }
}

/** The requests of one connection, its end in common, and its watch over silence. */
class Connection {
  readonly #options: XStreamOptions
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  #timer: NodeJS.Timeout | undefined
  /** Set when the connection was ended because nothing came. */
  silence: Fault | undefined
  /** Events or keep-alives have come. */
  hasStreamed = false

  constructor(options: XStreamOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = AbortSignal.any([signal, this.#abort.signal])
    this.listen()
  }

  /** The watch begins (again). */
  listen(): void {
    this.rest()
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS
    this.#timer = setTimeout(() => {
      this.silence = new Fault('x-silent', `nothing came for ${silenceMs} ms`, { retryable: true })
      this.#abort.abort(this.silence)
    }, silenceMs)
  }

  rest(): void {
    clearTimeout(this.#timer)
  }

  close(): void {
    this.rest()
    this.#abort.abort()
  }

  async askRules(request: { readonly method: 'GET' | 'POST'; readonly body?: unknown }): Promise<unknown> {
    const response = await this.#fetch('/2/tweets/search/stream/rules', {
      method: request.method,
      ...(request.body === undefined
        ? {}
        : { body: JSON.stringify(request.body), headers: { 'content-type': 'application/json' } })
    })
    return response.json()
  }

  async stream(): Promise<ReadableStream<Uint8Array>> {
    const { backfillMinutes } = this.#options
    const query = new URLSearchParams(FIELDS)
    if (backfillMinutes > 0) query.set('backfill_minutes', String(backfillMinutes))
    const { body } = await this.#fetch(`/2/tweets/search/stream?${query}`, { method: 'GET' })
    if (body === null) throw new Fault('x-no-body', 'the stream has no body', { retryable: true })
    return body
  }

  async #fetch(path: string, request: RequestInit): Promise<Response> {
    const { url, token } = this.#options
    const headers = { ...request.headers, authorization: `Bearer ${token.reveal()}` }
    const response = await fetch(`${url}${path}`, { ...request, headers, signal: this.#signal })
    this.listen()
    if (response.ok) return response
    const said = (await response.text().catch(() => '')).slice(0, 500)
    throw refusal(response.status, `${url} answered ${response.status}: ${said}`)
  }
}

/** An answer after which the same request may be made again. */
class HttpFault extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function refusal(status: number, message: string): Error {
  if (status === 401 || status === 403) return new Fault('x-unauthorized', message)
  if (status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 429) {
    return new Fault('x-request-refused', message)
  }
  return new HttpFault(status, message)
}

/** fetch wraps what went wrong on the way in a TypeError. */
function isNetwork(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error
}

/** X says on the stream itself why it ends it: a document of errors without data. */
function isNotice(line: FeedLine): boolean {
  return line.bytes.subarray(0, 9).toString('latin1') === '{"errors"'
}

function say(report: Report, state: FeedStatus['state'], reason: string): void {
  report({ type: 'feed.status', status: { state, reason } })
}
