import net from 'node:net'
import tls from 'node:tls'
import { Fault, toFault } from '../../errors.ts'
import { Frames } from './frames.ts'

export interface TlsOptions {
  /** PEM texts, not paths. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  /** `{}` is TLS with the system's certificate authorities; `undefined` is plain text. */
  readonly tls?: TlsOptions | undefined
  readonly connectTimeoutMs: number
}

export interface FramedSocket {
  readonly socket: net.Socket
  readonly frames: Frames
}

const KEEP_ALIVE_MS = 30_000

/**
 * Opens a socket whose bytes go to `frames`. Rejects with `unreachable`, `connect-timed-out` (both retryable),
 * `tls-failed`, or what `signal` was aborted with.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<FramedSocket> {
  signal.throwIfAborted()
  const frames = new Frames()
  const socket = open(options, frames)
  await new Promise<void>((resolve, reject) => {
    const finish = (end: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.removeListener('error', onError)
      end()
    }
    const fail = (error: unknown) =>
      finish(() => {
        socket.on('error', () => {})
        socket.destroy()
        reject(error)
      })
    const address = `${options.host}:${options.port}`
    const timer = setTimeout(
      () => fail(new Fault('connect-timed-out', `no connection to ${address}`, { retryable: true })),
      options.connectTimeoutMs
    )
    const onAbort = () => fail(signal.reason)
    const onError = (error: Error) => fail(connectFault(error, address, options.tls !== undefined))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', onError)
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => finish(resolve))
  })
  return { socket, frames }
}

function open({ host, port, tls: secure }: ConnectOptions, { onread }: Frames): net.Socket {
  const target = { host, port, onread }
  const socket = secure === undefined ? net.connect(target) : tls.connect(secured(target, host, secure))
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  return socket
}

/** `tls.connect` takes `onread` too, which its types do not say. */
function secured(target: net.TcpNetConnectOpts, host: string, options: TlsOptions): tls.ConnectionOptions {
  const { ca, cert, key, serverName } = options
  const name = serverName ?? (net.isIP(host) === 0 ? host : undefined)
  return {
    ...target,
    ...(name === undefined ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key })
  }
}

function connectFault(error: Error, address: string, secure: boolean): Fault {
  const fault = toFault(error)
  if (fault.code === 'unknown' && secure) {
    return new Fault('tls-failed', `${address}: ${tlsReason(error)}`, { cause: error })
  }
  // What a plain-text listener does with the first bytes of TLS; `ECONNRESET` can only come after it has accepted.
  const hint = secure && systemCode(error) === 'ECONNRESET' ? '; its listener may be one without TLS' : ''
  const { code, retryable } = fault
  return new Fault(code, `${address}: ${fault.message}${hint}`, { cause: error, retryable })
}

/** Whether OpenSSL gave the connection up, as it does upon an alert of the other side. */
export function isTlsError(error: Error): boolean {
  return systemCode(error)?.startsWith('ERR_SSL') === true
}

/** What OpenSSL or Node found wrong, without the place in OpenSSL's source and without advice for command lines. */
export function tlsReason(error: Error): string {
  const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message
  return reason.split('; if the root CA')[0] ?? reason
}

function systemCode(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
