import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type EmbeddedEventStream,
  type EventStreamOptions,
  startEventStream
} from '../../../src/embedded/event-stream/event-stream.ts'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { ruleId } from '../../../src/embedded/event-stream/rules.ts'
import { eventLine } from '../../../src/embedded/event-stream/source.ts'

const token = 'a-token'
const seed = 42
const demoRules = ['hadoop', '"big data"', 'kafka', 'cloud'].map((value) => ({ value, tag: 'demo' }))

let dataDir: string
let stream: EmbeddedEventStream
let clients: Client[] = []

async function start(options: Partial<EventStreamOptions> = {}): Promise<void> {
  stream = await startEventStream({ dataDir, token, seed, handoverMs: 20, ...options })
}

async function restart(options: Partial<EventStreamOptions> = {}): Promise<void> {
  await stream.stop()
  await start(options)
}

async function api(method: string, path: string, body?: unknown, bearer = token) {
  const response = await fetch(`${stream.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body)
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const RULES = '/2/tweets/search/stream/rules'

/** Waits for a condition; the machine may be busy. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000 })

/** A connected reader of the stream. */
class Client {
  readonly request: ClientRequest
  readonly response: IncomingMessage
  readonly lines: string[] = []
  keepAlives = 0
  rest = ''
  closed = false

  constructor(request: ClientRequest, response: IncomingMessage) {
    this.request = request
    this.response = response
    response.setEncoding('utf8')
    response.on('error', () => undefined)
    response.on('close', () => {
      this.closed = true
    })
  }

  read(): this {
    this.response.on('data', (text: string) => {
      const parts = (this.rest + text).split('\r\n')
      this.rest = parts.pop() ?? ''
      this.keepAlives += parts.filter((line) => line === '').length
      this.lines.push(...parts.filter((line) => line !== ''))
    })
    return this
  }

  get ids(): string[] {
    return this.lines.map((line) => (JSON.parse(line) as { data: { id: string } }).data.id)
  }

  async has(count: number): Promise<void> {
    await eventually(() => expect(this.lines.length).toBeGreaterThanOrEqual(count))
  }

  close(): void {
    this.request.destroy()
  }
}

async function connect(query = ''): Promise<Client> {
  return await new Promise((resolve, reject) => {
    const url = `${stream.url}/2/tweets/search/stream${query}`
    const request = get(url, { headers: { authorization: `Bearer ${token}` }, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      const client = new Client(request, response)
      clients.push(client)
      resolve(client)
    })
    request.on('error', reject)
  })
}

function expectedIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => tweetAt(seed, index).id)
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'event-stream-'))
  await start()
})

afterEach(async () => {
  for (const client of clients) client.close()
  clients = []
  await stream.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('rules', () => {
  test('are added, listed, refused with a reason, tried out, deleted, and kept over a restart', async () => {
    const added = await api('POST', RULES, {
      add: [{ value: 'kafka', tag: 't' }, { value: 'kafka' }, { value: '(' }]
    })
    expect(added.status).toBe(201)
    expect(added.body).toMatchObject({
      data: [{ id: ruleId('kafka'), value: 'kafka', tag: 't' }],
      meta: { summary: { created: 1, not_created: 2, valid: 1, invalid: 2 } },
      errors: [{ title: 'DuplicateRule', id: ruleId('kafka') }, { title: 'UnprocessableEntity' }]
    })
    await api('POST', `${RULES}?dry_run=true`, { add: [{ value: 'cloud' }] })
    await restart()
    expect((await api('GET', RULES)).body).toMatchObject({
      data: [{ value: 'kafka' }],
      meta: { result_count: 1 }
    })
    const deleted = await api('POST', RULES, { delete: { ids: [ruleId('kafka'), '1'] } })
    expect(deleted.body).toMatchObject({ meta: { summary: { deleted: 1, not_deleted: 1 } } })
    expect((await api('GET', RULES)).body).toMatchObject({ meta: { result_count: 0 } })
  })

  test('what is no rule request is refused', async () => {
    expect((await api('POST', RULES, { add: [], delete: {} })).status).toBe(400)
    expect((await api('POST', RULES, 'text')).status).toBe(400)
    expect((await api('GET', RULES, undefined, 'wrong')).status).toBe(401)
    expect((await api('GET', '/2/other')).status).toBe(404)
  })
})

describe('stream', () => {
  test('sends the generated events in order, each with its rules, and then only keep-alives', async () => {
    await restart({ events: 1000, keepAliveMs: 30 })
    await api('POST', RULES, { add: demoRules })
    const client = (await connect()).read()
    await client.has(1000)
    expect(client.ids).toEqual(expectedIds(1000))
    const first = tweetAt(seed, 0)
    const rule = (JSON.parse(client.lines[0] ?? '') as { matching_rules: { id: string }[] }).matching_rules
    const matching = demoRules
      .map(({ value, tag }) => ({ id: ruleId(value), value, tag }))
      .filter(({ id }) => rule.some((one) => one.id === id))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(matching.length).toBeGreaterThan(0)
    expect(client.lines[0]).toBe(eventLine(first.json, matching))
    await eventually(() => expect(client.keepAlives).toBeGreaterThan(2))
    expect(client.lines).toHaveLength(1000)
    expect([stream.emitted(), stream.finished()]).toEqual([1000, true])
  })

  test('only what matches is sent, and `events` counts just that', async () => {
    await restart({ events: 50 })
    await api('POST', RULES, { add: [{ value: '"big data"' }] })
    const client = (await connect()).read()
    await client.has(50)
    for (const line of client.lines) expect(line.toLowerCase()).toContain('big data')
    await eventually(() => expect(stream.finished()).toBe(true))
    expect(stream.emitted()).toBe(50)
  })

  test('needs rules, a token and a possible backfill', async () => {
    expect((await api('GET', '/2/tweets/search/stream')).status).toBe(409)
    await api('POST', RULES, { add: demoRules })
    expect((await api('GET', '/2/tweets/search/stream', undefined, 'wrong')).status).toBe(401)
    expect((await api('GET', '/2/tweets/search/stream?backfill_minutes=6')).status).toBe(400)
  })

  test('a second client is refused while the first lives, and welcome once it has gone', async () => {
    await api('POST', RULES, { add: demoRules })
    const first = (await connect()).read()
    const { status, body } = await api('GET', '/2/tweets/search/stream')
    expect([status, body.connection_issue]).toEqual([429, 'TooManyConnections'])
    first.close()
    const second = (await connect()).read()
    await second.has(10)
  })

  test('a client that takes nothing stops the stream, and is replaced when it seems dead', async () => {
    await restart({ deadAfterMs: 0 })
    await api('POST', RULES, { add: demoRules })
    await connect()
    let before = -1
    await vi.waitFor(
      () => {
        const now = stream.emitted()
        const still = now === before && now > 0
        before = now
        expect(still).toBe(true)
      },
      { interval: 100, timeout: 20_000 }
    )
    expect(stream.emitted()).toBeLessThan(50_000)
    const second = (await connect('?backfill_minutes=5')).read()
    await second.has(stream.emitted())
    expect(second.ids.slice(0, 100)).toEqual(expectedIds(100))
  })

  test('the rate is kept on average', async () => {
    let nowMs = 0
    await restart({ rate: 100, now: () => nowMs })
    await api('POST', RULES, { add: demoRules })
    const client = (await connect()).read()
    for (let second = 1; second <= 5; second++) {
      nowMs += 1000
      await client.has(second * 100)
    }
    expect(client.lines).toHaveLength(500)
  })
})

describe('backfill', () => {
  test('over stops at any moment, a client that asks for backfill misses nothing and sees no gap', async () => {
    const COUNT = 6000
    await restart({ events: COUNT })
    await api('POST', RULES, { add: demoRules })
    const expected = expectedIds(COUNT)
    const seen = new Set<string>()
    const moments = Array.from({ length: 5 }, () => randomInt(1, 1500))
    for (const moment of [...moments, undefined]) {
      const client = (await connect('?backfill_minutes=5')).read()
      if (moment === undefined) await eventually(() => expect(client.lines.at(-1)).toContain(expected.at(-1)))
      else await client.has(Math.min(moment, COUNT))
      const { ids } = client
      const start = expected.indexOf(ids[0] ?? '')
      expect(start, `moments ${moments}`).toBeLessThanOrEqual(seen.size)
      expect(ids, `moments ${moments}`).toEqual(expected.slice(start, start + ids.length))
      for (const id of ids) seen.add(id)
      await restart({ events: COUNT })
    }
    expect(seen.size).toBe(COUNT)
    expect([stream.emitted(), stream.finished()]).toEqual([COUNT, true])
  })

  test('without backfill the stream goes on where it was', async () => {
    await restart({ events: 100 })
    await api('POST', RULES, { add: demoRules })
    const first = (await connect()).read()
    await first.has(100)
    await restart({ events: 200 })
    const second = (await connect()).read()
    await second.has(100)
    expect([...first.ids, ...second.ids]).toEqual(expectedIds(200))
  })
})

describe('a file instead of the generator', () => {
  test('its lines are sent as they are, without rules, over a restart, the last one without a newline', async () => {
    const lines = ['{"a":1}', 'not json', `{"long":"${'🌊'.repeat(225_000)}"}`, '{"last":true}']
    const input = join(dataDir, 'input.ndjson')
    writeFileSync(input, `${lines[0]}\r\n\n${lines.slice(1).join('\n')}`)
    await restart({ input })
    const client = (await connect()).read()
    await client.has(4)
    expect(client.lines).toEqual(lines)
    await eventually(() => expect([stream.emitted(), stream.finished()]).toEqual([4, true]))
    await restart({ input })
    const again = (await connect('?backfill_minutes=1')).read()
    await again.has(4)
    expect(again.lines).toEqual(lines)
  })
})

describe('faults', () => {
  test('a stream cut within an event, or ended by the service, goes on after a reconnection', async () => {
    await restart({ events: 600 })
    await api('POST', RULES, { add: demoRules })
    stream.faults.add({ subject: /^EMIT 256$/, action: { type: 'lose-reply' } })
    stream.faults.add({ subject: /^EMIT 512$/, action: { type: 'answer', code: 503 } })
    const first = (await connect()).read()
    await eventually(() => expect(first.closed).toBe(true))
    expect(first.lines).toHaveLength(511)
    expect(first.rest).not.toBe('')
    const second = (await connect()).read()
    await eventually(() => expect(second.closed).toBe(true))
    expect(second.lines[0]).toContain('operational-disconnect')
    const third = (await connect('?backfill_minutes=1')).read()
    await third.has(600)
    expect(third.ids).toEqual(expectedIds(600))
  })

  test('a stream can fall silent without closing', async () => {
    await restart({ keepAliveMs: 10 })
    await api('POST', RULES, { add: demoRules })
    stream.faults.add({ subject: /^EMIT/, action: { type: 'hang' }, after: 1 })
    const client = (await connect()).read()
    await client.has(256)
    const { keepAlives } = client
    await expect(
      vi.waitFor(() => expect(client.keepAlives).toBeGreaterThan(keepAlives), 200)
    ).rejects.toThrow()
    expect([client.closed, client.lines.length]).toEqual([false, 256])
  })
})
