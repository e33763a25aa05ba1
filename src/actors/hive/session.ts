import { once } from 'node:events'
import { isIP, type Socket } from 'node:net'
import type { HiveConfig } from '../../config.ts'
import { Fault, toFault } from '../../errors.ts'
import { tlsReason } from '../kafka/socket.ts'

/** A row of an answer, by the names of its columns. */
export type HiveRow = Readonly<Record<string, unknown>>

/** An open session of HiveServer2. */
export interface Hive {
  /** Runs one statement to its end; the rows of its answer, none for a statement that has none. */
  run(statement: string): Promise<readonly HiveRow[]>
}

/** A statement about many partitions takes HiveServer2's metastore a while. */
const STATEMENT_MS = 180_000
const CONNECT_MS = 20_000
/** What a fault says of the statement that was refused. */
const EXCERPT_CHARS = 120
const DEFAULT_PORT = 10_000
/** What begins the answer of a TLS server to anything else (RFC 8446, 5.1); no answer of Thrift or of its SASL begins so. */
const TLS_ALERT = 0x15

/**
 * Opens a session of HiveServer2, does `work` in it and closes it. Statements about tables are rare, so none is kept open:
 * nothing has to notice that it went stale. Rejects with `hive-unreachable` when the connection cannot be made or breaks,
 * with `hive-refused` when Hive says no; both are retryable, because nobody but Hive's people knows for how long.
 *
 * `hive-driver` never settles a call whose connection is lost, and its own reconnecting would open a second session for
 * it. So every wait here ends with the socket, which is ours to destroy.
 */
export async function withHive<T>(
  config: HiveConfig,
  work: (hive: Hive) => Promise<T>,
  signal: AbortSignal
): Promise<T> {
  const { HiveClient, HiveUtils, auth, connections, thrift } = await import('hive-driver')
  const { TCLIService, TCLIService_types: types } = thrift
  const line = new Line(config, signal)
  try {
    const client = new HiveClient(TCLIService, types)
    client.on('error', line.fail)
    client.on('close', line.closed)
    const { hostname: host, port } = new URL(config.url)
    const place = placeOf(host.replace(/^\[|\]$/g, ''), port, config.tls)
    const credentials = {
      ...(config.user !== undefined && { username: config.user }),
      ...(config.password && { password: config.password.reveal() })
    }
    const inner =
      config.auth === 'nosasl'
        ? new auth.NoSaslAuthentication()
        : new auth.PlainTcpAuthentication(credentials)
    const authentication: typeof inner = {
      authenticate(transport) {
        const authenticated = inner.authenticate(transport)
        const socket = transport.getTransport()
        line.hold(socket)
        // Without SASL nobody else waits for the handshake, and a stranger is told nothing.
        const isEarly = config.tls !== undefined && config.auth === 'nosasl'
        return isEarly ? once(socket, 'secureConnect').then(() => authenticated) : authenticated
      }
    }
    await line.within(CONNECT_MS, client.connect(place, new connections.TcpConnection(), authentication))
    const session = await line.within(
      CONNECT_MS,
      client.openSession({ client_protocol: types.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V10 })
    )
    const utils = new HiveUtils(types)
    const run = async (statement: string): Promise<HiveRow[]> => {
      const operation = await session.executeStatement(statement, { runAsync: false })
      await operation.status(false)
      await utils.fetchAll(operation)
      const rows: unknown = utils.getResult(operation).getValue()
      await operation.close()
      return Array.isArray(rows) ? rows : []
    }
    const result = await work({
      run: (statement) =>
        line.within(STATEMENT_MS, run(statement)).catch((error: unknown) => {
          throw faultOf(error, line.place, statement)
        })
    })
    // A session that stays open is closed by Hive when the connection ends.
    await line.within(CONNECT_MS, session.close()).catch(() => undefined)
    return result
  } catch (error) {
    signal.throwIfAborted()
    throw faultOf(error, line.place)
  } finally {
    line.end()
  }
}

/** The one connection of a session: what breaks it ends every wait, and whoever waited is done with it. */
class Line {
  readonly place: string
  readonly #broken = Promise.withResolvers<never>()
  readonly #signal: AbortSignal
  readonly #isSecure: boolean
  #socket: Socket | undefined

  constructor({ url, tls }: Pick<HiveConfig, 'url' | 'tls'>, signal: AbortSignal) {
    this.place = new URL(url).host
    this.#isSecure = tls !== undefined
    this.#signal = signal
    // Nobody may be waiting when it breaks.
    this.#broken.promise.catch(() => undefined)
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  readonly fail = (error: unknown): void => {
    const { code, message } = toFault(error)
    const isTls = this.#isSecure && code === 'unknown' && error instanceof Error && 'code' in error
    const what = `${this.place}: ${isTls ? `TLS failed: ${tlsReason(error)}` : message}`
    this.#broken.reject(new Fault('hive-unreachable', what, { cause: error, retryable: true }))
  }

  readonly closed = (): void => this.fail(new Error('the connection was closed'))

  readonly #abort = (): void => this.#broken.reject(this.#signal.reason)

  hold(socket: Socket): void {
    this.#socket = socket
    socket.on('error', this.fail)
    socket.on('close', this.closed)
    if (this.#isSecure) return
    socket.prependOnceListener('data', ([first]: Buffer) => {
      if (first === TLS_ALERT) this.fail(new Error('it speaks TLS, for which hive.tls is not set'))
    })
  }

  async within<T>(timeoutMs: number, call: Promise<T>): Promise<T> {
    // A call that loses the race may still fail.
    call.catch(() => undefined)
    this.#signal.throwIfAborted()
    const timer = setTimeout(() => this.fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    try {
      return await Promise.race([call, this.#broken.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#socket?.destroy()
  }
}

/** The driver believes every certificate unless it is told not to. */
function placeOf(host: string, port: string, tls: HiveConfig['tls']) {
  const place = { host, port: port === '' ? DEFAULT_PORT : Number(port) }
  if (tls === undefined) return place
  const { ca, serverName = isIP(host) === 0 ? host : undefined } = tls
  const name = serverName === undefined ? {} : { servername: serverName }
  return {
    ...place,
    options: { ssl: true, rejectUnauthorized: true, ...name, ...(ca !== undefined && { ca }) }
  }
}

/** The driver's errors are of many kinds, some not even of `Error`; what Hive answered has a message of Hive's. */
function faultOf(error: unknown, place: string, statement?: string): Fault {
  if (error instanceof Fault) return error
  const said = messageOf(error).split('\n')[0] ?? ''
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return new Fault('hive-unreachable', `${place}: ${said}`, { cause: error, retryable: true })
  }
  const about = statement === undefined ? '' : ` (${statement.slice(0, EXCERPT_CHARS)})`
  return new Fault('hive-refused', `${place}: ${said}${about}`, { cause: error, retryable: true })
}

function messageOf(error: unknown): string {
  const { message } =
    typeof error === 'object' && error !== null && 'message' in error ? error : { message: error }
  return String(message)
}
