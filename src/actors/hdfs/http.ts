import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as TlsAgent } from 'node:https'
import { Fault, toFault } from '../../errors.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly url: URL
  /** Sent one after the other, without being copied together. */
  readonly body?: readonly Buffer[]
}

export interface HttpReply {
  readonly status: number
  readonly location: string | undefined
  readonly body: Buffer
}

export interface HttpLimits {
  /** Silence on the socket for this long ends the request. */
  readonly timeoutMs: number
  /** A longer answer ends the request: what we ask for is small. */
  readonly replyBytesMax: number
}

/**
 * An HTTP client that never follows a redirect by itself: both steps of a WebHDFS upload have errors of their own.
 * Rejects with a retryable `Fault`; `unreachable` says that the request never left, so it had no effect.
 */
export class HttpClient {
  readonly #limits: HttpLimits
  readonly #agent = new Agent({ keepAlive: true })
  readonly #tlsAgent = new TlsAgent({ keepAlive: true })

  constructor(limits: HttpLimits) {
    this.#limits = limits
  }

  send({ method, url, body = [] }: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const { timeoutMs, replyBytesMax } = this.#limits
    const tls = url.protocol === 'https:'
    const bytes = body.reduce((sum, part) => sum + part.length, 0)
    const headers = {
      'content-length': String(bytes),
      ...(bytes > 0 && { 'content-type': 'application/octet-stream' })
    }
    const options = { method, headers, signal, timeout: timeoutMs, agent: tls ? this.#tlsAgent : this.#agent }
    return new Promise((resolve, reject) => {
      let connected = false
      const request = (tls ? requestHttps : requestHttp)(url, options, (response) => {
        collect(response, replyBytesMax).then(resolve, fail)
      })
      const fail = (error: unknown) => {
        request.destroy()
        reject(signal.aborted ? signal.reason : faultOf(error, url, connected))
      }
      request.on('socket', (socket) => {
        if (!socket.connecting) connected = true
        else socket.once(tls ? 'secureConnect' : 'connect', () => (connected = true))
      })
      request.on('timeout', () => fail(new Fault('timed-out', `silent for ${timeoutMs} ms`)))
      request.on('error', fail)
      for (const part of body) request.write(part)
      request.end()
    })
  }

  close(): void {
    this.#agent.destroy()
    this.#tlsAgent.destroy()
  }
}

async function collect(response: IncomingMessage, bytesMax: number): Promise<HttpReply> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    parts.push(part)
    bytes += part.length
    if (bytes > bytesMax) throw new Fault('reply-too-large', `the answer is longer than ${bytesMax} bytes`)
  }
  const { statusCode = 0, headers } = response
  return { status: statusCode, location: headers.location, body: Buffer.concat(parts) }
}

/** A socket that broke is always worth another try, whatever the system calls it. */
function faultOf(error: unknown, url: URL, connected: boolean): Fault {
  const { code, message } = toFault(error)
  const what = `${url.host}: ${message}`
  if (code === 'reply-too-large') return new Fault(code, what, { cause: error })
  return new Fault(connected ? 'store-unavailable' : 'unreachable', what, { cause: error, retryable: true })
}
