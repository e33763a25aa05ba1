import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startBroker } from '../../src/embedded/broker/broker.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { fromSources } from '../support/causeway-process.ts'
import { cleanups } from '../tools/cleanup.ts'
import { type RunResult, run } from '../tools/run.ts'
import { DemoProcess, temporaryDataDir } from './demo-process.ts'

const defer = cleanups()
const [node = '', ...main] = fromSources

const causeway = (args: readonly string[]): Promise<RunResult> =>
  run(node, [...main, ...args], { timeoutMs: 30_000 })

/** The lines that a person reads: all of standard error that is not a log entry. */
const told = ({ stderr }: RunResult) =>
  stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('{'))

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'causeway-bad-'))
  defer(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** One line, which names the thing, and exit code 2; never a stack. */
function expectRefusal(result: RunResult, names: RegExp): void {
  expect(told(result)).toEqual([expect.stringMatching(names)])
  expect(result.code).toBe(2)
}

test('a config that does not exist is named', async () => {
  const result = await causeway(['--role', 'mirror', '--config', '/nowhere/causeway.toml'])
  expectRefusal(result, /\/nowhere\/causeway\.toml.*no such file/)
})

test('a role that does not exist is named beside those that do', async () => {
  const result = await causeway(['--role', 'mirorr', '--config', 'causeway.toml'])
  expectRefusal(result, /mirorr.*ingest, mirror, hdfs-sink, s3-sink, redshift-loader, all/)
})

test('a demo option that is no number is named with its bounds', async () => {
  expectRefusal(await causeway(['demo', '--events', 'many']), /--events many.*whole number/)
})

test('an input file that does not exist is named', async () => {
  expectRefusal(await causeway(['demo', '--input', '/nowhere/tweets.ndjson']), /\/nowhere\/tweets\.ndjson/)
})

test('a port in use is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  defer(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const directory = temporaryDataDir()
  defer(() => directory.remove())
  const result = await causeway(['demo', '--port', String(port), '--data-dir', directory.path])
  expectRefusal(result, new RegExp(String(port)))
})

test('a data directory that cannot be written is named', async () => {
  const file = join(temporary(), 'file')
  writeFileSync(file, '')
  expectRefusal(await causeway(['demo', '--data-dir', join(file, 'data')]), /file\/data cannot be written/)
})

test('a data directory of another version is refused, both versions named', async () => {
  const path = temporary()
  writeFileSync(join(path, 'version'), '999')
  expectRefusal(await causeway(['demo', '--data-dir', path]), /999.*reads format 1/)
})

test('a data directory in use is refused with the process that has it, which goes on undisturbed', async () => {
  const directory = temporaryDataDir()
  defer(() => directory.remove())
  const first = new DemoProcess(directory.path, ['--events', '50', '--json'])
  defer(() => first.end())
  await first.report()
  const second = await causeway(['demo', '--port', '0', '--data-dir', directory.path])
  expectRefusal(second, new RegExp(`in use by process ${first.child.pid}`))
  expect(await first.stop()).toBe(0)
})

test('a store that ignores conditional writes is refused at start', async () => {
  const path = temporary()
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'example-secret' }
  const broker = await startBroker({ dataDir: join(path, 'kafka') })
  defer(() => broker.stop())
  const store = await startObjectStore({
    dataDir: join(path, 's3'),
    ...credentials,
    region: 'us-east-1',
    buckets: ['crucial'],
    ignoreConditions: true
  })
  defer(() => store.stop())
  mkdirSync(join(path, 'worker'))
  writeFileSync(join(path, 'secret'), credentials.secretAccessKey)
  writeFileSync(join(path, 'key'), credentials.accessKeyId)
  const config = join(path, 'causeway.toml')
  writeFileSync(
    config,
    `name = "bad"
data_dir = "${join(path, 'worker')}"
[log]
level = "fatal"
[http]
listen = "127.0.0.1:0"
[cluster.aws]
brokers = ["${broker.brokers[0]}"]
[store.crucial]
type = "s3"
bucket = "crucial"
endpoint = "${store.endpoint}"
path_style = true
access_key_id = "\${file:${join(path, 'key')}}"
secret_access_key = "\${file:${join(path, 'secret')}}"
[s3_sink.crucial]
cluster = "aws"
topics = ["hybrid"]
store = "crucial"
`
  )
  const { code, stderr } = await causeway(['--role', 's3-sink', '--config', config])
  expect(stderr).toMatch(/s3:\/\/crucial\/ overwrites an existing file/)
  expect(stderr).not.toContain(credentials.secretAccessKey)
  expect(code).toBe(2)
})
