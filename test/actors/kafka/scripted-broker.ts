import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { onTestFinished } from 'vitest'
import { Reader, Writer } from '../../../src/actors/kafka/wire.ts'

/** What a script makes of a request: the answer's body, silence, or the end of the connection. */
export type Reply = Buffer | 'hang' | 'close'
export type Script = (body: Reader, request: RequestInfo) => Reply | Promise<Reply>

export interface RequestInfo {
  readonly apiKey: number
  readonly version: number
}

export interface ScriptedOptions {
  /** By API key. */
  readonly scripts: Readonly<Record<number, Script>>
  /** The highest version offered, by API key. */
  readonly versions: Readonly<Record<number, number>>
  readonly tls?: TlsOptions
  /** Accepts connections and never says anything. */
  readonly isMute?: boolean
}

const API_VERSIONS = 18
const METADATA = 3

/**
 * A broker that says what the test wrote down, over real sockets: for answers that no healthy broker gives. Requests of
 * one connection are answered in order.
 */
export class ScriptedBroker {
  readonly requests: RequestInfo[] = []
  readonly #options: ScriptedOptions
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  port = 0

  constructor(options: ScriptedOptions) {
    this.#options = options
    const accept = (socket: Socket) => this.#serve(socket)
    this.#server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept)
  }

  static async start(options: ScriptedOptions): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(options)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    const address = broker.#server.address()
    broker.port = typeof address === 'object' && address !== null ? address.port : -1
    onTestFinished(() => broker.stop())
    return broker
  }

  /** Requests of one API so far. */
  count(apiKey: number): number {
    return this.requests.filter((request) => request.apiKey === apiKey).length
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.dropConnections()
    await closed
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let buffered = Buffer.alloc(0)
    let turn: Promise<void> = Promise.resolve()
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    if (this.#options.isMute === true) return
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const frame = buffered.subarray(4, 4 + buffered.readInt32BE(0))
        buffered = buffered.subarray(4 + frame.length)
        turn = turn.then(() => this.#answer(socket, frame))
      }
    })
  }

  async #answer(socket: Socket, frame: Buffer): Promise<void> {
    const header = new Reader(frame)
    const info = { apiKey: header.int16(), version: header.int16() }
    const correlationId = header.int32()
    header.string()
    const isFlexible = info.apiKey === METADATA && info.version >= 9
    if (isFlexible) header.skipTags()
    this.requests.push(info)
    const script = info.apiKey === API_VERSIONS ? this.#apiVersions : this.#options.scripts[info.apiKey]
    const reply = (await script?.(header, info)) ?? 'close'
    if (reply === 'close') socket.destroy()
    if (typeof reply === 'string') return
    const head = new Writer().int32(reply.length + (isFlexible ? 5 : 4)).int32(correlationId)
    if (isFlexible) head.noTags()
    socket.write(Buffer.concat([head.take(), reply]))
  }

  /** Answers in the version asked for if it is offered, else UNSUPPORTED_VERSION as version 0. */
  #apiVersions: Script = (_, { version }) => {
    const offered = { [API_VERSIONS]: 2, ...this.#options.versions }
    const isRefused = version > (offered[API_VERSIONS] ?? 0)
    const ranges = Object.entries(offered)
    const writer = new Writer().int16(isRefused ? 35 : 0).int32(ranges.length)
    for (const [key, max] of ranges) writer.int16(Number(key)).int16(0).int16(max)
    if (version > 0 && !isRefused) writer.int32(0)
    return writer.take()
  }
}
