import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accountFor, parsePasswd } from '../../../src/embedded/warehouse/account.ts'
import { canReach, reachableCopy } from '../../../src/embedded/warehouse/binaries.ts'
import { processesIn, readPidFile } from '../../../src/embedded/warehouse/orphan.ts'
import { type EmbeddedWarehouse, startWarehouse } from '../../../src/embedded/warehouse/warehouse.ts'

const password = 'p@ss/w:ord é'
let root: string
let warehouse: EmbeddedWarehouse | undefined

const start = (more: { readonly port?: number; readonly password?: string } = {}) =>
  startWarehouse({ dataDir: join(root, 'data'), user: 'causeway', password, database: 'events', ...more })

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const livingPids = async () => (await processesIn(join(root, 'data', 'cluster'))).map(({ pid }) => pid)

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !(await condition()); await delay(5)) {
    if (performance.now() > deadline) throw new Error('condition not met in 10 s')
  }
}

beforeAll(async () => {
  // Mode 0700 and owned by us: what an unprivileged server gets to see of a private checkout or `mktemp -d`.
  root = await mkdtemp(join(tmpdir(), 'causeway-warehouse-'))
  await mkdir(join(root, 'data', 'new-cut'), { recursive: true }) // an initdb that was killed
  warehouse = await start()
})

afterAll(async () => {
  await warehouse?.stop()
  await rm(root, { recursive: true, force: true })
})

test('it answers on loopback, with the password only', async () => {
  const url = new URL(warehouse?.url ?? '')
  expect(url.hostname).toBe('127.0.0.1')
  expect(await query(url.href, 'SELECT current_database() AS name')).toEqual([{ name: 'events' }])
  url.password = 'wrong'
  await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  const outside = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  for (const { address, family } of outside.filter(({ internal }) => !internal)) {
    if (family !== 'IPv4') continue
    const client = new pg.Client({ host: address, port: Number(url.port), user: 'causeway', password })
    await expect(client.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  }
})

test('it never runs as root, and leaves nothing of a cut first start', async () => {
  const pid = warehouse?.pid ?? 0
  if (process.platform === 'linux') expect((await stat(`/proc/${pid}`)).uid).not.toBe(0)
  expect((await readdir(join(root, 'data'))).sort()).toEqual(['cluster', 'postgres.log'])
})

test('stop ends the process; the next start has the rows and the port it was told', async () => {
  await query(warehouse?.url ?? '', 'CREATE TABLE kept AS SELECT 9007199254740993 AS id')
  const { pid, port } = warehouse ?? { pid: 0, port: 0 }
  await warehouse?.stop()
  expect(await livingPids()).not.toContain(pid)
  warehouse = await start({ port })
  expect(warehouse.port).toBe(port)
  expect(await query(warehouse.url, 'SELECT id::text FROM kept')).toEqual([{ id: '9007199254740993' }])
  await warehouse.stop()
  await warehouse.stop()
})

test('a taken port and wrong credentials are clear faults, and no server stays behind', async () => {
  const other = createServer().listen({ port: 0, host: '127.0.0.1' })
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await expect(start({ port: port ?? 0 })).rejects.toMatchObject({ code: 'port-in-use' })
  other.close()
  const refused = await start({ password: 'changed' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'warehouse-start-failed' })
  expect(String(refused)).not.toContain('changed')
  expect(await livingPids()).toEqual([])
})

async function hold(): Promise<{ readonly child: ChildProcess; readonly pid: number; readonly url: string }> {
  const script = fileURLToPath(new URL('hold.ts', import.meta.url))
  const child = spawn(process.execPath, [script, join(root, 'data'), password], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.endsWith('\n')) break
  }
  const { pid, url } = JSON.parse(text)
  return { child, pid, url }
}

async function killParent(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('after a kill -9 of its parent the server ends by itself', async () => {
  const { child, pid } = await hold()
  await killParent(child)
  await until(async () => (await livingPids()).length === 0)
  expect(pid).toBeGreaterThan(1)
})

test.runIf(process.platform === 'linux')(
  'an orphan without its guard is ended by the next start',
  async () => {
    const { child, pid, url } = await hold()
    const cluster = join(root, 'data', 'cluster')
    for (const entry of await readdir('/proc')) {
      const cwd = await readlink(`/proc/${entry}/cwd`).catch(() => undefined)
      if (cwd !== cluster) continue
      const name = await readFile(`/proc/${entry}/comm`, 'utf8')
      if (!name.startsWith('postgres')) process.kill(Number(entry), 'SIGKILL')
    }
    const session = new pg.Client({ connectionString: url })
    session.on('error', () => {})
    await session.connect()
    await session.query('BEGIN')
    await session.query('INSERT INTO kept VALUES (1)')
    await killParent(child)
    expect(await livingPids()).toContain(pid)
    warehouse = await start()
    expect(await livingPids()).not.toContain(pid)
    expect(await query(warehouse.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 1 }])
    await warehouse.stop()
  }
)

test.runIf(process.platform === 'linux')('a lock file that names a foreign process is stale', async () => {
  const account = await accountFor((await stat(join(root, 'data', 'cluster'))).uid)
  const foreign = spawn('sleep', ['60'], account === undefined ? {} : { uid: account.uid, gid: account.gid })
  const path = join(root, 'data', 'cluster', 'postmaster.pid')
  await writeFile(path, `${foreign.pid}\n/proc/self/cwd\n1\n5432\n\n127.0.0.1\n 1 1\nready\n`)
  expect((await readPidFile(join(root, 'data', 'cluster')))?.pid).toBe(foreign.pid)
  warehouse = await start()
  expect(foreign.exitCode ?? foreign.signalCode).toBeNull()
  foreign.kill('SIGKILL')
})

test('another PostgreSQL version is refused', async () => {
  const dataDir = join(root, 'old')
  await mkdir(join(dataDir, 'cluster'), { recursive: true })
  await writeFile(join(dataDir, 'cluster', 'PG_VERSION'), '12\n')
  const started = startWarehouse({ dataDir, user: 'u', password, database: 'd' })
  await expect(started).rejects.toMatchObject({
    code: expect.stringMatching(/^data-dir-(version|not-writable)$/)
  })
})

test('programs out of reach are copied once, readable for all', async () => {
  const account = { name: 'nobody', uid: 65_534, gid: 65_534 }
  const native = join(root, 'native')
  await mkdir(join(native, 'bin'), { recursive: true, mode: 0o700 })
  await writeFile(join(native, 'bin', 'postgres'), 'program', { mode: 0o700 })
  expect(await canReach(join(native, 'bin', 'postgres'), account)).toBe(false)
  const version = `test-${process.pid}`
  const copy = await reachableCopy(native, version)
  try {
    if (process.getuid?.() === 0) expect(await reachableCopy(native, version)).toBe(copy)
    expect(await canReach(join(copy, 'bin', 'postgres'), account)).toBe(true)
    await chmod(copy, 0o700)
    expect(await canReach(join(copy, 'bin', 'postgres'), account)).toBe(false)
  } finally {
    await rm(copy, { recursive: true })
  }
})

test('passwd lines are read as they are', () => {
  const text = '# comment\nroot:x:0:0:root:/root:/bin/sh\n+nis\nnobody:x:65534:65533::/:/bin/false\n'
  expect(parsePasswd(text)).toEqual([
    { name: 'root', uid: 0, gid: 0 },
    { name: 'nobody', uid: 65_534, gid: 65_533 }
  ])
})
