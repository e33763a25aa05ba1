import { mkdtemp, rm } from 'node:fs/promises'
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { HdfsStore } from '../../../src/actors/hdfs/store.ts'
import { WebHdfs } from '../../../src/actors/hdfs/webhdfs.ts'
import type { DataFile, Preparation, PreparedFile } from '../../../src/actors/store/store.ts'
import { type EmbeddedWebHdfs, startWebHdfs } from '../../../src/embedded/webhdfs/webhdfs.ts'

const { signal } = new AbortController()
let directory: string
let hdfs: EmbeddedWebHdfs
let store: HdfsStore

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-webhdfs-'))
  hdfs = await startWebHdfs({ dataDir: join(directory, 'one'), superuser: 'causeway' })
  store = open([hdfs.url])
})
afterEach(() => {
  hdfs.faults.clear()
  hdfs.setState('active')
})
afterAll(async () => {
  store.close()
  await hdfs.stop()
  await rm(directory, { recursive: true })
})

const open = (namenodes: readonly string[], user = 'causeway') =>
  new HdfsStore({ namenodes, path: '/lake', user, timeoutMs: 2_000 })
const fileOf = (path: string, content = 'abc'): DataFile => ({
  ...{ path, parts: [Buffer.from(content)], bytes: content.length },
  ...{ entryId: 'c/0-n' }
})
const preparedOf = (file: DataFile, preparation: Preparation): PreparedFile => ({ ...file, preparation })

/** The URL of a server that answers as the listener says. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Asks `to` in place of who asked, and gives back its answer. */
function passOn(asked: IncomingMessage, response: ServerResponse, to: URL): void {
  const passed = forward(to, { method: asked.method }, (reply) => {
    response.writeHead(reply.statusCode ?? 500, reply.headers)
    reply.pipe(response)
  })
  asked.pipe(passed)
}

/** A server whose answers are none of HDFS's. */
const answering = (status: number, body: string, type = 'application/json'): Promise<string> =>
  serve((_, response) => response.writeHead(status, { 'content-type': type }).end(body))

test('a data file waits as a hidden file in its final directory, which nobody may write to', async () => {
  const preparation = await store.prepare(fileOf('data/dt=1/t+0+0+1+ab.parquet'), signal)
  expect(preparation).toEqual({ type: 'rename', temporary: 'data/dt=1/.t+0+0+1+ab.parquet' })
  const url = `${hdfs.url}/webhdfs/v1/lake/data/dt=1?op=LISTSTATUS&user.name=causeway`
  const { FileStatuses } = (await (await fetch(url)).json()) as {
    FileStatuses: { FileStatus: { pathSuffix: string; permission: string }[] }
  }
  expect(FileStatuses.FileStatus).toMatchObject([{ pathSuffix: '.t+0+0+1+ab.parquet', permission: '444' }])
})

test('a standby, a safe or an unreachable NameNode is passed over for the next one', async () => {
  const second = await startWebHdfs({ dataDir: join(directory, 'two'), superuser: 'causeway' })
  onTestFinished(() => second.stop())
  const both = open([hdfs.url, second.url])
  for (const state of ['standby', 'safe-mode'] as const) {
    hdfs.setState(state)
    expect(await both.create(`${state}.json`, Buffer.from('x'), signal)).toEqual({ outcome: 'created' })
    expect((await open([second.url]).read(`${state}.json`, signal))?.toString()).toBe('x')
  }
  const dead = open(['http://127.0.0.1:1', second.url])
  expect((await dead.read('standby.json', signal))?.toString()).toBe('x')
})

test('with no NameNode ready a creation is doubtful and everything else retryable', async () => {
  for (const state of ['standby', 'safe-mode'] as const) {
    hdfs.setState(state)
    expect(await store.create('x.json', Buffer.from('x'), signal)).toMatchObject({
      outcome: 'doubtful',
      fault: { code: 'store-not-ready', retryable: true }
    })
  }
  hdfs.setState('standby')
  await expect(store.stat('x.json', signal)).rejects.toMatchObject({ code: 'store-not-ready' })
})

test('a request that may have had its effect is not repeated at the next NameNode', async () => {
  const second = await startWebHdfs({ dataDir: join(directory, 'three'), superuser: 'causeway' })
  onTestFinished(() => second.stop())
  hdfs.faults.add({ subject: /^RENAME/, action: { type: 'lose-reply' } })
  const answer = await open([hdfs.url, second.url]).create('lost.json', Buffer.from('x'), signal)
  expect(answer).toMatchObject({ outcome: 'doubtful', fault: { code: 'store-unavailable' } })
})

test('a creation whose temporary is gone is doubtful: an earlier try may have moved it', async () => {
  hdfs.faults.add({
    subject: /^RENAME/,
    action: { type: 'answer', code: 404, error: 'FileNotFoundException' }
  })
  expect(await store.create('moved.json', Buffer.from('x'), signal)).toMatchObject({
    outcome: 'doubtful',
    fault: { code: 'hdfs-not-found' }
  })
})

test('an upload that was cut is no prepared file', async () => {
  hdfs.faults.add({ subject: /^DATA CREATE/, action: { type: 'disk-full' } })
  const failed = store.prepare(fileOf('data/cut.parquet', 'x'.repeat(10_000)), signal)
  await expect(failed).rejects.toMatchObject({ retryable: true })
})

test('an upload that came out shorter is no prepared file, whatever the DataNode said', async () => {
  const direct = new WebHdfs({ namenodes: [hdfs.url], user: 'causeway' })
  onTestFinished(() => direct.close())
  const url = await serve(async (asked, response) => {
    const to = new URL(asked.url ?? '/', hdfs.url)
    if (to.searchParams.get('op') !== 'CREATE') return passOn(asked, response, to)
    // Both steps come here, and the second one leaves its last byte here.
    const body = await buffer(asked)
    if (body.length === 0) return response.writeHead(307, { location: `${url}${asked.url}` }).end()
    const path = to.pathname.slice('/webhdfs/v1'.length)
    await direct.create(path, [body.subarray(0, -1)], '444', signal)
    response.writeHead(201).end()
  })
  const cutting = open([url])
  onTestFinished(() => cutting.close())
  await expect(cutting.prepare(fileOf('data/short.parquet'), signal)).rejects.toMatchObject({
    code: 'prepared-short',
    retryable: true
  })
  expect(await direct.status('/lake/data/.short.parquet', signal)).toBeUndefined()
})

test('a publication that permissions or quotas refuse is blocked; one that may pass is retryable', async () => {
  const file = fileOf('data/blocked.parquet')
  const prepared = preparedOf(file, await store.prepare(file, signal))
  for (const error of ['AccessControlException', 'DSQuotaExceededException']) {
    hdfs.faults.add({ subject: /^RENAME/, action: { type: 'answer', code: 403, error } })
    await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'publish-blocked' })
  }
  hdfs.faults.add({ subject: /^RENAME/, action: { type: 'answer', code: 403, error: 'IOException' } })
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ retryable: true })
  hdfs.faults.add({ subject: /^RENAME/, action: { type: 'answer', code: 403, error: 'RetriableException' } })
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ retryable: true })
  await store.publish(prepared, signal)
})

test('a user who may not write is told so', async () => {
  const stranger = open([hdfs.url], 'stranger')
  await expect(stranger.create('s.json', Buffer.from('x'), signal)).rejects.toMatchObject({
    code: 'store-denied',
    retryable: false
  })
  await expect(stranger.probe(signal)).rejects.toMatchObject({ code: 'store-denied' })
})

test('the errors of both steps of an upload are seen', async () => {
  const file = fileOf('data/steps.parquet')
  hdfs.faults.add({
    subject: /^CREATE/,
    action: { type: 'answer', code: 403, error: 'NSQuotaExceededException' }
  })
  await expect(store.prepare(file, signal)).rejects.toMatchObject({ code: 'store-quota' })
  hdfs.faults.add({
    subject: /^DATA CREATE/,
    action: { type: 'answer', code: 403, error: 'DSQuotaExceededException' }
  })
  await expect(store.prepare(file, signal)).rejects.toMatchObject({ code: 'store-quota' })
})

test('absence is only what HDFS says is absent', async () => {
  const proxy = open([await answering(404, '<html>not here</html>', 'text/html')])
  await expect(proxy.read('a.json', signal)).rejects.toMatchObject({ code: 'store-refused' })
  await expect(proxy.stat('a.json', signal)).rejects.toMatchObject({ code: 'store-refused' })
  const busy = open([await answering(503, 'busy', 'text/plain')])
  await expect(busy.stat('a.json', signal)).rejects.toMatchObject({ code: 'store-unavailable' })
  const odd = open([await answering(200, 'no json', 'text/plain')])
  await expect(odd.stat('a.json', signal)).rejects.toMatchObject({ code: 'store-unavailable' })
})

test('a server that ignores rename options answers with a boolean, which is told', async () => {
  for (const [boolean, renamed] of [
    [false, false],
    [true, true]
  ] as const) {
    const client = new WebHdfs({
      namenodes: [await answering(200, JSON.stringify({ boolean }))],
      user: undefined
    })
    expect(await client.rename('/a', '/b', 'NONE', signal)).toBe(renamed)
    client.close()
  }
})

/**
 * As HttpFS does: it knows no rename options, reads files by itself, and has uploads sent to itself again, with
 * `data=true`.
 */
async function serveHttpFs(): Promise<string> {
  const url = await serve((asked, response) => {
    const to = new URL(asked.url ?? '/', hdfs.url)
    const { searchParams } = to
    searchParams.delete('renameoptions')
    const op = searchParams.get('op')
    const isData = searchParams.get('data') === 'true'
    if (op === 'CREATE' && !isData) {
      searchParams.set('data', 'true')
      response.writeHead(307, { location: `${url}${to.pathname}${to.search}` }).end()
    } else if (op === 'CREATE' && asked.headers['content-type'] !== 'application/octet-stream') {
      response.writeHead(400).end()
    } else if (op === 'CREATE' || op === 'OPEN') {
      const reach = async () => {
        const method = asked.method ?? 'GET'
        const body = method === 'PUT' ? await buffer(asked) : undefined
        const first = await fetch(to, { method, redirect: 'manual' })
        const place = first.headers.get('location')
        if (place === null) return { status: first.status, body: await first.text() }
        const second = forward(place, { method }, (reply) => {
          response.writeHead(reply.statusCode ?? 500, reply.headers)
          reply.pipe(response)
        })
        second.end(body)
        return undefined
      }
      reach().then((answer) => {
        if (answer) response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
      })
    } else passOn(asked, response, to)
  })
  return url
}

test('a token says who asks, in place of the user', async () => {
  const asked: URL[] = []
  const url = await serve((request, response) => {
    asked.push(new URL(request.url ?? '/', 'http://namenode'))
    const RemoteException = { exception: 'InvalidToken', message: 'token (token for causeway) is expired' }
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ RemoteException }))
  })
  const client = new WebHdfs({ namenodes: [url], user: 'causeway', delegationToken: 'KAAKSm9i+/=' })
  onTestFinished(() => client.close())
  await expect(client.delete('/a', signal)).rejects.toMatchObject({ code: 'store-denied', retryable: false })
  expect(
    asked.map(({ searchParams }) => [searchParams.get('delegation'), searchParams.get('user.name')])
  ).toEqual([['KAAKSm9i+/=', null]])
})

test('a store behind HttpFS proves itself, reads what it wrote, and refuses what is there', async () => {
  const plain = open([await serveHttpFs()])
  onTestFinished(() => plain.close())
  await plain.probe(signal)
  expect(await plain.create('h/a.json', Buffer.from('one'), signal)).toEqual({ outcome: 'created' })
  expect(await plain.create('h/a.json', Buffer.from('two'), signal)).toEqual({ outcome: 'exists' })
  await plain.replace('h/a.json', Buffer.from('three'), signal)
  expect((await plain.read('h/a.json', signal))?.toString()).toBe('three')
  expect(await plain.read('h/none.json', signal)).toBeUndefined()
  const file = fileOf('h/f.parquet')
  const prepared = preparedOf(file, await plain.prepare(file, signal))
  await plain.publish(prepared, signal)
  await plain.publish(prepared, signal)
})

test('a DataNode that cannot be reached is excluded from the next try', async () => {
  const asked: string[] = []
  const { port } = new URL(hdfs.url)
  const url = await serve((request, response) => {
    asked.push(request.url ?? '')
    const location =
      asked.length === 1 ? 'http://127.0.0.1:1/webhdfs/v1/x' : `http://127.0.0.1:${port}/not-hdfs`
    response.writeHead(307, { location }).end()
  })
  const client = new WebHdfs({ namenodes: [url], user: undefined })
  onTestFinished(() => client.close())
  await expect(client.create('/x', [Buffer.from('x')], '444', signal)).rejects.toThrow()
  expect(asked).toHaveLength(2)
  expect(asked[1]).toMatch(/&excludedatanodes=127\.0\.0\.1$/)
})
