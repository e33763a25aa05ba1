import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { CopyTextEncoder } from '../../../src/actors/redshift/copy-text.ts'
import { postgresDialect } from '../../../src/actors/redshift/dialect.ts'
import {
  type CopySource,
  type SessionTimeouts,
  WarehouseSession
} from '../../../src/actors/redshift/session.ts'
import { type EmbeddedWarehouse, startWarehouse } from '../../../src/embedded/warehouse/warehouse.ts'
import { Fault } from '../../../src/errors.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'
import { TcpProxy } from './tcp-proxy.ts'

const password = 'a-secret-of-the-test'
const columns: readonly ColumnSpec[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'text', type: 'string', nullable: true },
  { name: 'at "x"', type: 'timestamp', nullable: true }
]
const chain = 'demo.crucial/hybrid/id-g1/0'

let directory: string
let warehouse: EmbeddedWarehouse
let proxy: TcpProxy
let admin: pg.Client
let table = ''
let tables = 0

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-session-'))
  warehouse = await startWarehouse({ dataDir: directory, user: 'causeway', password, database: 'events' })
  proxy = await TcpProxy.start(warehouse.port)
  admin = new pg.Client({ connectionString: warehouse.url })
  admin.on('error', () => {})
  await admin.connect()
})

afterAll(async () => {
  await admin?.end()
  await proxy?.stop()
  await warehouse?.stop()
  await rm(directory, { recursive: true, force: true })
})

beforeEach(async () => {
  proxy.reset()
  table = `tweets "${++tables}"`
  await admin.query('DROP TABLE IF EXISTS causeway_positions')
})

function open(
  timeouts: Partial<SessionTimeouts> = {},
  url = proxy.urlFor(warehouse.url),
  signal = new AbortController().signal
) {
  const dialect = postgresDialect('public', table, columns)
  const requiredColumns = columns.map(({ name }) => name)
  return WarehouseSession.open({ url, name: 'main', dialect, requiredColumns, timeouts }, signal)
}

/** One file with the rows `id` from `from` to `to`. */
async function* rows(from: number, to: number, hook?: () => Promise<void>): AsyncGenerator<CopySource> {
  async function* chunks() {
    const encoder = new CopyTextEncoder()
    for (let id = from; id < to; id++) {
      encoder.plain(String(id))
      encoder.text(Buffer.from(`tweet ${id}`))
      encoder.null()
      encoder.endRow()
      yield encoder.take()
    }
    await hook?.()
  }
  yield { columns: columns.map(({ name }) => name), chunks: chunks() }
}

async function idsInTable(): Promise<string[]> {
  const { rows } = await admin.query<{ id: string }>(
    `SELECT id FROM ${pg.escapeIdentifier(table)} ORDER BY id`
  )
  return rows.map(({ id }) => id)
}

const ids = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index))

async function positionIn(session: WarehouseSession): Promise<number | undefined> {
  return (await session.positions([{ chain, start: 0 }])).get(chain)
}

async function terminate(): Promise<void> {
  await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'causeway'"
  )
}

test('a transaction writes the rows and the position they lead to, each exactly once', async () => {
  const session = await open()
  expect(await session.positions([{ chain, start: 5 }])).toEqual(new Map([[chain, 5]]))
  expect(await session.load({ chain, from: 5, to: 9 }, rows(5, 9))).toEqual({ outcome: 'loaded', rows: 4 })
  expect(await session.load({ chain, from: 5, to: 9 }, rows(5, 9))).toEqual({ outcome: 'moved', position: 9 })
  // A start given later changes nothing, and an empty range moves the position alone.
  expect(await session.load({ chain, from: 9, to: 12 }, rows(9, 9))).toEqual({ outcome: 'loaded', rows: 0 })
  expect(
    await session.positions([
      { chain, start: 5 },
      { chain: 'other', start: 3 }
    ])
  ).toEqual(
    new Map([
      [chain, 12],
      ['other', 3]
    ])
  )
  expect(await idsInTable()).toEqual(ids(5, 9))
  session.destroy()
})

test('two tables that are loaded from one chain have positions of their own', async () => {
  const first = await open()
  await first.positions([{ chain, start: 0 }])
  await first.load({ chain, from: 0, to: 3 }, rows(0, 3))
  table = `${table} second`
  const second = await open()
  expect(await positionIn(second)).toBe(0)
  expect(await second.load({ chain, from: 0, to: 2 }, rows(0, 2))).toMatchObject({ outcome: 'loaded' })
  expect([await positionIn(first), await positionIn(second)]).toEqual([3, 2])
  expect(await idsInTable()).toEqual(ids(0, 2))
  for (const session of [first, second]) session.destroy()
})

test('a table that was dropped is loaded again from the start', async () => {
  const session = await open()
  await session.positions([{ chain, start: 0 }])
  await session.load({ chain, from: 0, to: 3 }, rows(0, 3))
  session.destroy()
  await admin.query(`DROP TABLE ${pg.escapeIdentifier(table)}`)
  const next = await open()
  expect(await positionIn(next)).toBe(0)
  next.destroy()
})

test('sessions that start together create one table, and an existing one is used as it is', async () => {
  const sessions = await Promise.all(Array.from({ length: 4 }, () => open()))
  for (const session of sessions) session.destroy()
  await admin.query(`ALTER TABLE ${pg.escapeIdentifier(table)} ADD COLUMN note TEXT DEFAULT 'ours'`)
  ;(await open()).destroy()
  await admin.query(`ALTER TABLE ${pg.escapeIdentifier(table)} DROP COLUMN text`)
  await expect(open()).rejects.toMatchObject({
    code: 'warehouse-mismatch',
    message: expect.stringContaining('no column text')
  })
})

test('values arrive as they are: 64-bit ids, escapes, emoji, instants, null', async () => {
  const session = await open()
  await session.positions([{ chain, start: 0 }])
  const text = 'tab\t line\n return\r back\\slash \\N \\. "quoted" 🎉 \u2028 \ufeff'
  const encoder = new CopyTextEncoder()
  const row = (id: string, value: string | null, at: string | null) => {
    encoder.plain(id)
    if (value === null) encoder.null()
    else encoder.text(Buffer.from(value))
    if (at === null) encoder.null()
    else encoder.plain(at)
    encoder.endRow()
  }
  row('9223372036854775807', text, '2018-10-10T20:19:24.001Z')
  row('-9223372036854775808', '', '10000-01-01T00:00:00.000Z')
  row('0', null, null)
  row('1', '\\N', '0044-03-15T12:00:00.000Z BC')
  async function* source(): AsyncGenerator<CopySource> {
    async function* chunks() {
      yield encoder.take()
    }
    yield { columns: columns.map(({ name }) => name), chunks: chunks() }
  }
  expect(await session.load({ chain, from: 0, to: 4 }, source())).toEqual({ outcome: 'loaded', rows: 4 })
  const at = `extract(epoch FROM "at ""x""") * 1000`
  const found = await admin.query(
    `SELECT id::text, text, (${at})::bigint::text AS at FROM ${pg.escapeIdentifier(table)} ORDER BY id`
  )
  expect(found.rows).toEqual([
    { id: '-9223372036854775808', text: '', at: String(Date.UTC(10_000, 0, 1)) },
    { id: '0', text: null, at: null },
    { id: '1', text: '\\N', at: String(new Date('-000043-03-15T12:00:00.000Z').getTime()) },
    { id: '9223372036854775807', text, at: String(Date.UTC(2018, 9, 10, 20, 19, 24, 1)) }
  ])
  session.destroy()
})

test('a session killed in the middle of a transaction leaves nothing', async () => {
  const session = await open()
  await session.positions([{ chain, start: 0 }])
  const cut = session.load({ chain, from: 0, to: 500 }, rows(0, 500, terminate))
  await expect(cut).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  session.destroy()
  const next = await open()
  expect(await positionIn(next)).toBe(0)
  expect(await idsInTable()).toEqual([])
  expect(await next.load({ chain, from: 0, to: 500 }, rows(0, 500))).toMatchObject({ rows: 500 })
  expect(await idsInTable()).toEqual(ids(0, 500))
  next.destroy()
})

test('a lost reply to COMMIT is a doubt that the position resolves', async () => {
  for (const isCommitted of [true, false]) {
    table = `doubt ${isCommitted}`
    await admin.query('DROP TABLE IF EXISTS causeway_positions')
    proxy.reset()
    const session = await open()
    await session.positions([{ chain, start: 0 }])
    let hasCommit = false
    proxy.onRequest = (bytes) => {
      hasCommit ||= bytes.includes('COMMIT')
      return hasCommit && !isCommitted ? 'drop' : 'pass'
    }
    proxy.onReply = () => (hasCommit ? 'drop' : 'pass')
    const load = session.load({ chain, from: 0, to: 3 }, rows(0, 3))
    await expect(load).rejects.toMatchObject({ code: 'unreachable', retryable: true })
    proxy.reset()
    const next = await open()
    expect(await positionIn(next)).toBe(isCommitted ? 3 : 0)
    expect(await idsInTable()).toEqual(isCommitted ? ids(0, 3) : [])
    next.destroy()
  }
})

test.each(['BEGIN', 'FOR UPDATE', 'COPY', 'UPDATE', 'COMMIT'])(
  'a server that falls silent at %s is given up',
  async (statement) => {
    const session = await open({ statementMs: 200, graceMs: 100, briefMs: 100 })
    await session.positions([{ chain, start: 0 }])
    let isSilent = false
    proxy.onRequest = (bytes) => {
      isSilent ||= bytes.includes(statement)
      return 'pass'
    }
    proxy.onReply = () => (isSilent ? 'hold' : 'pass')
    await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
      code: 'unreachable',
      retryable: true
    })
    expect(isSilent).toBe(true)
    session.destroy()
    proxy.reset()
    proxy.onReply = () => 'hold'
    await expect(open({ connectMs: 100 })).rejects.toMatchObject({ retryable: true })
  }
)

test('two loaders that race for one chain load each row once', async () => {
  const [left, right] = [await open(), await open()]
  const outcomes = { loaded: 0, moved: 0, busy: 0 }
  const race = async (session: WarehouseSession) => {
    for (let position = (await positionIn(session)) ?? 0; position < 200; ) {
      const to = position + 10
      const result = await session.load({ chain, from: position, to }, rows(position, to))
      outcomes[result.outcome]++
      if (result.outcome === 'loaded') position = to
      else position = result.outcome === 'moved' ? result.position : ((await positionIn(session)) ?? 0)
    }
  }
  await Promise.all([race(left), race(right)])
  expect(await idsInTable()).toEqual(ids(0, 200))
  expect(outcomes.loaded).toBe(20)
  expect(outcomes.moved + outcomes.busy).toBeGreaterThan(0)
  for (const session of [left, right]) session.destroy()
})

test('a row that another session holds is busy at once, and its lock ends with an idle session', async () => {
  const holder = await open({ idleTransactionMs: 150 })
  await holder.positions([{ chain, start: 0 }])
  const session = await open()
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const stuck = holder.load({ chain, from: 0, to: 1 }, stall(held.resolve, released.promise))
  await held.promise
  expect(await session.load({ chain, from: 0, to: 1 }, rows(0, 1))).toEqual({ outcome: 'busy' })
  await expect
    .poll(async () => (await session.load({ chain, from: 0, to: 1 }, rows(0, 1))).outcome, {
      timeout: 5_000,
      interval: 20
    })
    .toBe('loaded')
  released.resolve()
  await expect(stuck).rejects.toMatchObject({ retryable: true })
  expect(await idsInTable()).toEqual(['0'])
  holder.destroy()
  session.destroy()
})

/** A source that waits inside the transaction. */
async function* stall(held: () => void, released: Promise<void>): AsyncGenerator<CopySource> {
  held()
  await released
  yield* rows(0, 1)
}

test('refused rows and broken sources blame themselves, write nothing, and leave the session usable', async () => {
  const session = await open()
  await session.positions([{ chain, start: 0 }])
  async function* bad(line: string): AsyncGenerator<CopySource> {
    yield* rows(0, 3)
    async function* chunks() {
      yield Buffer.from(line)
    }
    yield { columns: ['id', 'text'], chunks: chunks() }
  }
  const refused = await session
    .load({ chain, from: 0, to: 4 }, bad('private words\tx\n'))
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'rows-refused', retryable: false })
  expect(String(refused)).toMatch(/SQLSTATE 22P02, COPY tweets "\d+", line 1, column id\)/)
  const broken = new Fault('file-corrupt', 'a broken file')
  const failing = rows(0, 3, () => Promise.reject(broken))
  await expect(session.load({ chain, from: 0, to: 3 }, failing)).rejects.toBe(broken)
  expect(await idsInTable()).toEqual([])
  expect(await session.load({ chain, from: 0, to: 3 }, rows(0, 3))).toMatchObject({ outcome: 'loaded' })
  session.destroy()
})

test('a position that disappeared stops the loader instead of loading everything twice', async () => {
  const session = await open()
  await session.positions([{ chain, start: 0 }])
  await admin.query('DELETE FROM causeway_positions')
  await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
    code: 'warehouse-position-missing',
    retryable: false
  })
  session.destroy()
})

test('an abort ends the session at once', async () => {
  const abort = new AbortController()
  const session = await open({}, undefined, abort.signal)
  await session.positions([{ chain, start: 0 }])
  const load = session.load(
    { chain, from: 0, to: 3 },
    rows(0, 3, async () => abort.abort())
  )
  await expect(load).rejects.toMatchObject({ code: 'unreachable' })
  const sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'causeway'"
  await expect.poll(async () => (await admin.query(sessions)).rowCount, { timeout: 5_000 }).toBe(0)
  expect(await idsInTable()).toEqual([])
})

test('no fault shows the password, whatever is wrong with the URL or the server', async () => {
  const wrong = new URL(warehouse.url)
  wrong.password = 'wrong-secret'
  const nowhere = new URL(warehouse.url)
  nowhere.port = '1'
  const noDatabase = new URL(warehouse.url)
  noDatabase.pathname = '/none'
  const cases = [
    { url: wrong.href, code: 'warehouse-denied', retryable: false },
    { url: nowhere.href, code: 'unreachable', retryable: true },
    { url: noDatabase.href, code: 'warehouse-missing', retryable: false },
    { url: `not a url ${password}`, code: 'config-invalid', retryable: false }
  ]
  for (const { url, ...expected } of cases) {
    const fault = await open({}, url).catch((error: unknown) => error)
    expect(fault).toMatchObject(expected)
    for (const shown of [
      String(fault),
      inspect(fault, { depth: 10, showHidden: true }),
      JSON.stringify(fault)
    ]) {
      expect(shown).not.toContain(password)
      expect(shown).not.toContain('wrong-secret')
    }
  }
})
