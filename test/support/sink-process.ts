import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CausewayProcess } from './causeway-process.ts'
import { fetchState, type WorkerState } from './worker-state.ts'

/** Where a store is, for those who open it themselves: other processes, and readers that are not ours. */
export type StorePlace =
  | {
      readonly type: 's3'
      readonly endpoint: string
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly region: string
      readonly bucket: string
      readonly prefix: string
    }
  | {
      readonly type: 'hdfs'
      /** `http://<host>:<port>` */
      readonly url: string
      readonly user: string
      readonly path: string
    }

export interface SinkProcessOptions {
  readonly brokers: readonly string[]
  readonly place: StorePlace
  readonly topic: string
  /** Keys of the sink in TOML, beside cluster, store and topics. */
  readonly keys: string
}

/** A worker with one sink, `test.raw`, in a process of its own. */
export class SinkProcess {
  readonly worker: CausewayProcess
  readonly #directory: string

  constructor({ brokers, place, topic, keys }: SinkProcessOptions) {
    this.#directory = mkdtempSync(join(tmpdir(), 'causeway-sink-process-'))
    const section = place.type === 's3' ? 's3_sink' : 'hdfs_sink'
    const lines = [
      `name = "test"\ndata_dir = "${this.#directory}/data"\nhttp.listen = "127.0.0.1:0"`,
      `[cluster.source]\nbrokers = ${JSON.stringify(brokers)}`,
      `[store.lake]\n${storeKeys(place)}`,
      `[${section}.raw]\ncluster = "source"\nstore = "lake"\ntopics = ["${topic}"]\n${keys}`
    ]
    const config = join(this.#directory, 'causeway.toml')
    writeFileSync(config, `${lines.join('\n')}\n`)
    const env = place.type === 's3' ? { S3_ID: place.accessKeyId, S3_SECRET: place.secretAccessKey } : {}
    this.worker = new CausewayProcess(['--role', section.replace('_', '-'), '--config', config], { env })
  }

  /** `undefined` while it does not answer. */
  async state(): Promise<SinkState | undefined> {
    const url = /"address":"(http:[^"]+)"/.exec(this.worker.stderr)?.[1]
    return url === undefined ? undefined : (await fetchState(url))?.roles[0]
  }

  /** Waits until the sink is as wanted. Fails with what the process said. */
  async until(what: string, fits: (sink: SinkState) => boolean): Promise<void> {
    let seen: SinkState | undefined
    const look = async () => {
      seen = await this.state()
      return seen !== undefined && fits(seen) ? seen : undefined
    }
    await this.worker.until(what, look, PATIENCE_MS).catch((error: unknown) => {
      throw new Error(`the sink stands at ${JSON.stringify(seen)}`, { cause: error })
    })
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.worker.child.kill(signal)
  }

  /** Kills it, if it still runs, and removes its files. */
  async remove(): Promise<void> {
    await this.worker.end()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

export type SinkState = WorkerState['roles'][number]

const PATIENCE_MS = 90_000

/** Waits until some of the sinks stands at the end of each partition. */
export async function untilPublished(
  sinks: readonly [SinkProcess, ...SinkProcess[]],
  ends: ReadonlyMap<number, number>
): Promise<void> {
  const isAtEnds = async () => {
    const states = await Promise.all(sinks.map((sink) => sink.state()))
    const places = states.flatMap((state) => state?.partitions ?? [])
    const isThere = ([partition, end]: readonly [number, number]) =>
      places.some((place) => place.partition === partition && place.position === end)
    return [...ends].every(isThere) ? true : undefined
  }
  await sinks[0].worker.until('everything was published', isAtEnds, PATIENCE_MS)
}

function storeKeys(place: StorePlace): string {
  if (place.type === 'hdfs') {
    return `type = "hdfs"\nnamenodes = ["${place.url}"]\nuser = "${place.user}"\npath = "${place.path}"`
  }
  const { endpoint, region, bucket, prefix } = place
  return [
    `type = "s3"\nbucket = "${bucket}"\nprefix = "${prefix}"\npath_style = true`,
    `endpoint = "${endpoint}"\nregion = "${region}"`,
    `access_key_id = "\${env:S3_ID}"\nsecret_access_key = "\${env:S3_SECRET}"`
  ].join('\n')
}
