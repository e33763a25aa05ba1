import { once } from 'node:events'
import { createServer as createHttpServer, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { cleanups } from './cleanup.ts'
import { type Framing, httpFraming, kafkaFraming, tcpFraming } from './framing.ts'
import { type HttpAnswer, slowDown, TcpProxy } from './proxy.ts'

const defer = cleanups()

/** A service that keeps what it is sent and echoes it, behind a proxy. */
async function echo(framing?: Framing) {
  const received: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk)
      socket.write(chunk)
    })
  })
  const proxy = await before(server, framing)
  defer(() => {
    for (const socket of sockets) socket.destroy()
  })
  return { proxy, sockets, received: () => Buffer.concat(received) }
}

async function before(server: Server, framing?: Framing): Promise<TcpProxy> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  const { port } = server.address() as AddressInfo
  const proxy = await TcpProxy.start({ port, ...(framing === undefined ? {} : { framing }) })
  defer(() => proxy.stop())
  return proxy
}

/** A client: what it has heard, and how its connection ended. */
function client(proxy: TcpProxy) {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  const ended = new Promise<string>((resolve) => {
    socket.on('end', () => resolve('closed'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
  defer(() => socket.destroy())
  const hears = async (bytes: Buffer | string) => {
    const wanted = Buffer.from(bytes)
    while (Buffer.concat(heard).length < wanted.length) await once(socket, 'data')
    expect(Buffer.concat(heard)).toEqual(wanted)
  }
  return { socket, hears, ended, heard: () => Buffer.concat(heard) }
}

/** A Kafka request with a correlation id and a body. */
function kafka(api: number, id: number, body = ''): Buffer {
  const frame = Buffer.alloc(12 + body.length)
  frame.writeInt32BE(frame.length - 4)
  frame.writeInt16BE(api, 4)
  frame.writeInt32BE(id, 8)
  frame.write(body, 12)
  return frame
}

describe('connections', () => {
  test('bytes pass unchanged, and a side that has ended may still hear', async () => {
    const { proxy } = await echo()
    const { socket, hears, ended } = client(proxy)
    const bytes = Buffer.alloc(3_000_000, 'abcdefg')
    socket.end(bytes)
    expect(await ended).toBe('closed')
    await hears(bytes)
  })

  test('refuse: a connection is reset, the next goes through', async () => {
    const { proxy } = await echo()
    const rule = proxy.set({ fault: 'refuse', times: 1 })
    expect(await client(proxy).ended).toBe('ECONNRESET')
    const second = client(proxy)
    second.socket.write('hello')
    await second.hears('hello')
    expect(rule.hits).toBe(1)
  })

  test('cut: so many bytes go through and not one more', async () => {
    const { proxy, received, sockets } = await echo()
    proxy.set({ fault: { cut: { upAfter: 5 } }, times: 1 })
    const up = client(proxy)
    up.socket.write('hello world')
    await up.ended
    while (received().length < 5) await new Promise(setImmediate)
    for (const one of sockets) if (!one.destroyed) await once(one, 'close')
    expect(received().toString()).toBe('hello')
    proxy.set({ fault: { cut: { downAfter: 3 } }, times: 1 })
    const down = client(proxy)
    down.socket.write('hello world')
    expect(await down.ended).toBe('closed')
    expect(down.heard().toString()).toBe('hel')
  })

  test('hang: it is accepted, nothing goes through, and neither side hears of the other', async () => {
    const { proxy, received, sockets } = await echo()
    proxy.set({ fault: 'hang', at: 'connection', times: 1 })
    const hung = client(proxy)
    hung.socket.write('hello')
    const other = client(proxy)
    other.socket.write('there')
    await other.hears('there')
    expect(received().toString()).toBe('there')
    hung.socket.destroy()
    await once(hung.socket, 'close')
    expect([...sockets].every((socket) => socket.readable)).toBe(true)
    proxy.cut()
    expect(await other.ended).toBe('ECONNRESET')
  })

  test('a service that is not there looks like one that resets', async () => {
    const { proxy } = await echo()
    const dead = await TcpProxy.start({ port: proxy.port })
    await proxy.stop()
    expect(await client(dead).ended).toBe('ECONNRESET')
    await dead.stop()
  })
})

describe('requests', () => {
  test('skip and times count what fits; the first rule that fits decides', async () => {
    const { proxy } = await echo(kafkaFraming)
    proxy.set({ fault: 'pass', match: /^EndTxn$/, times: 1 })
    const rule = proxy.set({ fault: 'fail-before', match: /^(EndTxn|Produce)$/, skip: 1, times: 1 })
    const one = client(proxy)
    const passed = Buffer.concat([kafka(26, 1), kafka(0, 2), kafka(3, 3)])
    one.socket.write(passed)
    await one.hears(passed)
    expect(rule.hits).toBe(0)
    one.socket.write(kafka(26, 4))
    await one.ended
    expect(rule.hits).toBe(1)
    const two = client(proxy)
    two.socket.write(kafka(26, 5))
    await two.hears(kafka(26, 5))
  })

  test('fail-before: the service never sees it', async () => {
    const { proxy, received } = await echo(kafkaFraming)
    proxy.set({ fault: 'fail-before', match: /^Produce$/ })
    const { socket, hears, ended } = client(proxy)
    socket.write(kafka(3, 1, 'metadata'))
    await hears(kafka(3, 1, 'metadata'))
    socket.write(kafka(0, 2, 'records'))
    await ended
    expect(received()).toEqual(kafka(3, 1, 'metadata'))
  })

  test('lose-reply: the service sees it, answers before it arrive, its own does not', async () => {
    const { proxy, received } = await echo(kafkaFraming)
    proxy.set({ fault: 'lose-reply', match: /^Produce$/, skip: 1, times: 1 })
    const { socket, ended, heard } = client(proxy)
    const first = [kafka(0, 1, 'one'), kafka(3, 2)]
    const all = Buffer.concat([...first, kafka(0, 3, 'lost'), kafka(3, 4)])
    socket.write(all)
    expect(await ended).toBe('closed')
    expect(heard()).toEqual(Buffer.concat(first))
    expect(received()).toEqual(all)
  })

  test('reset: half of it goes through', async () => {
    const { proxy, received, sockets } = await echo(kafkaFraming)
    proxy.set({ fault: 'reset', match: /^Produce$/ })
    const { socket, hears, ended } = client(proxy)
    socket.write(kafka(3, 1))
    await hears(kafka(3, 1))
    socket.write(kafka(0, 2, 'x'.repeat(100)))
    expect(await ended).toBe('ECONNRESET')
    for (const one of sockets) if (!one.destroyed) await once(one, 'close')
    expect(received().length).toBeLessThan(12 + 112)
  })

  test('delay: it goes through later, and what follows behind it', async () => {
    const { proxy, received } = await echo(kafkaFraming)
    proxy.set({ fault: { delayMs: 80 }, match: /^Produce$/, times: 1 })
    const { socket, hears } = client(proxy)
    const started = performance.now()
    socket.write(Buffer.concat([kafka(0, 1), kafka(3, 2)]))
    await hears(Buffer.concat([kafka(0, 1), kafka(3, 2)]))
    expect(performance.now() - started).toBeGreaterThan(75)
    expect(received()).toEqual(Buffer.concat([kafka(0, 1), kafka(3, 2)]))
  })

  test('hang: from that request on, nothing goes through on that connection', async () => {
    const { proxy, received } = await echo(kafkaFraming)
    const rule = proxy.set({ fault: 'hang', match: /^Produce$/, times: 1 })
    const hung = client(proxy)
    hung.socket.write(kafka(3, 1))
    await hung.hears(kafka(3, 1))
    hung.socket.write(Buffer.concat([kafka(0, 2), kafka(3, 3)]))
    const other = client(proxy)
    while (rule.hits === 0) await new Promise(setImmediate)
    other.socket.write(kafka(0, 4))
    await other.hears(kafka(0, 4))
    expect(received()).toEqual(Buffer.concat([kafka(3, 1), kafka(0, 4)]))
    expect(hung.socket.readable).toBe(true)
  })

  test.each([1, 2, 5, 7, 11])('frames cut into pieces of %d bytes are still told apart', (size) => {
    const all = Buffer.concat([kafka(0, 1, 'records'), kafka(26, 2), kafka(18, 3, 'x'), kafka(999, 4)])
    const split = kafkaFraming.requests()
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
      split(all.subarray(n * size, (n + 1) * size))
    ).flat()
    expect(Buffer.concat(pieces.map(({ bytes }) => bytes))).toEqual(all)
    const names = pieces.flatMap(({ begins }) => begins ?? [])
    expect(names).toEqual(['Produce', 'EndTxn', 'ApiVersions', 'api 999'])
    expect(pieces.filter(({ ends }) => ends).length).toBe(4)
  })
})

describe('HTTP', () => {
  /** A service that answers with the method, the Host and how many bytes it was sent. */
  async function service() {
    const seen: string[] = []
    const server = createHttpServer(async (asked, answer) => {
      const body = await text(asked)
      seen.push(`${asked.method} ${asked.url} ${asked.headers.host} ${body.length}`)
      answer.end(`got ${body.length}`)
    })
    defer(() => server.closeAllConnections())
    return { proxy: await before(server, httpFraming), seen }
  }

  async function send(
    proxy: TcpProxy,
    method: string,
    path: string,
    options: { readonly body?: readonly string[]; readonly headers?: Record<string, string> } = {}
  ) {
    const { body = [], headers = {} } = options
    const asked = request({ port: proxy.port, host: '127.0.0.1', method, path, headers, agent: false })
    const answered = once(asked, 'response')
    asked.flushHeaders()
    if (headers.expect !== undefined) await Promise.race([once(asked, 'continue'), answered])
    for (const chunk of body) asked.write(chunk)
    asked.end()
    const [response] = await answered
    return { status: response.statusCode as number, body: await text(response), headers: response.headers }
  }

  test('requests pass with the Host that the client sent', async () => {
    const { proxy, seen } = await service()
    const answer = await send(proxy, 'PUT', '/bucket/key', {
      body: ['a'.repeat(70_000), 'b'],
      headers: { host: 's3.test' }
    })
    expect(answer).toMatchObject({ status: 200, body: 'got 70001' })
    expect(seen).toEqual(['PUT /bucket/key s3.test 70001'])
  })

  test.each([
    ['chunked', {}],
    ['of a known length', { 'content-length': '7' }],
    ['behind Expect', { expect: '100-continue', 'content-length': '7' }]
  ])('answer: a request with a body %s is refused by rule, the next goes through', async (_, headers) => {
    const { proxy, seen } = await service()
    const rule = proxy.set({ fault: { answer: slowDown }, match: /^PUT \/bucket\/key/, times: 1 })
    const put = () => send(proxy, 'PUT', '/bucket/key?partNumber=2', { body: ['abc', 'defg'], headers })
    const refused = await put()
    expect(refused).toMatchObject({ status: 503, headers: { 'content-type': 'application/xml' } })
    expect(refused.body).toContain('<Code>SlowDown</Code>')
    expect(seen).toEqual([])
    expect(await put()).toMatchObject({ status: 200, body: 'got 7' })
    expect(rule.hits).toBe(1)
  })

  test('429 without a body, for one path only', async () => {
    const { proxy } = await service()
    const answer: HttpAnswer = { status: 429, headers: { 'retry-after': '1' } }
    proxy.set({ fault: { answer }, match: /^GET .*op=OPEN/ })
    const refused = await send(proxy, 'GET', '/webhdfs/v1/a?op=OPEN')
    expect(refused).toMatchObject({ status: 429, body: '', headers: { 'retry-after': '1' } })
    expect(await send(proxy, 'GET', '/webhdfs/v1/a?op=GETFILESTATUS')).toMatchObject({ status: 200 })
  })

  test('lose-reply: the service has done it, also behind Expect', async () => {
    const { proxy, seen } = await service()
    proxy.set({ fault: 'lose-reply', match: /^PUT/, times: 2 })
    for (const headers of [{}, { expect: '100-continue', 'content-length': '3' }]) {
      const put = send(proxy, 'PUT', '/key', { body: ['abc'], headers })
      await expect(put).rejects.toMatchObject({ code: 'ECONNRESET' })
    }
    expect(seen.length).toBe(2)
  })

  test('bodies do not hide the requests after them on the same connection', () => {
    const chunked =
      'PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nPUT /\r\n3;x=y\r\nabc\r\n0\r\n\r\n'
    const sized = 'POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n'
    const all = Buffer.from(chunked + sized)
    for (const size of [1, 3, 10, 1_000]) {
      const split = httpFraming.requests()
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
        split(all.subarray(n * size, (n + 1) * size))
      ).flat()
      expect(pieces.flatMap(({ begins }) => begins ?? [])).toEqual(['PUT /a', 'POST /b', 'GET /c'])
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes))).toEqual(all)
      expect(pieces.filter(({ ends }) => ends).length).toBe(3)
    }
  })
})

test('without framing every chunk is a request', async () => {
  const { proxy, received } = await echo(tcpFraming)
  proxy.set({ fault: 'lose-reply', skip: 1, times: 1 })
  const { socket, hears, ended, heard } = client(proxy)
  socket.write('first')
  await hears('first')
  socket.write('second')
  expect(await ended).toBe('closed')
  expect(heard().toString()).toBe('first')
  expect(received().toString()).toBe('firstsecond')
})
