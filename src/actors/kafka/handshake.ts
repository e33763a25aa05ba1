import type { Socket } from 'node:net'
import Connection, { type KafkajsLogger, type KafkajsSocket } from 'kafkajs/src/network/connection.js'
import protocol from 'kafkajs/src/protocol/requests/index.js'
import { Fault, toFault } from '../../errors.ts'
import { type FramedSocket, isTlsError, type TlsOptions, tlsReason } from './socket.ts'

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: { reveal(): string }
}

export interface HandshakeOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly sasl?: SaslOptions | undefined
  /** What the socket was opened with, for faults to tell what may be missing. */
  readonly tls?: TlsOptions | undefined
  readonly connectTimeoutMs: number
}

const API_VERSIONS = 18
const SASL_AUTHENTICATE = 36
const silent: KafkajsLogger = { namespace: () => silent, debug() {}, info() {}, warn() {}, error() {} }

/**
 * Lets kafkajs speak over an open socket: ApiVersions, then SASL. It never owns the socket, only a stand-in for it, so
 * that nothing of it remains when this is over: no listener, no queue and no timer.
 *
 * @returns the highest version the broker offers, by API key
 */
export async function handshake(
  framed: FramedSocket,
  options: HandshakeOptions
): Promise<Map<number, number>> {
  const { socket, frames } = framed
  const standIn = new StandIn(socket)
  const connection = newConnection(standIn, options)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    socket.destroy()
  }, options.connectTimeoutMs)
  const onLost = () => standIn.emit('end')
  let lost: Error | undefined
  const onError = (error: Error) => {
    lost ??= error
  }
  socket.on('close', onLost).on('end', onLost).on('error', onError)
  frames.raw = (bytes) => {
    if (isTlsAlert(bytes)) lost = new Fault('tls-failed', 'the broker speaks TLS, and no tls is configured')
    standIn.emit('data', bytes)
  }
  try {
    await connection.connect()
    const offered = await apiVersions(connection)
    connection.setVersions(Object.fromEntries(offered))
    connection.setSupportAuthenticationProtocol(offered.has(SASL_AUTHENTICATE))
    if (options.sasl !== undefined) await authenticate(connection, socket, options.sasl)
    return new Map([...offered].map(([key, { maxVersion }]) => [key, maxVersion]))
  } catch (error) {
    if (timedOut) {
      const what = `${options.host}:${options.port}: no handshake`
      throw new Fault('connect-timed-out', what, { retryable: true })
    }
    throw handshakeFault(error, lost, socket.destroyed || socket.readableEnded, options)
  } finally {
    clearTimeout(timer)
    frames.raw = () => {}
    connection.requestQueue.destroy()
    socket.removeListener('close', onLost).removeListener('end', onLost).removeListener('error', onError)
  }
}

function handshakeFault(
  error: unknown,
  lost: Error | undefined,
  isClosed: boolean,
  { host, port, tls }: HandshakeOptions
): Fault {
  const address = `${host}:${port}`
  const known = lost instanceof Fault ? lost : error
  if (known instanceof Fault) return new Fault(known.code, `${address}: ${known.message}`, { cause: error })
  // TLS 1.3 lets the client finish before the broker has looked at its certificate.
  const hint = tls?.cert === undefined ? '; it may want a client certificate, and none is configured' : ''
  if (lost !== undefined && isTlsError(lost)) {
    return new Fault('tls-failed', `${address}: ${tlsReason(lost)}${hint}`, { cause: lost })
  }
  if (!isClosed) return toFault(error)
  const missing = tls === undefined ? '; it may want TLS, and none is configured' : hint
  const what = `${address}: closed during the handshake${missing}`
  return new Fault('unreachable', what, { cause: lost ?? error, retryable: true })
}

/** A TLS record with an alert: what a TLS listener says to bytes that are none. As Kafka it would be a frame of 350 MB. */
function isTlsAlert(bytes: Buffer): boolean {
  return bytes[0] === 0x15 && bytes[1] === 3
}

function newConnection(standIn: StandIn, options: HandshakeOptions): Connection {
  const connection = new Connection({
    host: options.host,
    port: options.port,
    clientId: options.clientId,
    logger: silent,
    socketFactory: ({ onConnect }) => {
      queueMicrotask(onConnect)
      return standIn
    },
    requestTimeout: options.connectTimeoutMs,
    connectionTimeout: options.connectTimeoutMs,
    enforceRequestTimeout: false,
    ssl: null,
    sasl:
      options.sasl === undefined
        ? null
        : {
            mechanism: options.sasl.mechanism,
            username: options.sasl.username,
            password: options.sasl.password.reveal()
          }
  })
  // Its queue re-arms a timer of a negative delay after every answer; nothing is ever queued here.
  connection.requestQueue.scheduleCheckPendingRequests = () => {}
  return connection
}

interface VersionRange {
  readonly minVersion: number
  readonly maxVersion: number
}

/** Newest version first: a broker that does not know it answers UNSUPPORTED_VERSION and is asked again. */
async function apiVersions(connection: Connection): Promise<Map<number, VersionRange>> {
  const { ApiVersions } = protocol.requests
  let refused: unknown
  for (const version of ApiVersions.versions.map(Number).sort((a, b) => b - a)) {
    try {
      const answer = await connection.send(ApiVersions.protocol({ version })())
      return new Map(answer.apiVersions.map(({ apiKey, ...range }) => [apiKey, range]))
    } catch (error) {
      if (typeOf(error) !== 'UNSUPPORTED_VERSION') throw error
      refused = error
    }
  }
  throw new Fault('broker-too-old', `no common version of API ${API_VERSIONS}`, { cause: refused })
}

/** The name of the protocol's error code, if kafkajs threw it for one. */
function typeOf(error: unknown): unknown {
  return error instanceof Error && 'type' in error ? error.type : undefined
}

async function authenticate(
  connection: Connection,
  socket: Socket,
  { mechanism }: SaslOptions
): Promise<void> {
  try {
    await connection.authenticate()
  } catch (error) {
    if (socket.destroyed || socket.readableEnded) throw error
    const said = error instanceof Error ? error.message : 'refused'
    const named = said.startsWith('SASL') ? said : `SASL ${mechanism}: ${said}`
    const isUnasked = typeOf(error) === 'ILLEGAL_SASL_STATE'
    const what = isUnasked ? `${named}; the listener may be one without SASL` : named
    throw new Fault('authentication-failed', what, { cause: error })
  }
}

/** What kafkajs takes for its socket. */
class StandIn implements KafkajsSocket {
  readonly #socket: Socket
  readonly #listeners = new Map<string, (argument: never) => void>()

  constructor(socket: Socket) {
    this.#socket = socket
  }

  emit(event: string, argument?: Buffer): void {
    this.#listeners.get(event)?.(argument as never)
  }

  on(event: string, listener: (argument: never) => void): void {
    this.#listeners.set(event, listener)
  }

  write(data: Uint8Array): void {
    this.#socket.write(data)
  }

  end(): void {
    this.#socket.destroy()
  }

  unref(): void {}
}
