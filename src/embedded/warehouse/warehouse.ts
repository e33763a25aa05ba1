import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { Fault } from '../../errors.ts'
import { type Account, accountFor } from './account.ts'
import { type Binaries, binariesFor } from './binaries.ts'
import { ensureCluster, ownerOf, pgdata, spawnOptions } from './cluster.ts'
import { endOrphan, readPidFile } from './orphan.ts'

export interface WarehouseOptions {
  /** A directory of our own; it holds the cluster and the server's log. The caller keeps others out of it. */
  readonly dataDir: string
  /** The port to listen on; a free one by default. */
  readonly port?: number
  readonly user: string
  readonly password: string
  /** Created when it is missing. */
  readonly database: string
  readonly log?: (message: string) => void
}

export interface EmbeddedWarehouse {
  /** `postgres://user:password@127.0.0.1:port/database` */
  readonly url: string
  readonly port: number
  /** Process id of the postmaster. */
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<void>
  /** Ends the server; it resolves only when the process is gone. */
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 10_000
const LOG_BYTES_MAX = 1024 * 1024

/**
 * A real PostgreSQL as an embedded service, reachable by 127.0.0.1 with a password (SCRAM) and by nothing else.
 *
 * Survives kill -9 of this process in every phase: a cut `initdb` leaves no half cluster, a server left behind ends by
 * itself within moments (`guard`) or is ended by the next start.
 */
export async function startWarehouse(options: WarehouseOptions): Promise<EmbeddedWarehouse> {
  const dataDir = resolve(options.dataDir)
  const clusterDir = join(dataDir, 'cluster')
  const ownerUid = await ownerOf(dataDir)
  const account = await accountFor(ownerUid)
  const ownUid = account?.uid ?? process.getuid?.()
  if (ownerUid !== undefined && ownerUid !== ownUid) {
    throw new Fault(
      'data-dir-not-writable',
      `${clusterDir} belongs to user id ${ownerUid}, PostgreSQL would run as ${ownUid}`
    )
  }
  const binaries = await binariesFor(account, dataDir)
  if ((await endOrphan(clusterDir, STOP_TIMEOUT_MS)) === 'ended') {
    options.log?.('ended the PostgreSQL server that an earlier process had left')
  }
  const { user, password } = options
  await ensureCluster({ dataDir, initdb: binaries.initdb, account, user, password })
  const server = await startServer(dataDir, options.port, account, binaries)
  try {
    await ensureDatabase(server.port, options)
  } catch (error) {
    await server.stop()
    throw error
  }
  options.log?.(`PostgreSQL listens on 127.0.0.1:${server.port}, process ${server.pid}`)
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return {
    ...server,
    url: `postgres://${credentials}@127.0.0.1:${server.port}/${encodeURIComponent(options.database)}`
  }
}

type Server = Omit<EmbeddedWarehouse, 'url'>

async function startServer(
  dataDir: string,
  wantedPort: number | undefined,
  account: Account | undefined,
  binaries: Binaries
): Promise<Server> {
  const clusterDir = join(dataDir, 'cluster')
  const port = await bindable(wantedPort ?? 0)
  const logPath = join(dataDir, 'postgres.log')
  await using logFile = await open(logPath, 'a', 0o600)
  if ((await stat(logPath)).size > LOG_BYTES_MAX) await truncate(logPath)
  const child = spawn(binaries.postgres, ['-D', pgdata(clusterDir), ...settings(port)], {
    ...spawnOptions(clusterDir, account),
    stdio: ['ignore', logFile.fd, logFile.fd]
  })
  const exited = exitOf(child)
  child.unref()
  const pid = child.pid
  if (pid === undefined) throw new Fault('warehouse-start-failed', `cannot start ${binaries.postgres}`)
  const endGuard = guard(clusterDir, pid, account)
  void exited.then(endGuard)
  const server = { port, pid, exited, stop: () => end(child, exited) }
  if (await isReady(clusterDir, pid, exited)) return server
  await server.stop()
  const log = await readFile(logPath, 'utf8')
  throw new Fault(
    'warehouse-start-failed',
    `PostgreSQL did not start: ${log.trim().split('\n').slice(-3).join(' / ')}`
  )
}

function settings(port: number): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    io_method: 'sync', // no extra worker processes
    shared_buffers: '32MB',
    max_connections: 40,
    timezone: 'UTC',
    log_timezone: 'UTC'
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The port itself when it is free, a free one for 0. */
async function bindable(port: number): Promise<number> {
  const probe = createServer()
  try {
    probe.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(probe, 'listening')
  } catch (cause) {
    if (Object(cause).code !== 'EADDRINUSE') throw cause
    throw new Fault('port-in-use', `port ${port} of 127.0.0.1 (warehouse) is in use`, { cause })
  }
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : port
}

async function isReady(clusterDir: string, pid: number, exited: Promise<void>): Promise<boolean> {
  let hasExited = false
  void exited.then(() => {
    hasExited = true
  })
  for (const deadline = performance.now() + START_TIMEOUT_MS; performance.now() < deadline; await delay(5)) {
    if (hasExited) return false
    const file = await readPidFile(clusterDir)
    if (file?.pid === pid && file.status === 'ready') return true
  }
  return false
}

/**
 * A shell that waits for the end of a pipe we hold. When this process dies, even by kill -9, the pipe closes and the
 * shell orders the server to shut down, provided that the lock file still names it.
 */
function guard(clusterDir: string, pid: number, account: Account | undefined): () => void {
  const script = 'read _; read -r pid < postmaster.pid && [ "$pid" = "$0" ] && kill -INT "$pid"'
  const shell = spawn('/bin/sh', ['-c', script, String(pid)], {
    ...spawnOptions(clusterDir, account),
    stdio: ['pipe', 'ignore', 'ignore']
  })
  shell.on('error', () => {}) // Without a shell there is no guard; the next start still ends the orphan.
  shell.stdin.on('error', () => {})
  shell.unref()
  return () => shell.kill('SIGKILL')
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
}

/** Fast shutdown, then immediate shutdown, then kill: the process is gone afterwards. */
async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.ref()
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    child.kill(signal)
    const hasEnded = await Promise.race([
      exited.then(() => true),
      delay(STOP_TIMEOUT_MS, false, { ref: false }) // `child` keeps the loop alive
    ])
    if (hasEnded) return
  }
  await exited
}

async function ensureDatabase(port: number, { user, password, database }: WarehouseOptions): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'postgres' })
  try {
    await client.connect()
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(database)}`)
  } catch (cause) {
    const isRefused = Object(cause).code === '28P01'
    const why = isRefused ? `refuses the password of user ${user}` : 'does not answer'
    throw new Fault('warehouse-start-failed', `the PostgreSQL server on port ${port} ${why}`, { cause })
  } finally {
    await client.end().catch(() => {})
  }
}
