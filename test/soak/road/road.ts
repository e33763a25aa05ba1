import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { demoNames, writeDemoConfig } from '../../../src/demo/config.ts'
import { writeEndpoints } from '../../../src/demo/endpoints.ts'
import { checkRoad, type RoadVerdict } from '../../e2e/check-road.ts'
import { Canaries } from '../../support/canaries.ts'
import { CausewayProcess } from '../../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../../support/worker-state.ts'
import { freePort } from '../../tools/service.ts'
import { behind, LogEnds } from './ends.ts'
import { type SoakServices, startSoakServices } from './services.ts'

/** Far longer than any recovery may take; what takes longer is wedged. */
const PATIENCE_MS = 180_000

/** One worker with all five roles over real services, to be tortured. */
export class SoakRoad {
  readonly services: SoakServices
  readonly directory: string
  readonly #config: string
  readonly #url: string
  readonly #program: readonly string[]
  #worker: CausewayProcess
  #startedAt = 0
  readonly #ends: LogEnds
  readonly #canaries = new Canaries()
  readonly #leaks = new Set<string>()

  private constructor(
    directory: string,
    services: SoakServices,
    program: readonly string[],
    place: { readonly config: string; readonly url: string }
  ) {
    this.directory = directory
    this.services = services
    this.#program = program
    this.#config = place.config
    this.#url = place.url
    this.#ends = new LogEnds(services.forReaders.source, services.forReaders.target)
    const { s3, warehouseUrl, eventStream } = services.forWorker
    this.#canaries.add('s3 access key', s3.accessKeyId)
    this.#canaries.add('s3 secret key', s3.secretAccessKey)
    this.#canaries.add('warehouse password', new URL(warehouseUrl).password)
    this.#canaries.add('stream token', eventStream?.token ?? '')
    this.#worker = this.#spawn()
  }

  /** Starts the services and a worker, and waits until every event takes the whole road. */
  static async start(program: readonly string[], rate: number): Promise<SoakRoad> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-soak-'))
    const services = await startSoakServices(directory, rate)
    const port = await freePort()
    const config = writeDemoConfig({
      dataDir: directory,
      port,
      input: undefined,
      services: services.forWorker
    })
    // A request that hangs is given up sooner than by default, so that many of them fit into a run.
    const text = readFileSync(config, 'utf8').replace(/^\[cluster\.\w+\]$/gm, '$&\nrequest_timeout = "5s"')
    writeFileSync(config, text)
    const url = `http://127.0.0.1:${port}`
    writeEndpoints(directory, services.forReaders, url)
    const road = new SoakRoad(directory, services, program, { config, url })
    await road.flowing()
    return road
  }

  get worker(): CausewayProcess {
    return this.#worker
  }

  /** Starts a worker in place of the last one. */
  start(): void {
    this.#listen(this.#worker)
    this.#worker = this.#spawn()
  }

  /** Names of the credentials that a worker has said aloud. */
  leaks(): readonly string[] {
    this.#listen(this.#worker)
    return [...this.#leaks]
  }

  #listen({ stdout, stderr }: CausewayProcess): void {
    for (const name of this.#canaries.foundIn(`${stdout}\n${stderr}`)) this.#leaks.add(name)
  }

  #spawn(): CausewayProcess {
    this.#startedAt = performance.now()
    const args = ['run', '--role', 'all', '--config', this.#config]
    return new CausewayProcess(args, { program: this.#program })
  }

  state(): Promise<WorkerState | undefined> {
    return fetchState(this.#url)
  }

  /**
   * Waits until every role of this process is ready and has carried something new; milliseconds since its start. The
   * loader follows the S3 sink's files by their age and is only asked to be ready.
   */
  async flowing(): Promise<number> {
    const state = await this.#worker.until(
      'flow through every role',
      async () => {
        const now = await this.state()
        const carries = now?.roles.every(
          ({ role, counters }) =>
            role === 'redshift-loader' || (counters.recordsWritten ?? counters.recordsKept ?? 0) > 0
        )
        return now !== undefined && now.unready.length === 0 && carries ? now : undefined
      },
      PATIENCE_MS
    )
    return state === undefined ? Number.NaN : performance.now() - this.#startedAt
  }

  /** Waits until something new has come in, and all that is in the topics then has been carried on; `what` came before. */
  async progress(what: string): Promise<void> {
    const ingested = async () => {
      const state = await this.state()
      return state?.roles.find(({ role }) => role === 'ingest')?.counters.recordsWritten
    }
    const before = await this.#worker.until(`an answer after ${what}`, ingested, PATIENCE_MS)
    const isNew = async () => ((await ingested()) ?? 0) > before || undefined
    await this.#worker.until(`new events after ${what}`, isNew, PATIENCE_MS)
    await this.#caughtUp(what)
  }

  async #caughtUp(what: string): Promise<void> {
    const [source, target] = await Promise.all([this.#ends.source(), this.#ends.target()])
    let stuck: readonly string[] = []
    const isMoving = async () => {
      const now = await this.state()
      if (now === undefined) return undefined
      const late = [
        ...[...behind(now, 'mirror', source), ...behind(now, 'hdfs-sink', source)],
        ...behind(now, 's3-sink', target)
      ]
      stuck = [...now.unready, ...late]
      return stuck.length === 0 ? true : undefined
    }
    await this.#worker.until('progress', isMoving, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(`${what}: stuck: ${stuck.join('; ')}`, { cause: error })
    })
  }

  /** Lets the stream end, waits until everything has arrived, ends the worker as an operator does, and reads all stores. */
  async finish(): Promise<{
    readonly events: number
    readonly verdict: RoadVerdict
    readonly exit: number | null
  }> {
    const payloads = await this.services.feed.finish(PATIENCE_MS)
    await this.#arrived(payloads.length)
    const exit = await this.#worker.stop()
    const verdict = await checkRoad(this.directory, payloads)
    return { events: payloads.length, verdict, exit }
  }

  /** Waits until the topics hold everything and all roles have carried it, and the warehouse holds so many rows. */
  async #arrived(events: number): Promise<void> {
    const client = new pg.Client({ connectionString: this.services.forReaders.warehouseUrl })
    await client.connect()
    const rows = async () => {
      const found = await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${demoNames.table}`)
      return Number(found.rows[0]?.n) >= events ? true : undefined
    }
    try {
      await this.#worker.until(`${events} rows`, rows, PATIENCE_MS)
    } finally {
      await client.end()
    }
    await this.#caughtUp('the end of the stream')
  }

  async stop(): Promise<void> {
    await this.#worker.end()
    await this.#ends.close()
    await this.services.stop()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
