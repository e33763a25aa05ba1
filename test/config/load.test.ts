import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { parse } from 'smol-toml'
import { expect, test } from 'vitest'
import { ConfigFaults, configJsonSchema, loadConfig, parseConfig } from '../../src/config.ts'
import { Fault } from '../../src/errors.ts'

const WAREHOUSE = 'postgres://loader:hunter2@db:5432/events'
const environment = {
  variable: (name: string) => ({ PASSWORD: 'hunter2', URL: WAREHOUSE, EMPTY: '' })[name],
  readText: (path: string) => {
    if (path.endsWith('.pem') || path.endsWith('.key')) return '-----BEGIN CERTIFICATE-----\nhunter2'
    if (path === 'token') return 'hunter2\n'
    throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
  },
  absolute: (path: string) => `/etc/causeway/${path}`
}
const load = (content: string) => parseConfig(content, 'c.toml', environment)

/** Every fault as `key problem`; fails when the config is accepted. */
function faultsIn(content: string): string[] {
  try {
    load(content)
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults.map(({ key, problem }) => `${key} ${problem}`)
    throw error
  }
  throw new Error('the config was accepted')
}

const BASE = 'name = "n"\ndata_dir = "data"\n'
const TWO_CLUSTERS = '[cluster.a]\nbrokers = ["a:9092"]\n[cluster.b]\nbrokers = ["b:9092"]\n'

test('two keys make a config: everything else has a default', () => {
  expect(load(BASE)).toEqual({
    name: 'n',
    dataDir: '/etc/causeway/data',
    memoryBudgetBytes: 256 * 1024 ** 2,
    drainTimeoutMs: 30_000,
    log: { level: 'info', format: 'json' },
    restart: { backoffMinMs: 500, backoffMaxMs: 30_000, restartsMax: 10, windowMs: 300_000 },
    http: { host: '127.0.0.1', port: 9464 },
    clusters: {},
    ingest: {},
    mirror: {},
    stores: {},
    warehouses: {},
    hdfsSinks: {},
    s3Sinks: {},
    redshiftLoaders: {}
  })
})

test('the result is frozen all the way down', () => {
  const config = load(`${BASE}${TWO_CLUSTERS}[mirror.m]\nfrom = "a"\nto = "b"\n`)
  expect(Object.isFrozen(config)).toBe(true)
  expect(Object.isFrozen(config.clusters)).toBe(true)
  expect(Object.isFrozen(config.clusters.a?.brokers)).toBe(true)
  expect(Object.isFrozen(config.mirror.m?.topics)).toBe(true)
})

test('a name that every object knows is no instance', () => {
  const config = load(BASE)
  expect(config.clusters.constructor).toBeUndefined()
  expect(
    faultsIn(`${BASE}[ingest.x]\ncluster = "constructor"\ntopic = "t"\nsource = {type="file", path="f"}`)
  ).toEqual([
    'ingest.x.cluster = "constructor" is not allowed; allowed: the name of a [cluster.NAME], and the config has none'
  ])
})

test('all faults are told at once, each with its key, the value given and what is allowed', () => {
  const faults = faultsIn(`
data_dir = "d"
memory_budget = "1 MB"
drain_timeout = 4
drain_timout = "1s"
[log]
level = "loud"
[cluster.a]
brokers = ["a"]
[mirror.m]
from = "a"
to = "c"
topics = ["("]
shards = 1.5
commit_interval = "1m"
[store.s]
type = "ftp"
[mirrors.x]
`)
  expect(faults).toEqual([
    'name is missing; allowed: up to 64 letters, digits, ".", "_" or "-", the first a letter or digit',
    'memory_budget = "1 MB" is not allowed; allowed: a size from 16MiB to 1024GiB, such as "16MiB"',
    'drain_timeout = 4 is not allowed; allowed: a duration from 0s to 1h, such as "0s"',
    'log.level = "loud" is not allowed; allowed: "trace", "debug", "info", "warn", "error", "fatal"',
    'cluster.a.brokers[0] = "a" is not allowed; allowed: "host:port" with a port from 1 to 65535',
    'mirror.m.topics[0] = "(" is not allowed; allowed: a topic or a valid regular expression',
    'mirror.m.shards = 1.5 is not allowed; allowed: a whole number from 1 to 1024',
    'store.s.type = "ftp" is not allowed; allowed: type = "hdfs" or type = "s3"',
    'drain_timout is not a known key; did you mean "drain_timeout"?',
    'mirrors is not a known key; did you mean "mirror"?',
    'mirror.m.to = "c" is not allowed; allowed: "a" (nearest: "a")',
    'mirror.m.commit_interval = "1m" is not allowed; allowed: a duration not longer than transaction_timeout / 3 (5000ms)'
  ])
})

test.each([
  ['names', '[cluster."a b"]\nbrokers = ["a:1"]', 'cluster."a b" is not an allowed name'],
  ['a name that climbs', '[cluster.".."]\nbrokers = ["a:1"]', 'cluster.".." is not an allowed name'],
  ['a mirror onto itself', '[mirror.m]\nfrom = "a"\nto = "a"', 'mirror.m.to = "a" is not allowed'],
  [
    'mirrors in a circle',
    '[mirror.m]\nfrom = "a"\nto = "b"\n[mirror.w]\nfrom = "b"\nto = "a"',
    'mirror.w.topics copies in a circle: x on a → x on b ([mirror.m]) → x on a ([mirror.w]); allowed: '
  ],
  [
    'a KMS key without its encryption',
    '[store.s]\ntype = "s3"\nbucket = "lake"\nsse = "s3"\nkms_key = "alias/k"',
    'store.s.kms_key = "alias/k" is not allowed; allowed: none, unless sse = "kms"'
  ],
  [
    'a class that nobody can read at once',
    '[store.s]\ntype = "s3"\nbucket = "lake"\nstorage_class = "DEEP_ARCHIVE"',
    'store.s.storage_class = "DEEP_ARCHIVE" is not allowed; allowed: "STANDARD", '
  ],
  [
    'tags that S3 does not take',
    '[store.s]\ntype = "s3"\nbucket = "lake"\ntags = { class = "raw;fine" }',
    'store.s.tags.class = "raw;fine" is not allowed; allowed: at most 10 tags'
  ],
  [
    'a ttl of files that never change',
    '[store.s]\ntype = "hdfs"\nnamenodes = ["http://n:9870"]\n[hdfs_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"\nttl = "1d"',
    'hdfs_sink.x.ttl is not a known key'
  ],
  [
    'a sink into a store of the other kind',
    '[store.s]\ntype = "hdfs"\nnamenodes = ["http://n:9870"]\n[s3_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"',
    's3_sink.x.store = "s" is not allowed; allowed: the name of a [store.NAME] of type "s3"'
  ],
  [
    'a loader of nothing',
    '[redshift_loader.x]\nfrom = "s3_sink.y"\nwarehouse = "w"',
    'redshift_loader.x.warehouse = "w" is not allowed'
  ],
  [
    'quarantine bounds',
    '[mirror.m]\nfrom="a"\nto="b"\nquarantine_min="2m"',
    'mirror.m.quarantine_min = "2m"'
  ],
  [
    'more lanes than shards',
    '[mirror.m]\nfrom="a"\nto="b"\nshards=4\nlanes=8',
    'mirror.m.lanes = 8 is not allowed; allowed: a number not above shards (4)'
  ],
  [
    'an order that a default breaks',
    '[restart]\nbackoff_max = "100ms"',
    'restart.backoff_max = "100ms" is not allowed; allowed: a duration not shorter than backoff_min (500ms)'
  ],
  ['restart bounds', '[restart]\nbackoff_min = "1h"', 'restart.backoff_min = "1h" is not allowed'],
  ['an open port without a token', '[http]\nlisten = "0.0.0.0:80"', 'http.token is missing'],
  [
    'half a key pair',
    '[cluster.c]\nbrokers = ["c:1"]\ntls = {cert = "c.pem"}',
    'cluster.c.tls.key is missing'
  ],
  [
    'half of credentials',
    `[store.s]\ntype = "s3"\nbucket = "bbb"\naccess_key_id = "\${env:PASSWORD}"`,
    'store.s.secret_access_key is missing'
  ],
  [
    'a template that climbs',
    '[s3_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"\ntemplate = "{topic}/../x"',
    's3_sink.x.template = "{topic}/../x" is not allowed'
  ],
  [
    'a chunk that is too old before it is old',
    '[s3_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"\nrotate_age = "2h"',
    's3_sink.x.rotate_age = "2h" is not allowed; allowed: a duration not longer than rotate_age_max (3600000ms)'
  ],
  [
    'dead letters into the topic that they come from',
    '[s3_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"\ndead_letters = { topic = "t" }',
    's3_sink.x.dead_letters.topic = "t" is not allowed; allowed: a topic that is not one of topics'
  ],
  [
    'half of a time window',
    '[s3_sink.x]\ncluster = "a"\ntopics = ["t"]\nstore = "s"\ntime_window = { past = "1d" }',
    's3_sink.x.time_window.future is missing'
  ],
  [
    'a takeover under another name',
    '[mirror.m]\nfrom = "a"\nto = "b"\ntake_over = { mm2 = { source = "A" } }',
    'mirror.m.naming = "identity" is not allowed; allowed: { prefix = "A." }, because of take_over'
  ],
  [
    'a takeover of identical names by a prefix',
    '[mirror.m]\nfrom = "a"\nto = "b"\nnaming = { prefix = "A." }\ntake_over = { mm2 = { source = "A", policy = "identity" } }',
    'allowed: "identity", because of take_over'
  ],
  ['a backfill of seconds', ingestX('backfill = "90s"'), 'ingest.i.source.backfill = "90s" is not allowed'],
  ['an unknown key in a source', ingestX('keyword = "x"'), 'ingest.i.source.keyword is not a known key'],
  ['an array for a table', 'cluster2 = []\nstore = []', 'cluster2 is not a known key']
])('refuses %s', (_what, content, fault) => {
  const top = content.startsWith('[') ? `${BASE}${TWO_CLUSTERS}${content}` : `${BASE}${content}`
  expect(faultsIn(top).join('\n')).toContain(fault)
})

function ingestX(line: string): string {
  return `[ingest.i]\ncluster = "a"\ntopic = "t"\n[ingest.i.source]\ntype = "x"\nkeywords = ["k"]\ntoken = "\${file:token}"\n${line}`
}

test('secrets come by reference and are shown nowhere', () => {
  const config = load(`${BASE}
[cluster.a]
brokers = ["a:9092"]
tls = { ca = "ca.pem", cert = "c.pem", key = "c.key" }
sasl = { mechanism = "plain", username = "u", password = "\${env:PASSWORD}" }
[warehouse.w]
url = "\${env:URL}"
[http]
token = "\${file:token}"
`)
  expect(config.clusters.a?.sasl?.password.reveal()).toBe('hunter2')
  expect(config.http.token?.reveal()).toBe('hunter2')
  expect(config.warehouses.w?.url.reveal()).toBe(WAREHOUSE)
  expect(config.clusters.a?.tls?.key?.reveal()).toContain('BEGIN')
  const { ca: _ca, cert: _cert, ...tls } = config.clusters.a?.tls ?? {}
  for (const shown of [
    inspect({ ...config, clusters: { tls, sasl: config.clusters.a?.sasl } }),
    `${config.http.token}`
  ])
    expect(shown).not.toContain('hunter2')
  expect(JSON.stringify(config.warehouses)).toContain('[secret]')
})

test('no fault ever shows a secret, wherever it was written', () => {
  const text = faultsIn(`${BASE}
[http]
token = "hunter2"
[cluster.a]
brokers = ["u:hunter2@a:9092"]
tls = "hunter2"
sasl = "hunter2"
[cluster.b]
brokers = ["b:9092"]
sasl = { mechanism = "plain", username = "u", passwort = "hunter2" }
[cluster.c]
brokers = ["b:9092"]
sasl = { mechanism = "plain", username = "u", password = ["hunter2"] }
[store.s]
type = "s3"
bucket = "bbb"
endpoint = "http://u:hunter2@h/"
access_key_id = "hunter2"
secret_access_key = "hunter2"
[warehouse.w]
url = "postgres://u:hunter2@h/d"
[warehouse.v]
url = "\${env:PASSWORD}"
[ingest.i]
cluster = "a"
topic = "t"
source = { type = "x", keywords = ["k"], token = "hunter2" }
`).join('\n')
  expect(text).not.toContain('hunter2')
  expect(text).toContain(
    `http.token (its value is not shown) is not allowed; allowed: "\${env:NAME}" or "\${file:PATH}"`
  )
  expect(text).toContain('cluster.b.sasl.passwort is not a known key; did you mean "password"?')
  expect(text).toContain('cluster.a.sasl is a string, which is not allowed')
})

test('a reference that leads nowhere is told by its name', () => {
  const faults = faultsIn(`${BASE}
[warehouse.a]
url = "\${env:NOWHERE}"
[warehouse.b]
url = "\${env:EMPTY}"
[warehouse.c]
url = "\${file:/run/none}"
`)
  expect(faults).toEqual([
    'warehouse.a.url refers to the environment variable NOWHERE, which is not set',
    'warehouse.b.url refers to the environment variable EMPTY, which is empty',
    'warehouse.c.url refers to the file /run/none: there is no such file'
  ])
})

test('a syntax error names line and column and quotes nothing of the file', () => {
  const [fault, ...more] = faultsIn('name = "n"\npassword = hunter2')
  expect(fault).toMatch(/^line 2, column \d+ is not TOML: /)
  expect(fault).not.toContain('hunter2')
  expect(more).toEqual([])
})

test('reads files from the disk, with paths relative to the config', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-config-'))
  writeFileSync(join(directory, 'token'), 'sesame\n')
  writeFileSync(join(directory, 'c.toml'), `${BASE}[http]\ntoken = "\${file:token}"\n`)
  const config = loadConfig(join(directory, 'c.toml'))
  expect(config.dataDir).toBe(join(directory, 'data'))
  expect(config.http.token?.reveal()).toBe('sesame')
  expect(() => loadConfig(join(directory, 'none.toml'))).toThrow(Fault)
  expect(() => loadConfig(join(directory, 'none.toml'))).toThrow(/none\.toml: there is no such file/)
})

const example = readFileSync(new URL('../../config.example.toml', import.meta.url), 'utf8')

test('the example loads, shows every key of the schema, and shows the defaults', () => {
  const config = parseConfig(example, 'config.example.toml', {
    ...environment,
    variable: (name) => (name === 'WAREHOUSE_URL' ? WAREHOUSE : 'hunter2'),
    readText: (path) => (path.endsWith('.pem') || path.endsWith('.key') ? '-----BEGIN PEM-----' : 'hunter2')
  })
  expect(config.redshiftLoaders.tweets?.s3Sink).toBe('crucial')

  const document = parse(example)
  const missing: string[] = []
  for (const { path, fallback } of leavesOf(configJsonSchema(), [])) {
    const values = select(document, path)
    if (values.length === 0) missing.push(path.join('.'))
    if (fallback !== undefined) expect(values, path.join('.')).toContainEqual(fallback)
  }
  expect(missing).toEqual([])
})

test('config.schema.json is what the schema says; `npm run schema` writes it', () => {
  const committed = readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(configJsonSchema())))
})

interface Leaf {
  readonly path: readonly string[]
  readonly fallback: unknown
}

/** Every key that a file may hold, `*` standing for a name of the user's. */
function leavesOf(schema: object, path: readonly string[]): Leaf[] {
  const { properties, additionalProperties, anyOf, oneOf, default: fallback } = Object(schema)
  const members: object[] = anyOf ?? oneOf ?? []
  if (members.length > 0) return members.flatMap((member) => leavesOf(member, path))
  if (typeof additionalProperties === 'object') return leavesOf(additionalProperties, [...path, '*'])
  if (typeof properties !== 'object') return [{ path, fallback }]
  return Object.entries(properties).flatMap(([key, inner]) => leavesOf(Object(inner), [...path, key]))
}

function select(value: unknown, path: readonly string[]): unknown[] {
  const [key, ...rest] = path
  if (key === undefined) return [value]
  if (typeof value !== 'object' || value === null) return []
  if (key === '*') return Object.values(value).flatMap((inner) => select(inner, rest))
  return Object.hasOwn(value, key) ? select(Reflect.get(value, key), rest) : []
}
