import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import { createXStream, type XStreamOptions } from '../../../src/actors/feed/x-stream.ts'
import { type Running, runFeed, textOf } from './support.ts'

const TOKEN = 'a-token-of-the-test'

/** A small X: rules that are never refused, and a stream that each test plays by hand. */
class X {
  readonly #server: Server
  readonly requests: IncomingMessage[] = []
  #streams: ServerResponse[] = []
  #waiting: ((stream: ServerResponse) => void)[] = []
  /** Answers given instead of the stream, first come first served. */
  readonly refusals: number[] = []

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(request)
      if (request.url?.endsWith('/rules')) {
        request.resume()
        response.end('{}')
        return
      }
      const refusal = this.refusals.shift()
      if (refusal !== undefined) {
        response.writeHead(refusal).end('{"title":"no"}')
        return
      }
      response.writeHead(200)
      response.flushHeaders()
      const waiter = this.#waiting.shift()
      if (waiter === undefined) this.#streams.push(response)
      else waiter(response)
    })
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next connection to the stream. */
  stream(): Promise<ServerResponse> {
    const ready = this.#streams.shift()
    if (ready !== undefined) return Promise.resolve(ready)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

let x: X | undefined
let feed: Running | undefined
afterEach(() => {
  feed?.actor.stop()
  x?.stop()
})

async function start(options: Partial<XStreamOptions> = {}) {
  const server = new X()
  x = server
  const url = await server.start()
  const waits: number[] = []
  const budget = options.budget ?? new ByteBudget(1 << 20)
  feed = runFeed(
    createXStream({
      url,
      token: { reveal: () => TOKEN },
      keywords: ['hadoop'],
      tag: 'causeway:tweets',
      backfillMinutes: 5,
      budget,
      now: () => 1_234,
      pause: async (ms) => {
        waits.push(ms)
      },
      ...options
    }),
    undefined
  )
  return { server, waits, budget, running: feed }
}

test('events come as lines, keep-alives do not, and the token and backfill are sent', async () => {
  const { server, running } = await start()
  const stream = await server.stream()
  stream.write('{"data":{"id":"1"}}\r\n\r\n{"data":{"id"')
  stream.write(':"2"}}\r\n\r\n')
  await running.until(() => textOf(running.reports).length === 2)
  expect(textOf(running.reports)).toEqual(['{"data":{"id":"1"}}', '{"data":{"id":"2"}}'])
  const request = server.requests.at(-1)
  expect(request?.headers.authorization).toBe(`Bearer ${TOKEN}`)
  expect(request?.url).toContain('backfill_minutes=5')
  expect(request?.url).toContain('expansions=author_id')
})

test('a stream that ends is connected to again at once', async () => {
  const { server, running, waits } = await start()
  ;(await server.stream()).end('{"data":{"id":"1"}}\n')
  ;(await server.stream()).write('{"data":{"id":"2"}}\n')
  await running.until(() => textOf(running.reports).length === 2)
  expect(waits).toEqual([])
})

test('a stream that ends before anything came is given more and more time', async () => {
  const { server, waits } = await start()
  ;(await server.stream()).end()
  ;(await server.stream()).end('{"errors":[{"title":"operational-disconnect"}]}\r\n')
  ;(await server.stream()).end('\r\n')
  await server.stream()
  expect(waits).toEqual([250, 500])
})

test('a connection that is cut inside an event is connected to again, and the half event is dropped', async () => {
  const { server, running } = await start()
  const first = await server.stream()
  first.write('{"data":{"id":"1"}}\n{"data":{"i')
  await running.until(() => textOf(running.reports).length === 1)
  first.socket?.resetAndDestroy()
  ;(await server.stream()).write('{"data":{"id":"2"}}\n')
  await running.until(() => textOf(running.reports).length === 2)
  expect(textOf(running.reports)).toEqual(['{"data":{"id":"1"}}', '{"data":{"id":"2"}}'])
})

test('a silent stream is dead', async () => {
  const { server, running } = await start({ silenceMs: 50 })
  await server.stream()
  ;(await server.stream()).write('{"data":{"id":"2"}}\n')
  await running.until(() => textOf(running.reports).length === 1)
  const reasons = running.reports.flatMap((report) =>
    report.type === 'feed.status' ? [report.status.reason] : []
  )
  expect(reasons.some((reason) => reason.includes('nothing came for 50 ms'))).toBe(true)
})

test('errors of X are waited out as it asks for', async () => {
  const { server, waits } = await start()
  server.refusals.push(503, 503, 429)
  await server.stream()
  expect(waits).toEqual([5_000, 10_000, 60_000])
})

test.each([
  [401, 'x-unauthorized'],
  [400, 'x-request-refused']
])('status %i ends the feed, and the token is not told', async (status, code) => {
  const { server, running } = await start({ pause: () => new Promise(() => {}) })
  server.refusals.push(status, status)
  await running.until(() => running.failure() !== undefined)
  expect(running.failure()).toMatchObject({ code, retryable: false })
  expect(inspect([running.failure(), running.reports], { depth: 10, showHidden: true })).not.toContain(TOKEN)
})

test('when X says on the stream that it ends, the feed connects again', async () => {
  const { server, running } = await start()
  ;(await server.stream()).write('{"errors":[{"title":"operational-disconnect"}]}\r\n')
  ;(await server.stream()).write('{"data":{"id":"2"}}\n')
  await running.until(() => textOf(running.reports).length === 1)
})

test('while the budget is used up nothing is read, and the wait does not count as silence', async () => {
  const budget = new ByteBudget(100_000)
  const { server, running } = await start({ budget, silenceMs: 100 })
  const held = budget.takeNow(100_000)
  const stream = await server.stream()
  stream.write('{"data":{"id":"1"}}\n')
  await running.until(() =>
    running.reports.some((r) => r.type === 'feed.status' && r.status.state === 'streaming')
  )
  const silence = new Promise((resolve) => setTimeout(resolve, 200))
  await silence
  expect(textOf(running.reports)).toEqual([])
  held.release()
  await running.until(() => textOf(running.reports).length === 1)
  expect(server.requests.filter(({ url }) => url?.includes('backfill')).length).toBe(1)
})
