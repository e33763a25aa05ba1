import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kafka } from 'kafkajs'
import { CausewayProcess } from '../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'
import type { S3Access } from './s3.ts'

export interface S3WorkerOptions {
  readonly brokers: readonly string[]
  readonly store: S3Access
  readonly bucket: string
  readonly prefix: string
  /** More keys of the store, in TOML. */
  readonly storeKeys?: string
  /** TOML of each sink by its name, beside cluster and store. */
  readonly sinks: Readonly<Record<string, string>>
  /** `name` of the config. */
  readonly name?: string
}

/** A worker with the role `s3-sink` in a process of its own. */
export class S3Worker {
  readonly worker: CausewayProcess
  readonly #directory: string
  readonly #config: string
  readonly #env: Readonly<Record<string, string>>

  constructor({ brokers, store, bucket, prefix, storeKeys = '', sinks, name = 'real' }: S3WorkerOptions) {
    this.#directory = mkdtempSync(join(tmpdir(), 'causeway-s3-worker-'))
    const lines = [
      `name = "${name}"\ndata_dir = "${this.#directory}/data"\nhttp.listen = "127.0.0.1:0"`,
      `[cluster.source]\nbrokers = ${JSON.stringify(brokers)}`,
      `[store.lake]\ntype = "s3"\nbucket = "${bucket}"\nprefix = "${prefix}"\npath_style = true`,
      `endpoint = "${store.endpoint}"\nregion = "${store.region}"\n${storeKeys}`,
      `access_key_id = "\${env:S3_ID}"\nsecret_access_key = "\${env:S3_SECRET}"`,
      ...Object.entries(sinks).map(
        ([sink, keys]) =>
          `[s3_sink."${sink}"]\ncluster = "source"\nstore = "lake"\nrefresh_interval = "1s"\n${keys}`
      )
    ]
    this.#config = join(this.#directory, 'causeway.toml')
    writeFileSync(this.#config, `${lines.join('\n')}\n`)
    this.#env = { S3_ID: store.accessKeyId, S3_SECRET: store.secretAccessKey }
    const args = ['--role', 's3-sink', '--config', this.#config]
    this.worker = new CausewayProcess(args, { env: this.#env })
  }

  async state(): Promise<WorkerState | undefined> {
    const url = /"address":"(http:[^"]+)"/.exec(this.worker.stderr)?.[1]
    return url === undefined ? undefined : fetchState(url)
  }

  /** Resolves when every sink has published a topic to its end. */
  async published(source: Kafka, topic: string): Promise<void> {
    const admin = source.admin()
    await admin.connect()
    const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect())
    let seen: WorkerState | undefined
    const isThere = async () => {
      seen = await this.state()
      const roles = seen?.roles ?? []
      const isAt = ({ partitions }: (typeof roles)[number]) =>
        ends.every(({ partition, high }) =>
          partitions.some(
            (one) => one.topic === topic && one.partition === partition && one.position === Number(high)
          )
        )
      return roles.length > 0 && roles.every(isAt) ? true : undefined
    }
    await this.worker.until(`${topic} was published`, isThere, 240_000).catch((error: unknown) => {
      throw new Error(`the worker stands at ${JSON.stringify(seen)}`, { cause: error })
    })
  }

  /** Another command on the same config; what it printed, when it did well. */
  async command(...args: readonly string[]): Promise<string> {
    const other = new CausewayProcess([...args, '--config', this.#config], { env: this.#env })
    const { code } = await other.exited
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${other.said()}`)
    return other.stdout
  }

  /** Ends it as an operator does; the exit code. */
  stop(): Promise<number | null> {
    return this.worker.stop()
  }

  /** Kills it, if it still runs, and removes its files. */
  async remove(): Promise<void> {
    await this.worker.end()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
