import type { Socket } from 'node:net'
import { Fault, toFault } from '../../errors.ts'
import { type HandshakeOptions, handshake } from './handshake.ts'
import { type ConnectOptions, connect, type FramedSocket } from './socket.ts'
import { Writer } from './wire.ts'

/** One authenticated connection to one broker. Requests are answered in order; a timeout destroys the socket. */
export interface Link {
  /** `host:port` */
  readonly address: string
  /** False once the socket is on its way out: `call` would reject. */
  readonly alive: boolean
  /**
   * Sends a request and resolves with its decoded answer. Rejects with a retryable Fault (`link-closed`,
   * `request-timed-out`) when the outcome is unknown, and then only after the socket is closed: the request's buffers
   * are not referenced any longer. A request timeout takes all other requests on the link with it.
   */
  call<A>(api: Api<A>, options?: CallOptions): Promise<A>
  destroy(reason?: Error): void
  /** Resolves when the socket is closed, with why unless the owner wanted it. */
  readonly closed: Promise<Fault | undefined>
  /** The highest version of an API that the broker offers, `undefined` when it does not know the API. */
  version(apiKey: number): number | undefined
}

export interface CallOptions {
  readonly timeoutMs?: number
  /** Memory for the answer of so many bytes; fresh memory by default. */
  readonly allocate?: (bytes: number) => Buffer
}

/** One request and how to read its answer. */
export interface Api<A> {
  readonly key: number
  readonly version: number
  readonly name: string
  /** The body in parts, written one after the other without being copied. */
  encode(): readonly Buffer[]
  /** @param body the answer after its header, in the memory that `allocate` gave */
  decode(body: Buffer): A | Promise<A>
  /** Request header v2 and response header v1 (tagged fields). */
  readonly flexible?: boolean
}

export interface LinkOptions extends ConnectOptions, HandshakeOptions {
  readonly requestTimeoutMs: number
}

/**
 * Connects, lets kafkajs ask for the API versions and authenticate, then takes the socket over: framing, correlation and
 * timeouts are ours, and nothing of kafkajs stays behind. Rejects with `unreachable`, `connect-timed-out`,
 * `authentication-failed`, `tls-failed` or what `signal` was aborted with.
 */
export async function openLink(options: LinkOptions, signal: AbortSignal): Promise<Link> {
  const framed = await connect(options, signal)
  const onAbort = () => framed.socket.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const versions = await handshake(framed, options)
    signal.throwIfAborted()
    return new SocketLink(framed, versions, options, signal)
  } catch (error) {
    framed.socket.on('error', () => {})
    framed.socket.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

interface Pending {
  readonly name: string
  readonly flexible: boolean
  readonly correlationId: number
  readonly allocate: ((bytes: number) => Buffer) | undefined
  readonly resolve: (body: Buffer) => void
  readonly reject: (fault: Fault) => void
  readonly timer: NodeJS.Timeout
}

const CORRELATION_MAX = 2 ** 31 - 1

class SocketLink implements Link {
  readonly address: string
  readonly closed: Promise<Fault | undefined>
  readonly #socket: Socket
  readonly #versions: ReadonlyMap<number, number>
  readonly #options: LinkOptions
  /** In the order they were sent, which is the order of the answers. */
  readonly #pending: Pending[] = []
  #correlationId = 0
  #state: 'open' | 'closing' = 'open'
  #hasAnswered = false
  /** Why the link ends; stays undefined when its owner wanted it. */
  #reason: Fault | undefined

  constructor(
    { socket, frames }: FramedSocket,
    versions: ReadonlyMap<number, number>,
    options: LinkOptions,
    signal: AbortSignal
  ) {
    this.address = `${options.host}:${options.port}`
    this.#socket = socket
    this.#versions = versions
    this.#options = options
    frames.handOver({
      allocate: (bytes) => this.#pending[0]?.allocate?.(bytes) ?? Buffer.allocUnsafe(bytes),
      frame: (frame) => this.#answered(frame),
      broken: (fault) => this.destroy(fault)
    })
    const onAbort = () => this.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', (error) => this.destroy(toFault(error)))
    socket.on('end', () => this.destroy(this.#fault(`the broker closed the connection${this.#hint()}`)))
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        signal.removeEventListener('abort', onAbort)
        this.destroy(this.#fault('the connection was lost'))
        for (const pending of this.#pending.splice(0)) this.#reject(pending)
        resolve(this.#reason)
      })
    })
  }

  get alive(): boolean {
    return this.#state === 'open'
  }

  version(apiKey: number): number | undefined {
    return this.#versions.get(apiKey)
  }

  async call<A>(api: Api<A>, options: CallOptions = {}): Promise<A> {
    if (this.#state !== 'open') throw this.#reason ?? this.#fault('the link was closed before the request')
    const body = await this.#send(api, options)
    try {
      return await api.decode(body)
    } catch (error) {
      const what = `${api.name} v${api.version} from ${this.address}`
      const fault = new Fault('answer-unreadable', what, { cause: error })
      this.destroy(fault)
      throw fault
    }
  }

  destroy(reason?: Error): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#reason = reason === undefined ? undefined : toFault(reason)
    this.#socket.destroy()
  }

  #send(api: Api<unknown>, { timeoutMs = this.#options.requestTimeoutMs, allocate }: CallOptions) {
    const correlationId = this.#correlationId
    this.#correlationId = correlationId === CORRELATION_MAX ? 0 : correlationId + 1
    const flexible = api.flexible ?? false
    const parts = api.encode()
    const header = this.#header(api, correlationId, parts)
    return new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => this.#timedOut(api.name, timeoutMs), timeoutMs)
      this.#pending.push({ name: api.name, flexible, correlationId, allocate, resolve, reject, timer })
      this.#socket.cork()
      this.#socket.write(header)
      for (const part of parts) this.#socket.write(part)
      this.#socket.uncork()
    })
  }

  /** The length field and request header v1, or v2 with its empty tagged fields. */
  #header({ key, version, flexible }: Api<unknown>, correlationId: number, parts: readonly Buffer[]): Buffer {
    const writer = new Writer(64).int32(0).int16(key).int16(version).int32(correlationId)
    writer.string(this.#options.clientId)
    if (flexible === true) writer.noTags()
    const header = writer.take()
    const bytes = parts.reduce((sum, part) => sum + part.length, header.length - 4)
    header.writeInt32BE(bytes, 0)
    return header
  }

  #answered(frame: Buffer): void {
    const pending = this.#pending[0]
    if (pending === undefined || frame.readInt32BE(0) !== pending.correlationId) {
      this.destroy(this.#fault('an answer to no request'))
      return
    }
    this.#pending.shift()
    this.#hasAnswered = true
    clearTimeout(pending.timer)
    // Response header v1 carries tagged fields; no broker sends any with the answers we ask for.
    pending.resolve(frame.subarray(pending.flexible ? 5 : 4))
  }

  #timedOut(name: string, timeoutMs: number): void {
    const what = `${name} to ${this.address}: no answer in ${timeoutMs} ms`
    this.destroy(new Fault('request-timed-out', what, { retryable: true }))
  }

  #reject({ name, timer, reject }: Pending): void {
    clearTimeout(timer)
    reject(this.#reason ?? this.#fault(`${name} was given up`))
  }

  /** A listener that wants SASL answers nobody without it. */
  #hint(): string {
    if (this.#hasAnswered || this.#options.sasl !== undefined) return ''
    return ' before it answered; it may want SASL, and none is configured'
  }

  #fault(what: string): Fault {
    return new Fault('link-closed', `${this.address}: ${what}`, { retryable: true })
  }
}
