import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Shell } from '../commands/program.ts'
import { loadConfig } from '../config.ts'
import { openDataDir } from '../data-dir.ts'
import { exitCodes } from '../errors.ts'
import { createLogger } from '../log.ts'
import { Clusters } from '../worker/clusters.ts'
import { startWorker, type Worker } from '../worker.ts'
import { writeDemoConfig } from './config.ts'
import { writeEndpoints } from './endpoints.ts'
import { type Expectation, expectationOf } from './expected.ts'
import type { DemoOptions } from './options.ts'
import { progressOf } from './progress.ts'
import { type DemoReport, isFlawless, reportOf } from './report.ts'
import { type DemoServices, startServices } from './services.ts'
import { countDeadLetters, openStores, type Stores, tallyStores } from './verify.ts'

/** What the demo needs of the process around it. */
export type DemoHost = Pick<Shell, 'pid' | 'version' | 'out' | 'onSignal'>

const POLL_MS = 200

/**
 * Embedded services, one worker with all roles, and a check of every store when everything has arrived. Resolves with
 * the exit code.
 */
export async function runDemo(options: DemoOptions, host: DemoHost): Promise<number> {
  const startedAt = Date.now()
  const expectation = await expectationOf(options)
  const path = options.dataDir ?? mkdtempSync(join(tmpdir(), 'causeway-demo-'))
  const dataDir = await openDataDir(path, host.pid)
  try {
    const services = await startServices(path, options)
    try {
      return await runRoad({ path, options, host, expectation, services, startedAt })
    } finally {
      await services.stop()
    }
  } finally {
    await dataDir.release()
    // Nobody was told to keep a directory that nobody named.
    if (options.dataDir === undefined) rmSync(path, { recursive: true, force: true })
  }
}

interface Road {
  readonly path: string
  readonly options: DemoOptions
  readonly host: DemoHost
  readonly expectation: Expectation
  readonly services: DemoServices
  readonly startedAt: number
}

async function runRoad(road: Road): Promise<number> {
  const { path, options, host, services } = road
  const config = loadConfig(
    writeDemoConfig({ dataDir: path, port: options.port, input: options.input, services })
  )
  const log = createLogger(config.log)
  const worker = await startWorker({ config, roles: 'all', log, pid: host.pid, version: host.version })
  const ignore = host.onSignal(worker.stop)
  writeEndpoints(path, services, worker.httpAddress)
  if (!options.json) welcome(path, worker, host)
  const clusters = new Clusters(config, log)
  const ended = new AbortController()
  const code = worker.done.then((exitCode) => {
    ended.abort()
    return exitCode
  })
  try {
    const stores = openStores(config, clusters)
    const report = await watch(road, worker, stores, ended.signal)
    if (report === undefined) return await code
    host.out(options.json ? JSON.stringify(report) : inWords(report))
    if (options.exitWhenDone) worker.stop()
    const exitCode = await code
    return exitCode === exitCodes.done && !isFlawless(report) ? exitCodes.failed : exitCode
  } finally {
    ignore()
    clusters.close()
  }
}

/** Waits until everything has arrived and reads it back; `undefined` when the worker ended before that. */
async function watch(
  { services, expectation, startedAt }: Road,
  worker: Worker,
  stores: Stores,
  signal: AbortSignal
): Promise<DemoReport | undefined> {
  const warehouse = new pg.Client({ connectionString: services.warehouseUrl })
  // The server goes when the demo ends; what a query meets then is told by the query.
  warehouse.on('error', () => undefined)
  await warehouse.connect()
  const sources = {
    source: stores.source,
    warehouse,
    streamFinished: services.streamFinished,
    expectation,
    hdfsSink: () => worker.snapshot().roles.find(({ role }) => role === 'hdfs-sink')
  }
  try {
    while (!(await progressOf(sources, signal)).done) await delay(POLL_MS, undefined, { signal })
    const elapsedMs = Date.now() - startedAt
    const tallies = await tallyStores(stores, expectation.events, signal)
    const deadLettered = await countDeadLetters(stores.source, signal)
    return reportOf(tallies, {
      ingested: expectation.events.size + expectation.malformed,
      deadLettered,
      elapsedMs
    })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  } finally {
    await warehouse.end()
  }
}

function welcome(path: string, worker: Worker, { out }: DemoHost): void {
  out(`The road is open: ${worker.httpAddress}`)
  out(`Addresses and credentials of every service: ${join(path, 'endpoints.json')}`)
  out('Ctrl-C drains and ends it.')
}

function inWords(report: DemoReport): string {
  const verdict = isFlawless(report)
    ? 'Every event is in every store, once and in order.'
    : `NOT EXACTLY ONCE: ${report.missing} missing, ${report.duplicates} repeated, ${report.outOfOrder} out of order.`
  return [
    `${report.ingested} events in ${(report.elapsedMs / 1_000).toFixed(1)} s`,
    `  source Kafka  ${report.sourceRecords}`,
    `  target Kafka  ${report.mirrored}`,
    `  HDFS          ${report.hdfsRecords}`,
    `  S3            ${report.s3Records}`,
    `  warehouse     ${report.warehouseRows}`,
    `  dead letters  ${report.deadLettered}`,
    verdict
  ].join('\n')
}
