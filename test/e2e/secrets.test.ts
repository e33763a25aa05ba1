import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { startBroker } from '../../src/embedded/broker/broker.ts'
import { startEventStream } from '../../src/embedded/event-stream/event-stream.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { startWarehouse } from '../../src/embedded/warehouse/warehouse.ts'
import { Canaries } from '../support/canaries.ts'
import { CausewayProcess } from '../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'
import { cleanups } from '../tools/cleanup.ts'
import { temporaryDataDir } from './demo-process.ts'

const defer = cleanups()
const names = ['http', 'stream', 'source-sasl', 's3-id', 's3-key', 'warehouse'] as const
type Secrets = Readonly<Record<(typeof names)[number], string>>

/** Everything that a worker shows or writes while it runs, and what the database was asked. */
async function everythingSaid({ worker, directory, token }: Road): Promise<string> {
  const url = addressOf(worker)
  const headers = { authorization: `Bearer ${token}` }
  const paths = ['/', '/metrics', '/api/state', '/readyz', '/healthz', '/none']
  const pages = await Promise.all(
    paths.map(async (path) => {
      const response = await fetch(`${url}${path}`, { headers })
      return `${JSON.stringify([...response.headers])}${await response.text()}`
    })
  )
  expect(pages[1]).toContain('causeway_')
  const { pid } = worker.child
  const process = ['cmdline', 'comm'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'))
  const sql = readFileSync(join(directory, 'warehouse/postgres.log'), 'utf8')
  const written = filesBelow(join(directory, 'data'))
  return [worker.stderr, worker.stdout, ...pages, ...process, sql, ...written].join('\n')
}

const addressOf = (worker: CausewayProcess) => /"address":"(http:[^"]+)"/.exec(worker.stderr)?.[1] ?? ''

async function stateOf({ worker, token }: Road): Promise<WorkerState | undefined> {
  const url = addressOf(worker)
  return url === '' ? undefined : fetchState(url, token)
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((path) => join(directory, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => `${path} ${readFileSync(path, 'latin1')}`)
}

interface Road {
  readonly worker: CausewayProcess
  readonly directory: string
  readonly token: string
}

/** Starts embedded services in front of every role; they know the secrets `known`, the worker is given `given`. */
async function startRoad(directory: string, known: Secrets, given: Secrets): Promise<Road> {
  const at = (name: string) => {
    mkdirSync(join(directory, name), { recursive: true })
    return join(directory, name)
  }
  const secretFile = (name: string) => join(at('secrets'), name)
  const broker = await startBroker({ dataDir: at('kafka') })
  defer(() => broker.stop())
  const stream = await startEventStream({ dataDir: at('stream'), token: known.stream, seed: 1, events: 500 })
  defer(() => stream.stop())
  const s3 = await startObjectStore({
    dataDir: at('s3'),
    accessKeyId: known['s3-id'],
    secretAccessKey: known['s3-key'],
    region: 'us-east-1',
    buckets: ['bucket']
  })
  defer(() => s3.stop())
  const warehouse = await startWarehouse({
    dataDir: at('warehouse'),
    user: 'loader',
    password: known.warehouse,
    database: 'road'
  })
  defer(() => warehouse.stop())
  await logStatements(warehouse.url)
  for (const name of names) writeFileSync(secretFile(name), given[name])
  const password = encodeURIComponent(given.warehouse)
  writeFileSync(secretFile('warehouse-url'), `postgres://loader:${password}@127.0.0.1:${warehouse.port}/road`)
  const secret = (name: string) => `"\${file:${secretFile(name)}}"`
  const config = `name = "road"
data_dir = "${directory}/data"
log.level = "trace"
http = { listen = "127.0.0.1:0", token = ${secret('http')} }
cluster.open.brokers = ["${broker.brokers[0]}"]
[cluster.locked]
brokers = ["${broker.brokers[0]}"]
sasl = { mechanism = "plain", username = "u", password = ${secret('source-sasl')} }
[ingest.events]
cluster = "open"
topic = "events"
commit_interval = "100ms"
source = { type = "x", url = "${stream.url}", keywords = ["kafka", "cloud"], token = ${secret('stream')} }
[mirror.m]
from = "locked"
to = "open"
[store.s3]
type = "s3"
bucket = "bucket"
endpoint = "${s3.endpoint}"
path_style = true
access_key_id = ${secret('s3-id')}
secret_access_key = ${secret('s3-key')}
[s3_sink.files]
cluster = "open"
topics = ["events"]
store = "s3"
rotate_age = "1s"
refresh_interval = "1s"
[warehouse.w]
url = ${secret('warehouse-url')}
[redshift_loader.rows]
from = "s3_sink.files"
warehouse = "w"
poll_interval = "200ms"
`
  writeFileSync(join(directory, 'causeway.toml'), config)
  const worker = new CausewayProcess(['--role', 'all', '--config', join(directory, 'causeway.toml')])
  defer(() => worker.end())
  return { worker, directory, token: given.http }
}

async function logStatements(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`ALTER DATABASE road SET log_statement = 'all'`)
  await client.end()
}

const fresh = (canaries: Canaries, prefix = ''): Secrets => ({
  http: canaries.make(`${prefix}http`),
  stream: canaries.make(`${prefix}stream`),
  'source-sasl': canaries.make(`${prefix}source-sasl`),
  's3-id': canaries.add(`${prefix}s3-id`, `AKIA${canaries.make('x').replace(/\W/g, '').slice(0, 24)}`),
  's3-key': canaries.make(`${prefix}s3-key`),
  warehouse: canaries.make(`${prefix}warehouse`)
})

test('no secret is in anything that a working road shows, logs or asks of the database', {
  timeout: 90_000
}, async () => {
  const directory = temporaryDataDir()
  defer(() => directory.remove())
  const canaries = new Canaries()
  const secrets = fresh(canaries)
  const road = await startRoad(directory.path, secrets, secrets)
  await road.worker.until('rows in the warehouse', async () => {
    const state = await stateOf(road)
    return state?.roles.some(({ counters }) => (counters.rowsLoaded ?? 0) > 0) ? true : undefined
  })
  const said = await everythingSaid(road)
  expect(said).toContain('LOG:  statement: COPY')
  expect(canaries.foundIn(said)).toEqual([])
  expect(await road.worker.stop(), road.worker.said()).toBe(0)
  expect(canaries.foundIn(road.worker.stderr)).toEqual([])
})

test('no secret is in what a worker says of services that refuse it', { timeout: 90_000 }, async () => {
  const directory = temporaryDataDir()
  defer(() => directory.remove())
  const canaries = new Canaries()
  const road = await startRoad(directory.path, fresh(canaries, 'known '), fresh(canaries, 'given '))
  const refused = ['ingest', 'mirror', 's3-sink', 'redshift-loader']
  await road.worker.until('every refusal', async () => {
    const state = await stateOf(road)
    const told = refused.every((name) =>
      state?.roles.some(
        ({ role, notes, lastFault }) => role === name && (notes.length > 0 || lastFault !== undefined)
      )
    )
    return told ? true : undefined
  })
  const said = await everythingSaid(road)
  expect(canaries.foundIn(said)).toEqual([])
  for (const reason of [
    /401|nauthorized/,
    /password authentication failed|28P01/,
    /SignatureDoesNotMatch|InvalidAccessKeyId|403/
  ])
    expect(said).toMatch(reason)
})
