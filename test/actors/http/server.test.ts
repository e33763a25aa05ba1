import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { createActor, toPromise } from 'xstate'
import { buildServer, httpServer } from '../../../src/actors/http/server.ts'
import { roadConfig, roleStatus, workerView } from '../../support/worker-view.ts'

const open = roadConfig()
const guarded = roadConfig(`[http]\ntoken = "\${env:TOKEN}"\n`)
const bearer = { authorization: 'Bearer sesame' }

test('the page is one file that talks to nobody else', async () => {
  const app = buildServer(open, workerView)
  const { body, headers, statusCode } = await app.inject('/')
  expect(statusCode).toBe(200)
  expect(headers['content-type']).toBe('text/html; charset=utf-8')
  expect(headers['content-security-policy']).toMatch(
    /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/
  )
  expect(body).not.toMatch(/(src|href|url)\s*[=(]\s*["']?(https?:)?\/\//)
  expect(body).not.toMatch(/ style="| on[a-z]+="|innerHTML/)
  expect(body.match(/<script>/g)).toHaveLength(1)
  expect(body.match(/<style>/g)).toHaveLength(1)
})

test('the state has the worker, its roles, the road and the rates', async () => {
  let [now, recordsRead] = [1_060_000, 100]
  const app = buildServer(open, () => workerView({ now, roles: [roleStatus({ counters: { recordsRead } })] }))
  const first = (await app.inject('/api/state')).json()
  expect(first).toMatchObject({
    name: 'hybrid',
    state: 'running',
    unready: [],
    rates: {},
    roles: [{ id: 'mirror.cloud', ready: true, partitions: [{ position: 90, end: 100 }] }]
  })
  expect(first.road.nodes.map(({ id }: { id: string }) => id)).toContain('role:mirror.cloud')
  now += 2000
  recordsRead += 300
  expect((await app.inject('/api/state')).json().rates).toEqual({ 'mirror.cloud': { recordsRead: 150 } })
})

test('ready means that the states say so', async () => {
  let view = workerView()
  const app = buildServer(open, () => view)
  const ready = async () => {
    const { statusCode, body } = await app.inject('/readyz')
    return [statusCode, JSON.parse(body)]
  }
  expect(await ready()).toEqual([200, { ready: true, reasons: [] }])
  view = workerView({ roles: [roleStatus({ ready: false, state: 'running.restoring' })] })
  expect(await ready()).toEqual([503, { ready: false, reasons: ['mirror.cloud is running.restoring'] }])
  const reasons = ['orders-3 is held: the target has no topic orders', 'orders-4 is restoring']
  view = workerView({ roles: [roleStatus({ ready: false, reasons })] })
  expect(await ready()).toEqual([
    503,
    { ready: false, reasons: reasons.map((reason) => `mirror.cloud: ${reason}`) }
  ])
  const lastFault = { code: 'unreachable', message: 'kafka:9092 is away', at: 0 }
  view = workerView({ roles: [roleStatus({ ready: false, supervision: 'backing-off', lastFault })] })
  expect(await ready()).toEqual([
    503,
    { ready: false, reasons: ['mirror.cloud is backing-off: kafka:9092 is away'] }
  ])
  view = workerView({ state: 'draining' })
  expect(await ready()).toEqual([503, { ready: false, reasons: ['the worker is draining'] }])
  view = workerView({ roles: [roleStatus({ ready: false, supervision: 'finished' })] })
  expect(await ready()).toEqual([200, { ready: true, reasons: [] }])
  expect((await app.inject('/healthz')).statusCode).toBe(200)
})

test('with a token, only its bearer sees data; the page itself has none', async () => {
  const app = buildServer(guarded, workerView)
  for (const url of ['/api/state', '/metrics', '/nothing']) {
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: 'Basic sesame' },
      { authorization: 'sesame' }
    ]) {
      const response = await app.inject({ url, headers })
      expect([url, response.statusCode, response.headers['www-authenticate']]).toEqual([url, 401, 'Bearer'])
      expect(response.body).not.toContain('mirror')
    }
  }
  expect((await app.inject({ url: '/api/state', headers: bearer })).statusCode).toBe(200)
  expect((await app.inject({ url: '/metrics', headers: bearer })).statusCode).toBe(200)
  expect((await app.inject('/')).statusCode).toBe(200)
  expect((await app.inject('/readyz')).json()).toEqual({ ready: true })
  expect((await app.inject({ url: '/readyz', headers: bearer })).json()).toEqual({ ready: true, reasons: [] })
  const state = await app.inject({ url: '/api/state', headers: bearer })
  expect(state.body).not.toContain('sesame')
})

test('without a token a name that leads here by DNS does not enter', async () => {
  const app = buildServer(open, workerView)
  const status = async (host: string) =>
    (await app.inject({ url: '/api/state', headers: { host } })).statusCode
  expect(await status('evil.example:9464')).toBe(421)
  for (const host of ['localhost:9464', '127.0.0.1:9464', '[::1]:9464', 'localhost'])
    expect(await status(host)).toBe(200)
})

test('an unknown path is not found, and an error tells its code only', async () => {
  const app = buildServer(open, () => {
    throw new Error('secret detail')
  })
  expect((await app.inject('/nothing')).statusCode).toBe(404)
  const { statusCode, body } = await app.inject('/api/state')
  expect(statusCode).toBe(500)
  expect(body).toBe('{"error":"unknown"}')
})

test('the task listens until it is stopped and gives the port back', async () => {
  const config = roadConfig('[http]\nlisten = "127.0.0.1:0"\n')
  const [listening, closed] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
  const logic = httpServer({
    config,
    view: workerView,
    onListening: listening.resolve,
    onClosed: closed.resolve
  })
  const actor = createActor(logic, { input: undefined }).start()
  const address = await listening.promise
  expect((await fetch(`${address}/healthz`)).status).toBe(200)
  actor.stop()
  await closed.promise
  await expect(fetch(`${address}/healthz`)).rejects.toThrow()
})

test('a port in use is named', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const config = roadConfig(`[http]\nlisten = "127.0.0.1:${port}"\n`)
  const closed = Promise.withResolvers<void>()
  const actor = createActor(
    httpServer({ config, view: workerView, onListening: () => undefined, onClosed: closed.resolve }),
    { input: undefined }
  )
  const ended = toPromise(actor)
  actor.start()
  await expect(ended).rejects.toMatchObject({
    code: 'port-in-use',
    message: `http.listen 127.0.0.1:${port} is in use`
  })
  await closed.promise
  other.close()
})
