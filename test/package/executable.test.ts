import { execFileSync } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { roleNames } from '../../src/roles/role.ts'
import { causewayPath, emptyDirectory, type Started, start, unprivileged, writeConfig } from './executable.ts'

/** On a machine on which a Node that does nothing takes 40 ms; on a slower one as much more. */
const CPU_MS_MAX = 150
const NODE_MS = 40
const directories: string[] = []
const started: Started[] = []

async function directory(): Promise<string> {
  const made = await emptyDirectory()
  directories.push(made)
  return made
}

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(directories.map((each) => rm(each, { recursive: true, force: true })))
})

test('--version needs no more than 150 ms of processor time, where Node needs 40', async () => {
  const cwd = await directory()
  const first = await start(['--version'], cwd).ended
  expect(first).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  expect(await readdir(cwd)).toEqual([])
  // In turn, so that a machine which slows down slows both.
  const rounds = Array.from({ length: 9 }, () => ({
    ours: cpuMs(cwd, causewayPath(), '--version'),
    nodes: cpuMs(cwd, process.execPath, '--eval', '0')
  }))
  // The least of each: what else the machine does only adds.
  const ours = Math.min(...rounds.map((round) => round.ours))
  const nodes = Math.min(...rounds.map((round) => round.nodes))
  console.log(`--version: ${ours} ms of processor time, Node: ${nodes} ms`)
  expect(ours).toBeLessThanOrEqual(CPU_MS_MAX * Math.max(1, nodes / NODE_MS))
})

/** User and system time of one command, by bash's own clock. */
function cpuMs(cwd: string, ...command: readonly string[]): number {
  const script = `TIMEFORMAT='%3U %3S'; { time "$@" >/dev/null; } 2>&1`
  const text = execFileSync('bash', ['--norc', '-c', script, 'bash', ...command], {
    cwd,
    env: {},
    encoding: 'utf8'
  })
  const [user = Number.NaN, system = Number.NaN] = text.trim().split(' ').map(Number)
  return Math.round((user + system) * 1000)
}

test('check-config reads a config, and names what is wrong with one', async () => {
  const cwd = await directory()
  await writeConfig(cwd, 0)
  const good = await start(['check-config', 'causeway.toml'], cwd).ended
  expect(good).toEqual({
    code: 0,
    out: 'causeway.toml is valid; roles: ingest.i, mirror.m, hdfs-sink.h, s3-sink.s, redshift-loader.l\n',
    err: ''
  })
  const missing = await start(['check-config', 'none.toml'], cwd).ended
  expect(missing.code).toBe(2)
})

test.each(roleNames)('%s runs, is healthy, shows its page and drains', async (role) => {
  const cwd = await directory()
  await writeConfig(cwd, 0)
  const worker = start(['--role', role, '--config', 'causeway.toml'], cwd)
  started.push(worker)
  await expect.poll(() => worker.written.err, { timeout: 20_000 }).toContain('worker is running')
  const [, url = ''] =
    /(http:\/\/127\.0\.0\.1:\d+)/.exec(worker.written.err.match(/"http:[^"]*"/)?.[0] ?? '') ?? []
  const health = await start(['health', '--url', `${url}/healthz`], cwd).ended
  expect(health).toEqual({ code: 0, out: 'ok\n', err: '' })
  const page = await fetch(url)
  expect(page.headers.get('content-security-policy')).toContain('sha256-')
  expect(await page.text()).toBe(
    await readFile(join(import.meta.dirname, '../../src/actors/http/page/index.html'), 'utf8')
  )
  worker.child.kill('SIGTERM')
  const { code, err } = await worker.ended
  expect({ code, unknown: err.includes('"unknown"'), warned: /Warning/.test(err) }).toEqual({
    code: 0,
    unknown: false,
    warned: false
  })
  const gone = await start(['health', '--url', `${url}/healthz`], cwd).ended
  expect(gone.code).toBe(1)
  expect(gone.err).toMatch(/^causeway: http:.* does not answer: .*\n$/)
})

test.each([
  ['as the user of the tests', {}],
  ['as a user without rights', unprivileged]
])('the demo carries every event, %s', async (_, user) => {
  const cwd = await directory()
  const demo = start(['demo', '--events', '5000', '--exit-when-done', '--json', '--port', '0'], cwd, user)
  started.push(demo)
  const { code, out, err } = await demo.ended
  expect(err).not.toMatch(/Warning/)
  expect(code, err).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    ingested: 5000,
    hdfsRecords: 5000,
    s3Records: 5000,
    warehouseRows: 5000,
    duplicates: 0,
    missing: 0,
    outOfOrder: 0
  })
})
