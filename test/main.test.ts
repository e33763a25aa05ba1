import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A `causeway` of its own, with what it writes and how it ends. */
function causeway(...args: string[]) {
  return node(main, ...args)
}

function node(...args: string[]) {
  const env = { ...process.env, URL: 'postgres://u:hunter2@127.0.0.1:1/d' }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  const written = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (written.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (written.err += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...written }))
  const logged = (msg: string) =>
    expect.poll(() => written.err, { timeout: 25_000 }).toContain(`"msg":"${msg}"`)
  return { child, ended, logged, written }
}

/** A worker with one role whose warehouse and store are away, which it bears. */
function configFile(http = '127.0.0.1:0'): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-main-'))
  const file = join(directory, 'c.toml')
  writeFileSync(
    file,
    `
name = "n"
data_dir = "data"
[http]
listen = "${http}"
[store.s]
type = "s3"
bucket = "bbb"
endpoint = "http://127.0.0.1:1"
access_key_id = "\${env:URL}"
secret_access_key = "\${env:URL}"
[cluster.a]
brokers = ["127.0.0.1:1"]
[s3_sink.x]
cluster = "a"
topics = ["t"]
store = "s"
[warehouse.w]
url = "\${env:URL}"
[redshift_loader.l]
from = "s3_sink.x"
warehouse = "w"
`
  )
  return file
}

test('SIGTERM drains a worker to exit code 0, and secrets stay out of its log', async () => {
  const { child, ended, logged } = causeway('--role', 'redshift-loader', '--config', configFile())
  await logged('worker is running')
  child.kill('SIGTERM')
  const { code, out, err } = await ended
  expect({ code, out }).toEqual({ code: 0, out: '' })
  expect(
    err
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).msg)
      .at(-1)
  ).toBe('worker stopped')
  expect(err).not.toContain('hunter2')
})

test('kill -9 leaves a directory that the next worker takes over, and a running one does not', async () => {
  const file = configFile()
  const args = ['run', '--role', 'redshift-loader', '--config', file]
  const first = causeway(...args)
  await first.logged('worker is running')
  const second = await causeway(...args).ended
  expect(second.code).toBe(2)
  expect(second.err).toBe(
    `causeway: data directory ${join(file, '..', 'data')} is in use by process ${first.child.pid}\n`
  )
  first.child.kill('SIGKILL')
  expect((await first.ended).signal).toBe('SIGKILL')
  const third = causeway(...args)
  await third.logged('worker is running')
  third.child.kill('SIGINT')
  expect((await third.ended).code).toBe(0)
})

test('a port in use is told in one line and ends with 2', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { ended } = causeway('--role', 'redshift-loader', '--config', configFile(`127.0.0.1:${port}`))
  const { code, err } = await ended
  expect(code).toBe(2)
  expect(err).toBe(`causeway: http.listen 127.0.0.1:${port} is in use\n`)
  other.close()
})

test.each(['throw new Error("boom")', 'Promise.reject(new Error("boom"))'])(
  'what nobody caught (%s) is one line and ends with 1',
  async (defect) => {
    const planted = `data:text/javascript,process.on("SIGUSR2",()=>{${defect}})`
    const args = ['--import', planted, main, '--role', 'redshift-loader', '--config', configFile()]
    const { child, ended, logged } = node(...args)
    await logged('worker is running')
    child.kill('SIGUSR2')
    const { code, err } = await ended
    expect(code).toBe(1)
    const last = JSON.parse(err.trimEnd().split('\n').at(-1) ?? '')
    expect(last).toMatchObject({ level: 'fatal', err: { message: 'boom', stack: expect.any(String) } })
  }
)
