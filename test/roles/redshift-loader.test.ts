import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { type AnyActorRef, createActor } from 'xstate'
import { ByteBudget } from '../../src/actors/budget.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import { loadConfig } from '../../src/config.ts'
import { type EmbeddedObjectStore, startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { type EmbeddedWarehouse, startWarehouse } from '../../src/embedded/warehouse/warehouse.ts'
import { createRedshiftLoader } from '../../src/roles/redshift-loader.ts'
import type { Role, RoleContext, RoleView } from '../../src/roles/role.ts'
import { chainOf, idOf, SinkLog, textOf } from '../actors/redshift/sink-log.ts'
import { TcpProxy } from '../actors/redshift/tcp-proxy.ts'
import { seededRandom } from '../support/random.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const { signal } = new AbortController()

let directory: string
let warehouse: EmbeddedWarehouse
let s3: EmbeddedObjectStore
let proxy: TcpProxy
let admin: pg.Client
let store: S3Store
let instances = 0
let table = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-loader-'))
  const access = { user: 'causeway', password: 'p%@/ss', database: 'events' }
  warehouse = await startWarehouse({ dataDir: join(directory, 'warehouse'), ...access })
  proxy = await TcpProxy.start(warehouse.port)
  s3 = await startObjectStore({
    dataDir: join(directory, 's3'),
    region: 'us-east-1',
    ...credentials,
    buckets: ['lake']
  })
  admin = new pg.Client({ connectionString: warehouse.url })
  await admin.connect()
})

afterAll(async () => {
  await admin?.end()
  await s3?.stop()
  await proxy?.stop()
  await warehouse?.stop()
  await rm(directory, { recursive: true, force: true })
})

beforeEach(async () => {
  table = `tweets_${++instances}`
  s3.faults.clear()
  proxy.reset()
  await admin.query('DROP TABLE IF EXISTS causeway_positions')
  store = new S3Store({
    bucket: 'lake',
    prefix: table,
    region: 'us-east-1',
    endpoint: s3.endpoint,
    pathStyle: true,
    credentials
  })
  await writeFile(
    join(directory, 'causeway.toml'),
    `
name = "demo"
data_dir = "data"
[cluster.aws]
brokers = ["127.0.0.1:1"]
[store.lake]
type = "s3"
bucket = "lake"
prefix = "${table}"
endpoint = "${s3.endpoint}"
path_style = true
access_key_id = "\${env:KEY_ID}"
secret_access_key = "\${env:KEY}"
[warehouse.main]
dialect = "postgres"
url = "\${env:WAREHOUSE}"
[s3_sink.crucial]
cluster = "aws"
topics = ["hybrid"]
store = "lake"
[redshift_loader.tweets]
from = "s3_sink.crucial"
warehouse = "main"
table = "${table}"
poll_interval = "10ms"
batch_entries = 3
`
  )
})

function loader(): Role {
  const { accessKeyId: KEY_ID, secretAccessKey: KEY } = credentials
  const context: RoleContext = {
    config: loadConfig(join(directory, 'causeway.toml'), {
      KEY_ID,
      KEY,
      WAREHOUSE: proxy.urlFor(warehouse.url)
    }),
    log: pino({ level: 'silent' }),
    budget: new ByteBudget(1 << 20),
    cluster: () => expect.fail('the loader needs no Kafka'),
    workerId: 'w1',
    now: () => 0,
    random: () => 0
  }
  return createRedshiftLoader(context, 'tweets')
}

/** Waits a twentieth of the time: backing off is not what these tests are about. */
const hurried = {
  setTimeout: (run: (...args: unknown[]) => void, ms: number) => setTimeout(run, ms / 20),
  clearTimeout: (id: NodeJS.Timeout) => clearTimeout(id)
}

function run(role = loader()): { readonly actor: AnyActorRef; readonly view: () => RoleView } {
  const actor = createActor(role.logic, { input: role.input, clock: hurried })
  actor.subscribe({ error: () => {} })
  actor.start()
  onTestFinished(() => {
    actor.stop()
  })
  return { actor, view: () => role.describe(actor.getSnapshot()) }
}

interface Row {
  readonly id: string
  readonly text: string | null
  readonly offset: string
}

async function rowsOf(partition: number): Promise<Row[]> {
  const { rows } = await admin.query<Row>(
    `SELECT id::text, text, _offset::text AS offset FROM ${table} WHERE _partition = $1 ORDER BY _offset`,
    [partition]
  )
  return rows
}

const expectedRows = (partition: number, from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, index) => {
    const offset = from + index
    return { id: idOf(partition, offset).toString(), text: textOf(offset), offset: String(offset) }
  })

const until = (condition: () => Promise<void> | void) =>
  expect
    .poll(
      async () => {
        try {
          await condition()
          return 'met'
        } catch (error) {
          return String(error)
        }
      },
      { timeout: 20_000, interval: 10 }
    )
    .toBe('met')

test('the log of every partition arrives exactly, later entries and chains too, and a drain ends it', async () => {
  const logs = [await SinkLog.begin(store, chainOf(0), 5), await SinkLog.begin(store, chainOf(1))]
  for (let entry = 0; entry < 7; entry++)
    for (const log of logs) await log.append(20, entry === 3 ? 'none' : 'whole')
  const { actor, view } = run()
  await until(() =>
    expect(view().partitions).toMatchObject([
      { position: 145, end: 145 },
      { position: 140, end: 140 }
    ])
  )
  expect(await rowsOf(0)).toEqual([...expectedRows(0, 5, 65), ...expectedRows(0, 85, 145)])
  await logs[0]?.append(10)
  const late = await SinkLog.begin(store, chainOf(2), 1_000)
  await late.append(5)
  await until(() => expect(view().partitions.map(({ position }) => position)).toEqual([155, 140, 1_005]))
  expect(await rowsOf(2)).toEqual(expectedRows(2, 1_000, 1_005))
  await until(() =>
    expect(view()).toMatchObject({ state: 'working.idle', ready: true, flow: 'flowing', notes: [] })
  )
  expect(view().counters).toMatchObject({ rowsLoaded: 255, entriesLoaded: 16, filesLoaded: 14, faults: 0 })
  expect(view().partitions[2]).toEqual({
    topic: 'hybrid',
    partition: 2,
    state: 'following',
    position: 1_005,
    end: 1_005
  })
  actor.send({ type: 'drain' })
  await until(() => expect(actor.getSnapshot()).toMatchObject({ status: 'done' }))
})

/** Cuts the connection of the next COMMIT: before the server gets it, or before its answer comes back. */
function loseNextCommit(which: 'order' | 'reply'): void {
  let state: 'waiting' | 'sent' | 'lost' = 'waiting'
  proxy.onRequest = (bytes) => {
    if (state !== 'waiting' || !bytes.includes('COMMIT')) return 'pass'
    state = which === 'order' ? 'lost' : 'sent'
    return which === 'order' ? 'drop' : 'pass'
  }
  proxy.onReply = (bytes) => {
    if (state !== 'sent' || !bytes.includes('COMMIT')) return 'pass'
    state = 'lost'
    return 'drop'
  }
}

test('killed sessions, lost commits, restarts, a failing store, a second loader: each row exactly once', async () => {
  const random = seededRandom()
  const logs = await Promise.all([0, 1, 2].map((partition) => SinkLog.begin(store, chainOf(partition))))
  const loaders = [run(), run()]
  const terminate =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'causeway'"
  for (let round = 0; round < 16; round++) {
    for (const log of logs) await log.append(1 + Math.floor(random() * 30))
    const dice = random()
    const victim = random() < 0.5 ? 0 : 1
    if (dice < 0.25) await admin.query(terminate)
    else if (dice < 0.5) loseNextCommit(random() < 0.5 ? 'order' : 'reply')
    else if (dice < 0.6) {
      loaders[victim]?.actor.stop()
      loaders[victim] = run()
    } else if (dice < 0.7)
      s3.faults.add({ subject: /^GET .*parquet/, action: { type: 'fail-before' }, times: 4 })
    else if (dice < 0.8) s3.faults.add({ subject: /^GET .*json/, action: { type: 'lose-reply' }, times: 4 })
  }
  proxy.reset()
  const ends = logs.map(({ end }) => end)
  for (const { view } of loaders) {
    await until(() => expect(view().partitions.map(({ position }) => position)).toEqual(ends))
  }
  for (const [partition, end] of ends.entries()) {
    expect(await rowsOf(partition)).toEqual(expectedRows(partition, 0, end))
  }
})

test('a file that is gone holds its chain with the exact range, and only its chain', async () => {
  const logs = [await SinkLog.begin(store, chainOf(0)), await SinkLog.begin(store, chainOf(1))]
  const entries = [await logs[0]?.append(10), await logs[0]?.append(10), await logs[0]?.append(10)]
  await logs[1]?.append(10)
  const path = entries[1]?.files[0]?.path ?? ''
  const content = (await store.read(path, signal)) ?? Buffer.alloc(0)
  await store.remove(path, signal)
  const { view } = run()
  await until(() =>
    expect(view().partitions).toMatchObject([{ state: 'data-loss', position: 10, end: 30 }, { position: 10 }])
  )
  expect(view().partitions[0]?.reason).toContain('offsets [10, 20) are lost: file-missing')
  expect(view()).toMatchObject({
    ready: false,
    notes: expect.arrayContaining([expect.stringContaining('[10, 20)')])
  })
  expect(await rowsOf(0)).toEqual(expectedRows(0, 0, 10))
  await logs[1]?.append(10)
  await until(() => expect(view().partitions[1]).toMatchObject({ position: 20 }))
  expect(view().partitions[0]).toMatchObject({ state: 'data-loss', position: 10 })
  await store.replace(path, content, signal) // found in a backup
  await until(() => expect(view().partitions[0]).toMatchObject({ state: 'following', position: 30 }))
  await until(() => expect(view()).toMatchObject({ ready: true, notes: [] }))
  expect(await rowsOf(0)).toEqual(expectedRows(0, 0, 30))
})

test('a file that is not the one its entry speaks of is held, not loaded', async () => {
  const log = await SinkLog.begin(store, chainOf(0))
  await log.append(10)
  const path = (await log.append(10)).files[0]?.path ?? ''
  const content = (await store.read(path, signal)) ?? Buffer.alloc(0)
  const flipped = Buffer.from(content)
  flipped.writeUInt8(flipped.readUInt8(40) ^ 1, 40)
  await log.append(10)
  await store.replace(path, flipped, signal)
  const { view } = run()
  await until(() => expect(view().partitions).toMatchObject([{ state: 'held', position: 10 }]))
  expect(view().partitions[0]?.reason).toContain('another SHA-256')
  expect(await rowsOf(0)).toEqual(expectedRows(0, 0, 10))
})

test('a closed generation is loaded to its end before the next one begins', async () => {
  const first = await SinkLog.begin(store, chainOf(0, 1))
  await first.append(10)
  const second = await SinkLog.begin(store, chainOf(0, 2), 4)
  await second.append(6)
  const { view } = run()
  await until(async () => expect(await rowsOf(0)).toHaveLength(10))
  expect(view().partitions).toHaveLength(1)
  await first.append(10)
  await until(async () => expect(await rowsOf(0)).toHaveLength(20))
  await first.close()
  await until(async () => expect(await rowsOf(0)).toHaveLength(26))
  await until(() => expect(view().partitions).toMatchObject([{ state: 'following', position: 10 }]))
})

test('a warehouse that refuses us ends the role with its code', async () => {
  await admin.query(`CREATE TABLE ${table} (id BIGINT)`)
  const { actor } = run()
  await until(() =>
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'warehouse-mismatch' } })
  )
})
