import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { demoNames, writeDemoConfig } from '../../src/demo/config.ts'
import { writeEndpoints } from '../../src/demo/endpoints.ts'
import { checkRoad, type RoadVerdict } from '../e2e/check-road.ts'
import { Canaries } from '../support/canaries.ts'
import { CausewayProcess } from '../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'
import { freePort } from '../tools/service.ts'
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

  /** Waits until, from now on, every role has carried something new and is ready; after `what`, as errors say. */
  async progress(what: string): Promise<void> {
    const before = await this.#worker.until('an answer', () => this.state())
    const carriedOf = (state: WorkerState, name: string) => {
      const counters = state.roles.find(({ role }) => role === name)?.counters ?? {}
      return counters.recordsWritten ?? counters.recordsKept ?? counters.rowsLoaded ?? 0
    }
    let stuck: readonly unknown[] = []
    const isMoving = async () => {
      const now = await this.state()
      if (now === undefined) return undefined
      const still = now.roles.filter(({ role }) => carriedOf(now, role) <= carriedOf(before, role))
      stuck = [...now.unready, ...still.map(({ role, state, notes }) => ({ role, state, notes }))]
      return stuck.length === 0 ? true : undefined
    }
    await this.#worker.until('progress of every role', isMoving, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(`${what}: stuck: ${JSON.stringify(stuck)}`, { cause: error })
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

  /**
   * The warehouse holds so many rows and the HDFS sink is at the end of its topic. A loss shows as a wait without change;
   * it is then left to the readers to say what is missing.
   */
  async #arrived(events: number): Promise<void> {
    const client = new pg.Client({ connectionString: this.services.forReaders.warehouseUrl })
    await client.connect()
    let [last, since] = ['', performance.now()]
    try {
      for (;;) {
        const { rows } = await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${demoNames.table}`)
        const state = await this.state()
        const sink = state?.roles.find(({ role }) => role === 'hdfs-sink')
        const behind = sink?.partitions.some(({ position, end }) => position < end) ?? true
        if (Number(rows[0]?.n) >= events && !behind) return
        const now = JSON.stringify([rows, sink?.partitions])
        if (now !== last) [last, since] = [now, performance.now()]
        if (performance.now() - since > PATIENCE_MS / 2) return
        await delay(200)
      }
    } finally {
      await client.end()
    }
  }

  async stop(): Promise<void> {
    await this.#worker.end()
    await this.services.stop()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}
