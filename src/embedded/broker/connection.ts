import type { Socket } from 'node:net'
import type { FaultAction, Faults } from '../faults.ts'
import type { Answer, Api, Exchange } from './api.ts'
import type { Duty } from './cluster.ts'
import type { Disk } from './disk.ts'
import { codes } from './errors.ts'
import { FrameReader } from './frames.ts'
import type { Timers } from './timers.ts'
import { Reader, Writer } from './wire.ts'

const API_VERSIONS = 18
/** Requests that wait their turn; beyond, the socket is not read. */
const QUEUE_BYTES_MAX = 1 << 20

export interface ConnectionServices {
  readonly apis: ReadonlyMap<number, Api>
  readonly faults: Faults
  readonly disk: Disk
  readonly timers: Timers
  /** Whether the node of this connection is the coordinator. */
  readonly isCoordinator: (duty: Duty) => boolean
  readonly onError: (error: unknown, request: string) => void
}

interface RequestHeader {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly clientId: string
  readonly body: Reader
}

/**
 * One client. Like Kafka's, a connection serves one request at a time, in order; a JoinGroup in wait holds up what
 * comes after it.
 */
export class Connection {
  readonly #socket: Socket
  readonly #services: ConnectionServices
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #busy = false

  constructor(socket: Socket, services: ConnectionServices) {
    this.#socket = socket
    this.#services = services
    const frames = new FrameReader((frame) => this.#enqueue(frame))
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      try {
        frames.push(chunk)
        this.#pump()
      } catch (error) {
        this.#fail(error, 'frame')
      }
    })
  }

  #enqueue(frame: Buffer): void {
    this.#queue.push(frame)
    this.#queuedBytes += frame.length
    if (this.#busy && this.#queuedBytes > QUEUE_BYTES_MAX) this.#socket.pause()
  }

  #pump(): void {
    while (!this.#busy && !this.#socket.destroyed) {
      const frame = this.#queue.shift()
      if (frame === undefined) break
      this.#queuedBytes -= frame.length
      this.#serve(frame)
    }
    if (!this.#busy && this.#socket.isPaused()) this.#socket.resume()
  }

  #serve(frame: Buffer): void {
    try {
      const header = this.#open(frame)
      if (header) this.#begin(header)
    } catch (error) {
      this.#fail(error, 'request')
    }
  }

  #begin(header: RequestHeader): void {
    const { api, version, body } = header
    const exchange = api.open(body, version)
    const subject = exchange.subject === '' ? api.name : `${api.name} ${exchange.subject}`
    const action = this.#services.faults.next(subject)
    switch (action?.type) {
      case 'hang':
        this.#busy = true
        return
      case 'fail-before':
        this.#socket.destroy()
        return
      case 'delay':
        this.#busy = true
        this.#services.timers.after(action.ms, () => {
          this.#busy = false
          this.#handle(header, exchange, subject, undefined)
          this.#pump()
        })
        return
      case 'answer':
        this.#answer(header, exchange, exchange.refuse(action.code))
        return
      default:
        this.#handle(header, exchange, subject, action)
    }
  }

  #handle(header: RequestHeader, exchange: Exchange, subject: string, action: FaultAction | undefined): void {
    const { disk, isCoordinator } = this.#services
    const host = this.#socket.remoteAddress ?? ''
    const caller = { clientId: header.clientId, host, version: header.version }
    const finish = (answer: Answer) => {
      if (action?.type === 'lose-reply') this.#socket.destroy()
      else this.#answer(header, exchange, answer)
    }
    try {
      disk.full = action?.type === 'disk-full'
      const isElsewhere = exchange.duty !== undefined && !isCoordinator(exchange.duty)
      const answer = isElsewhere ? exchange.refuse(codes.NOT_COORDINATOR) : exchange.handle(caller)
      if (!(answer instanceof Promise)) {
        finish(answer)
        return
      }
      this.#busy = true
      answer
        .then(finish)
        .catch((error: unknown) => this.#fail(error, subject))
        .finally(() => {
          this.#busy = this.#socket.writableNeedDrain
          this.#pump()
        })
    } catch (error) {
      this.#fail(error, subject)
    } finally {
      disk.full = false
    }
  }

  /** Reads the request header; an ApiVersions we do not know is answered in version 0, all else closes. */
  #open(frame: Buffer): RequestHeader | undefined {
    const key = frame.readInt16BE(0)
    const version = frame.readInt16BE(2)
    const correlationId = frame.readInt32BE(4)
    const api = this.#services.apis.get(key)
    if (!api || version < api.versions[0] || version > api.versions[1]) {
      if (api?.key === API_VERSIONS) {
        const exchange = api.open(new Reader(frame, false), 0)
        const header = { api, version: 0, correlationId, clientId: '', body: new Reader(frame, false) }
        this.#answer(header, exchange, exchange.refuse(codes.UNSUPPORTED_VERSION))
      } else {
        this.#fail(new RangeError(`API ${key} version ${version} is not served`), 'request')
      }
      return undefined
    }
    // The client id is a classic string in all header versions; flexible ones have tagged fields after it.
    const head = new Reader(frame, false, 8)
    const clientId = head.string()
    const body = new Reader(frame, version >= api.flexibleFrom, head.position)
    body.tags()
    return { api, version, correlationId, clientId, body }
  }

  #answer({ api, version, correlationId }: RequestHeader, exchange: Exchange, answer: Answer): void {
    if (exchange.isSilent || this.#socket.destroyed) return
    const flexible = version >= api.flexibleFrom
    const writer = new Writer(flexible)
    answer(writer)
    writer.tags()
    const parts = writer.finish()
    const headerTags = flexible && api.key !== API_VERSIONS ? 1 : 0
    const header = Buffer.alloc(8 + headerTags)
    header.writeInt32BE(
      parts.reduce((sum, part) => sum + part.length, 4 + headerTags),
      0
    )
    header.writeInt32BE(correlationId, 4)
    this.#socket.cork()
    this.#socket.write(header)
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
    this.#awaitDrain()
  }

  /** A client that does not read its answers is not served further ones. */
  #awaitDrain(): void {
    if (!this.#socket.writableNeedDrain || this.#socket.listenerCount('drain') > 0) return
    this.#busy = true
    this.#socket.once('drain', () => {
      this.#busy = false
      this.#pump()
    })
  }

  #fail(error: unknown, request: string): void {
    if (!this.#socket.destroyed) this.#services.onError(error, request)
    this.#socket.destroy()
  }
}
