import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Framing, type Piece, tcpFraming } from './framing.ts'

/** What the proxy does to a connection or a request. */
export type ProxyFault =
  /** It goes through; for rules that shield what later rules would hit. */
  | 'pass'
  /** Connection: reset as soon as it is there. */
  | 'refuse'
  /** Connection: so many bytes go through in one direction, then both sides are closed. */
  | { readonly cut: Cut }
  /** Connection or request: nothing goes through any more, in either direction, and nothing is closed. */
  | 'hang'
  /** Request: half of what came of it goes through, then both sides are reset. */
  | 'reset'
  /** Request: it does not go through, and the connection is closed. */
  | 'fail-before'
  /** Request: it goes through; in place of its answer the connection is closed. */
  | 'lose-reply'
  /** Request: it goes through that much later, and what follows it on its connection behind it. */
  | { readonly delayMs: number }
  /** Request, HTTP only: it does not go through and is answered with this. */
  | { readonly answer: HttpAnswer }

/** In bytes. */
export interface Cut {
  readonly upAfter?: number
  readonly downAfter?: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A fault, whom it meets and how often. */
export interface ProxyRule {
  readonly fault: ProxyFault
  /** `hang` meets requests by default, and with `connection` new connections; the others know what they meet. */
  readonly at?: 'connection' | 'request'
  /** Requests named so by the framing, such as /^EndTxn$/ or /^PUT .*partNumber=2/; all by default. */
  readonly match?: RegExp
  /** So many are spared first: 0 by default. */
  readonly skip?: number
  /** So many are met; all by default. */
  readonly times?: number
}

/** A rule that is set. */
export interface SetRule {
  /** How many connections or requests it has met so far. */
  readonly hits: number
  remove(): void
}

/** What S3 answers when it wants less of us; `503 SlowDown` of its list of error responses. */
export const slowDown: HttpAnswer = {
  status: 503,
  headers: { 'content-type': 'application/xml' },
  body: '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
}

export interface ProxyOptions {
  readonly port: number
  readonly host?: string
  readonly framing?: Framing
  /** The proxy's own port; a free one by default. */
  readonly listen?: number
}

interface Waiting extends ProxyRule {
  skipped: number
  hits: number
}

/**
 * A listener on loopback that passes bytes to a service unchanged, until a rule says otherwise. The first rule that fits
 * and still has hits to give decides.
 */
export class TcpProxy {
  readonly port: number
  readonly address: string
  readonly options: ProxyOptions
  readonly #server: Server
  readonly #rules = new Set<Waiting>()
  readonly #connections = new Set<Connection>()

  private constructor(server: Server, options: ProxyOptions) {
    this.#server = server
    this.options = options
    this.port = (server.address() as AddressInfo).port
    this.address = `127.0.0.1:${this.port}`
    server.on('connection', (client: Socket) => this.#connected(client))
  }

  static async start(options: ProxyOptions): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(options.listen ?? 0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, options)
  }

  /** How many connections are open through it. */
  get open(): number {
    return this.#connections.size
  }

  set(rule: ProxyRule): SetRule {
    const waiting: Waiting = { ...rule, skipped: 0, hits: 0 }
    this.#rules.add(waiting)
    return {
      get hits() {
        return waiting.hits
      },
      remove: () => this.#rules.delete(waiting)
    }
  }

  /** Removes all rules. Connections that hang go on hanging until they are cut. */
  clear(): void {
    this.#rules.clear()
  }

  /** Resets all connections that are open now. */
  cut(): void {
    for (const connection of this.#connections) connection.reset()
  }

  async stop(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  decide(at: 'connection' | 'request', name: string): ProxyFault {
    for (const rule of this.#rules) {
      if (placeOf(rule) !== at || rule.match?.test(name) === false) continue
      if (rule.hits >= (rule.times ?? Number.POSITIVE_INFINITY)) continue
      if (rule.skipped < (rule.skip ?? 0)) {
        rule.skipped++
        continue
      }
      rule.hits++
      return rule.fault
    }
    return 'pass'
  }

  #connected(client: Socket): void {
    const fault = this.decide('connection', 'connection')
    client.on('error', () => {})
    if (fault === 'refuse') {
      client.resetAndDestroy()
      return
    }
    const connection = new Connection(client, this, fault)
    this.#connections.add(connection)
    void connection.run().finally(() => this.#connections.delete(connection))
  }
}

function placeOf({ fault, at }: ProxyRule): 'connection' | 'request' {
  if (at !== undefined) return at
  const isOfConnections = fault === 'refuse' || (typeof fault === 'object' && 'cut' in fault)
  return isOfConnections ? 'connection' : 'request'
}

interface Swallowing {
  readonly answer: HttpAnswer
  isTold: boolean
}

class Connection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #proxy: TcpProxy
  readonly #left: { up: number; down: number }
  #hangs: boolean
  #state: 'open' | 'closing' = 'open'
  /** Requests passed on and answers passed back. */
  #asked = 0
  #answered = 0
  /** Which answer, counted from 0, is lost. */
  #losing: number | undefined
  /** Nothing goes through any more; what the sender is told when its request is whole. */
  #swallowing: Swallowing | undefined

  constructor(client: Socket, proxy: TcpProxy, fault: ProxyFault) {
    this.#client = client
    this.#proxy = proxy
    const { host = '127.0.0.1', port } = proxy.options
    this.#server = connect({ host, port, allowHalfOpen: true, noDelay: true })
    this.#server.on('error', () => {})
    this.#hangs = fault === 'hang'
    const { upAfter, downAfter }: Cut = typeof fault === 'object' && 'cut' in fault ? fault.cut : {}
    this.#left = { up: upAfter ?? Number.POSITIVE_INFINITY, down: downAfter ?? Number.POSITIVE_INFINITY }
  }

  /** Passes bytes both ways until both sides have ended or one is lost. */
  async run(): Promise<void> {
    const { requests, answers } = this.#proxy.options.framing ?? tcpFraming
    const up = this.#pump(this.#client, this.#server, requests(), (piece) => this.#up(piece))
    const down = this.#pump(this.#server, this.#client, answers(), (piece) => this.#down(piece))
    const lost = () => {
      // Whoever talks to a side that hangs does not hear that the other one is gone.
      if (this.#state === 'open' && !this.#hangs) this.reset()
    }
    await Promise.all([up.catch(lost), down.catch(lost)])
    this.#close()
  }

  reset(): void {
    this.#state = 'closing'
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  async #pump(
    from: Socket,
    to: Socket,
    split: (chunk: Buffer) => Piece[],
    pass: (piece: Piece) => Promise<void>
  ): Promise<void> {
    for await (const chunk of from.iterator({ destroyOnReturn: false }))
      for (const piece of split(chunk)) await pass(piece)
    if (!this.#hangs) to.end()
  }

  async #up(piece: Piece): Promise<void> {
    if (piece.begins !== undefined && !this.#hangs) await this.#begin(piece.begins, piece)
    if (this.#swallowing !== undefined) this.#swallow(this.#swallowing, piece)
    else await this.#write(this.#server, 'up', piece.bytes)
  }

  async #begin(name: string, { bytes }: Piece): Promise<void> {
    const fault = this.#proxy.decide('request', name)
    if (fault === 'hang') this.#hangs = true
    else if (fault === 'reset') {
      await this.#write(this.#server, 'up', bytes.subarray(0, bytes.length >> 1))
      this.reset()
    } else if (fault === 'fail-before') this.#close()
    else if (fault === 'lose-reply') this.#losing ??= this.#isPipelined ? this.#asked : this.#answered
    else if (typeof fault === 'object' && 'delayMs' in fault) await pause(fault.delayMs)
    else if (typeof fault === 'object' && 'answer' in fault) {
      this.#swallowing ??= { answer: fault.answer, isTold: false }
    }
    this.#asked++
  }

  /** A request that waits for permission (Expect) is told at once; another one when it is whole and its sender listens. */
  #swallow(
    swallowing: { readonly answer: HttpAnswer; isTold: boolean },
    { bytes, begins, ends }: Piece
  ): void {
    const waits = begins !== undefined && /^expect: *100/im.test(bytes.toString('latin1'))
    if (swallowing.isTold || !(ends || waits)) return
    swallowing.isTold = true
    this.#client.end(written(swallowing.answer))
  }

  async #down({ bytes, begins }: Piece): Promise<void> {
    if (begins !== undefined) {
      if (this.#losing !== undefined && this.#answered >= this.#losing) return this.#close()
      this.#answered++
    }
    await this.#write(this.#client, 'down', bytes)
  }

  async #write(to: Socket, direction: 'up' | 'down', bytes: Buffer): Promise<void> {
    if (this.#hangs || this.#state === 'closing' || !to.writable) return
    const allowed = bytes.subarray(0, this.#left[direction])
    this.#left[direction] -= allowed.length
    if (!to.write(allowed)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    if (this.#left[direction] === 0) this.#close()
  }

  /** Ends both sides once what was written has gone out. */
  #close(): void {
    this.#state = 'closing'
    this.#client.destroySoon()
    this.#server.destroySoon()
  }

  get #isPipelined(): boolean {
    return this.#proxy.options.framing?.pipelined === true
  }
}

function written({ status, headers = {}, body = '' }: HttpAnswer): string {
  const all = { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} By rule\r\n${lines.join('')}\r\n${body}`
}
