import { timingSafeEqual } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Faults } from '../faults.ts'
import { isDiskFull, type Reply, startHttpService } from '../http-service.ts'
import { Delivery } from './delivery.ts'
import { Emission } from './emission.ts'
import { Pacer } from './pacer.ts'
import { invalidRequest, noRules, problem, tooManyConnections, unauthorized } from './problems.ts'
import { RuleBook } from './rules.ts'
import { changeRules, listRules } from './rules-endpoint.ts'
import { fileSource, generatedSource, type Source } from './source.ts'

export interface EventStreamOptions {
  readonly dataDir: string
  /** 0 or absent: any free port. */
  readonly port?: number
  /** The bearer token that clients must show. */
  readonly token: string
  /** Of the generator. */
  readonly seed: number
  /** The stream falls quiet after so many matching events over all its lives; absent: it never does. */
  readonly events?: number
  /** Events per second; absent: as fast as the client takes them. */
  readonly rate?: number
  /** A file of JSON lines to send, as they are and whatever the rules, instead of generated events. */
  readonly input?: string
  /** Subjects: `GET /2/tweets/search/stream` and the like without the query, and `EMIT <position>` (see `Delivery`). */
  readonly faults?: Faults
  /** Silence after which a keep-alive is sent; 20 s by default. */
  readonly keepAliveMs?: number
  /** A client that has taken nothing for so long is replaced by the next one that comes; 30 s by default. */
  readonly deadAfterMs?: number
  /** How long a second client waits for the first one's connection to end, before it is refused; 1 s by default. */
  readonly handoverMs?: number
  /** Monotonic clock in milliseconds: the stream clock's pace. */
  readonly now?: () => number
}

export interface EmbeddedEventStream {
  /** `http://127.0.0.1:<port>`: stands for `https://api.x.com`. */
  readonly url: string
  readonly port: number
  readonly faults: Faults
  /** Matching events sent so far, over all lives, each counted once. */
  emitted(): number
  /** Everything there is to send has been sent once. */
  finished(): boolean
  stop(): Promise<void>
}

const STREAM = '/2/tweets/search/stream'
const RULES = `${STREAM}/rules`
const BACKFILL_MINUTES_MAX = 5

/**
 * The filtered stream of the X API v2 on loopback, one client at a time. Events go out only while a client is connected,
 * at the pace it takes them; `backfill_minutes` replays, in order, at least everything sent in the last minutes of the
 * stream's clock, also over restarts on the same directory. Fields and expansions are always the generator's.
 */
export async function startEventStream(options: EventStreamOptions): Promise<EmbeddedEventStream> {
  mkdirSync(options.dataDir, { recursive: true })
  const now = options.now ?? (() => performance.now())
  const rules = new RuleBook(join(options.dataDir, 'rules.json'))
  const source =
    options.input === undefined ? generatedSource(options.seed, rules) : await fileSource(options.input)
  const emission = new Emission(join(options.dataDir, 'emission.ndjson'), now)
  const faults = options.faults ?? new Faults()
  const stream = new EventStream({ ...options, now, faults }, { rules, source, emission })
  const close = async () => {
    await source.close()
    emission.close()
  }
  const service = await startHttpService({
    port: options.port,
    faults,
    subject: (request) => `${request.method} ${request.url?.split('?')[0] ?? ''}`,
    handle: async (request, response) => await stream.handle(request, response),
    failed: (error) => {
      const [status, title] = isDiskFull(error)
        ? [503, 'Service Unavailable']
        : [500, 'Internal Server Error']
      return problem(Number(status), String(title), error instanceof Error ? error.message : String(error))
    },
    fault: (status, title) => problem(status, title ?? 'Injected Fault', title ?? 'Injected fault.')
  }).catch(async (error) => {
    await close()
    throw error
  })
  return {
    url: `http://127.0.0.1:${service.port}`,
    port: service.port,
    faults,
    emitted: () => emission.emitted,
    finished: () => stream.finished,
    stop: async () => {
      await service.stop()
      await stream.idle()
      await close()
    }
  }
}

interface Parts {
  readonly rules: RuleBook
  readonly source: Source
  readonly emission: Emission
}

class EventStream {
  readonly #options: EventStreamOptions & { readonly now: () => number; readonly faults: Faults }
  readonly #parts: Parts
  #delivery: Delivery | undefined
  #running: Promise<void> = Promise.resolve()
  #sourceEnded = false

  constructor(
    options: EventStreamOptions & { readonly now: () => number; readonly faults: Faults },
    parts: Parts
  ) {
    this.#options = options
    this.#parts = parts
  }

  get finished(): boolean {
    return this.#sourceEnded || this.#parts.emission.emitted >= (this.#options.events ?? Infinity)
  }

  /** Resolves when no client is served any more. */
  async idle(): Promise<void> {
    await this.#running
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> {
    const url = new URL(request.url ?? '/', 'http://stream')
    if (!isAuthorized(request, this.#options.token)) return unauthorized()
    const { rules } = this.#parts
    switch (`${request.method} ${url.pathname}`) {
      case `GET ${RULES}`:
        return listRules(rules, url.searchParams, Date.now())
      case `POST ${RULES}`:
        return await changeRules(rules, request, url.searchParams, Date.now())
      case `GET ${STREAM}`:
        return await this.#connect(url.searchParams, response)
      default:
        return problem(404, 'Not Found', `${request.method} ${url.pathname} is not known.`, 'notFound')
    }
  }

  async #connect(query: URLSearchParams, response: ServerResponse): Promise<Reply | undefined> {
    const minutes = Number(query.get('backfill_minutes') ?? 0)
    if (!Number.isInteger(minutes) || minutes < 0 || minutes > BACKFILL_MINUTES_MAX) {
      const values = { backfill_minutes: [query.get('backfill_minutes')] }
      return invalidRequest('The `backfill_minutes` query parameter value must be between 0 and 5.', values)
    }
    const { rules, source, emission } = this.#parts
    if (source.needsRules && rules.size === 0) return noRules()
    await this.#makeRoom()
    if (this.#delivery !== undefined) return tooManyConnections()
    if (response.destroyed) return undefined
    const { now, faults, rate, events, keepAliveMs } = this.#options
    const position = minutes > 0 ? emission.backfillFrom(minutes) : emission.position
    const delivery = new Delivery(response, position, {
      source,
      emission,
      pacer: new Pacer(rate, now),
      faults,
      events: events ?? Infinity,
      keepAliveMs: keepAliveMs ?? 20_000,
      now,
      hasRules: () => rules.size > 0,
      ended: () => {
        this.#sourceEnded = true
      }
    })
    this.#delivery = delivery
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
    response.flushHeaders()
    this.#running = delivery.run()
    void delivery.closed.then(() => {
      if (this.#delivery === delivery) this.#delivery = undefined
    })
    return undefined
  }

  /** Waits a little for another client's connection to end, and ends one that seems dead. */
  async #makeRoom(): Promise<void> {
    const other = this.#delivery
    if (other === undefined) return
    if (other.stalledMs >= (this.#options.deadAfterMs ?? 30_000)) other.end()
    await Promise.race([other.closed, delay(this.#options.handoverMs ?? 1000, undefined, { ref: false })])
  }
}

function isAuthorized(request: IncomingMessage, token: string): boolean {
  const shown = Buffer.from(request.headers.authorization ?? '')
  const expected = Buffer.from(`Bearer ${token}`)
  return shown.length === expected.length && timingSafeEqual(shown, expected)
}
