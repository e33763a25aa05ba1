import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { toFault } from '../errors.ts'
import type { Faults } from './faults.ts'

/** An answer as a value, so that it can be lost on purpose. An iterable body needs its own `content-length`. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | AsyncIterable<Buffer>
}

export interface HttpService {
  readonly host?: string | undefined
  /** 0 or absent: any free port. */
  readonly port?: number | undefined
  readonly faults: Faults
  /** How fault rules see a request. */
  readonly subject: (request: IncomingMessage) => string
  /** Serves one request. `undefined`: the handler has answered by itself. What it throws goes to `failed`. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<Reply | undefined>
  /** The answer to an error that the handler threw; total. */
  readonly failed: (error: unknown, request: IncomingMessage) => Reply
  /** The answer that a fault rule asks for. */
  readonly fault: (code: number, error: string | undefined, request: IncomingMessage) => Reply
  /** How this service behaves when the disk is full; by default `handle` fails with ENOSPC before any effect. */
  readonly diskFull?: (request: IncomingMessage, response: ServerResponse) => Promise<Reply>
}

export interface RunningService {
  readonly port: number
  readonly stop: () => Promise<void>
}

/** An error like the one a full disk gives. */
export function diskFullError(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

/** The body of a request. Unlike the request's own iterator, one that is left early does not cut the connection. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false })
}

export function isDiskFull(error: unknown): boolean {
  return toFault(error).code === 'disk-full'
}

/**
 * Serves HTTP on loopback, one request after the other per connection, and plays the faults.
 * Rejects with the system's error when the port is taken.
 */
export async function startHttpService(service: HttpService): Promise<RunningService> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    response.on('error', () => response.destroy())
    request.on('error', () => response.destroy())
    void serve(service, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(service.port ?? 0, service.host ?? '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    }
  }
}

async function serve(service: HttpService, request: IncomingMessage, response: ServerResponse) {
  const action = service.faults.next(service.subject(request))
  if (action?.type === 'fail-before') return request.socket.destroy()
  if (action?.type === 'hang') return undefined
  if (action?.type === 'answer') {
    await takeRest(request)
    return send(response, service.fault(action.code, action.error, request))
  }
  if (action?.type === 'delay') await delay(action.ms)
  const reply = await answer(service, request, response, action?.type === 'disk-full')
  if (reply === undefined) return undefined
  if (action?.type === 'lose-reply') {
    await discard(reply)
    return request.socket.destroy()
  }
  return send(response, reply)
}

/** A body that nobody reads would keep its files open. */
async function discard({ body }: Reply): Promise<void> {
  if (typeof body === 'object' && !Buffer.isBuffer(body)) for await (const _ of body);
}

async function answer(
  service: HttpService,
  request: IncomingMessage,
  response: ServerResponse,
  diskFull: boolean
): Promise<Reply | undefined> {
  try {
    if (!diskFull) return await service.handle(request, response)
    if (service.diskFull !== undefined) return await service.diskFull(request, response)
    throw diskFullError()
  } catch (error) {
    await takeRest(request)
    return service.failed(error, request)
  }
}

/** A client that is still sending would not read the answer: first take what it sends. */
async function takeRest(request: IncomingMessage): Promise<void> {
  request.resume()
  await finished(request).catch(() => undefined)
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  const { body } = reply
  const whole = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : undefined
  response.writeHead(reply.status, {
    ...(body === undefined && response.req.method !== 'HEAD' && reply.status !== 204
      ? { 'content-length': '0' }
      : {}),
    ...(whole === undefined ? {} : { 'content-length': String(whole.length) }),
    ...reply.headers
  })
  if (whole !== undefined || body === undefined) response.end(whole)
  else await pipeline(body as AsyncIterable<Buffer>, response)
}
