import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { startWarehouse } from '../../src/embedded/warehouse/warehouse.ts'
import { startPostgres } from '../real/postgres.ts'
import { tier } from '../tools/tier.ts'
import { Bench, PASSWORD, type Subject } from './warehouse/bench.ts'
import { failing } from './warehouse/failing.ts'
import { loading } from './warehouse/loading.ts'
import { racing } from './warehouse/racing.ts'

/**
 * What the loader relies on, over the embedded warehouse and a PostgreSQL server of its own (dialect `postgres`).
 *
 * - loading: rows and position in one transaction; positions by target and chain; tables that are missing, dropped, in
 *   use, or only to be inserted into; values of every kind; refused rows and broken sources end a COPY and nothing else
 * - racing: two loaders of one chain; a row that another one adds; a busy row; conflicts of serializable transactions; a
 *   position that disappeared
 * - failing: a session that is killed, a lost reply to COMMIT, a COMMIT that rolled back, a silent server, a killed server
 *   before and after COMMIT, a statement that takes too long, an abort, secrets in faults
 */
describe('Warehouse on embedded', () => conformance(startEmbedded))
if (tier === 'real') describe('Warehouse on PostgreSQL 18', () => conformance(startReal))

function conformance(start: () => Promise<Subject>): void {
  const bench = new Bench(start)
  beforeAll(() => bench.start())
  beforeEach(() => bench.reset())
  afterAll(() => bench.stop())

  describe('loading', () => loading(bench))
  describe('racing', () => racing(bench))
  describe('failing', () => failing(bench))
}

async function startEmbedded(): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), 'causeway-warehouse-'))
  const options = { dataDir, user: 'causeway', password: PASSWORD, database: 'events' }
  let warehouse = await startWarehouse(options)
  const { url, port } = warehouse
  return {
    url,
    port,
    restart: async () => {
      process.kill(warehouse.pid, 'SIGKILL')
      await warehouse.exited
      warehouse = await startWarehouse({ ...options, port })
    },
    stop: async () => {
      await warehouse.stop()
      await rm(dataDir, { recursive: true, force: true })
    }
  }
}

async function startReal(): Promise<Subject> {
  const postgres = await startPostgres({ password: PASSWORD })
  return postgres
}
