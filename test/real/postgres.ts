import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { accountFor } from '../../src/embedded/warehouse/account.ts'
import { binariesFor } from '../../src/embedded/warehouse/binaries.ts'
import { ensureCluster, pgdata, SERVER_ENVIRONMENT } from '../../src/embedded/warehouse/cluster.ts'
import { processesIn, readPidFile } from '../../src/embedded/warehouse/orphan.ts'
import { freePort } from '../tools/service.ts'
import { Restartable } from './restartable.ts'

const USER = 'causeway'
const DATABASE = 'events'

export interface PostgresOptions {
  /** Of the user `causeway`. */
  readonly password?: string
  /** Of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** PostgreSQL 18 as a server of its own: with its default settings, durable, and no child of the code under test. */
export interface RealPostgres {
  readonly process: Restartable
  /** `postgres://causeway:…@127.0.0.1:<port>/events` */
  readonly url: string
  readonly port: number
  /** Starts the server again, after a `SIGKILL` when it still runs, and waits until it has recovered. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startPostgres(options: PostgresOptions = {}): Promise<RealPostgres> {
  const { password = 'of-the-test', settings = {} } = options
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-postgres-'))
  const account = await accountFor(undefined)
  const { postgres, initdb } = await binariesFor(account, dataDir)
  if (account !== undefined) chownSync(dataDir, account.uid, account.gid)
  await ensureCluster({ dataDir, initdb, account, user: USER, password })
  const cluster = join(dataDir, 'cluster')
  const port = await freePort()
  const all = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '', ...settings }
  const server = [
    ...[postgres, '-D', pgdata(cluster)],
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  ]
  const become = account && ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  // A change of the user takes the leash off, so it is put on after that.
  const [command = postgres, ...args] = become ? [...become, '--pdeathsig', 'KILL', '--', ...server] : server
  const isReady = async () => (await readPidFile(cluster))?.status === 'ready'
  const process = new Restartable({
    ...{ name: 'PostgreSQL', command, args, cwd: cluster, env: SERVER_ENVIRONMENT, ready: isReady }
  })
  const stop = async () => {
    await process.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const restart = async () => {
    await process.kill()
    // The children of a killed postmaster leave by themselves, and as long as they are there none can start.
    while ((await processesIn(cluster)).length > 0) await delay(20)
    rmSync(join(cluster, 'postmaster.pid'), { force: true })
    await process.start()
  }
  try {
    await process.start()
    await createDatabase(port, password)
  } catch (error) {
    await stop()
    throw error
  }
  return { process, url: `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`, port, restart, stop }
}

async function createDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: USER, password, database: 'postgres' })
  await client.connect()
  await client.query(`CREATE DATABASE ${DATABASE}`)
  await client.end()
}
