import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HdfsStore } from '../../../src/actors/hdfs/store.ts'
import type { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { S3Store } from '../../../src/actors/s3/store.ts'
import type { Store } from '../../../src/actors/store/store.ts'
import { type RealHdfs, startHdfs } from '../../real/hdfs.ts'
import { type RealKafka, startKafka } from '../../real/kafka.ts'
import { createTopics, kafkajs } from '../../real/kafka-mirror.ts'
import { startMinio } from '../../real/minio.ts'
import type { RealS3 } from '../../real/s3.ts'
import { freePort } from '../../tools/service.ts'
import { questioner } from '../questioner.ts'
import { SoakWorker } from '../worker.ts'
import { caughtUp, PATIENCE_MS, SESSION_MS, type WorkerGroup } from '../workers.ts'
import { PARTITIONS, TOPIC, TweetFeed } from './feed.ts'
import { brokenFiles, judgeStore, type SinkVerdict } from './verdict.ts'

const USER = 'causeway'
const ROLES = ['hdfs-sink', 's3-sink'] as const

interface Services {
  readonly kafka: RealKafka
  readonly hdfs: RealHdfs
  readonly s3: RealS3
}

/** Two workers in one group, each with a sink into HDFS and one into S3, while tweets come in. */
export class SinkPair implements WorkerGroup {
  readonly workers: readonly SoakWorker[]
  /** Visible files that were not whole when somebody looked. */
  broken = 0
  readonly #directory: string
  readonly #services: Services
  readonly #stores: Readonly<Record<'HDFS' | 'S3', HdfsStore | S3Store>>
  readonly #cluster: Cluster
  readonly #feed: TweetFeed

  private constructor(
    directory: string,
    services: Services,
    workers: readonly SoakWorker[],
    load: { readonly rate: number; readonly random: () => number }
  ) {
    this.#directory = directory
    this.#services = services
    this.workers = workers
    const { kafka, hdfs, s3 } = services
    const { accessKeyId, secretAccessKey, region, endpoint } = s3
    const credentials = { accessKeyId, secretAccessKey }
    this.#stores = {
      HDFS: new HdfsStore({ namenodes: [hdfs.nameNode.url], path: '/lake', user: USER }),
      S3: new S3Store({ bucket: 'lake', prefix: 'road', region, endpoint, pathStyle: true, credentials })
    }
    this.#cluster = questioner('source', kafka.direct)
    this.#feed = new TweetFeed(kafkajs(kafka.direct), load.rate, load.random)
  }

  /**
   * Starts services and workers, and waits until everything flows.
   *
   * @param rate records per second
   */
  static async start(program: readonly string[], rate: number, random: () => number): Promise<SinkPair> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-sinks-'))
    const started: { stop(): Promise<unknown> }[] = []
    const running = <S extends { stop(): Promise<unknown> }>(service: S): S => {
      started.push(service)
      return service
    }
    try {
      const settings = { 'group.min.session.timeout.ms': String(SESSION_MS) }
      const kafka = running(await startKafka(settings, { proxied: true }))
      const hdfs = running(await startHdfs({ superuser: USER }))
      const secret = () => randomBytes(12).toString('hex')
      const s3 = running(await startMinio({ accessKeyId: `AK${secret()}`, secretAccessKey: secret() }))
      await s3.createBucket('lake')
      await createTopics(kafkajs(kafka.direct), [{ topic: TOPIC, numPartitions: PARTITIONS }])
      const services = { kafka, hdfs, s3 }
      const workers = await Promise.all(
        ['a', 'b'].map((name) => startWorker(name, { directory, program, services }))
      )
      const pair = new SinkPair(directory, services, workers, { rate, random })
      await pair.flowing('the start')
      return pair
    } catch (error) {
      for (const service of started.reverse()) await service.stop()
      throw error
    }
  }

  /** Milliseconds until everything that can be read of the source now is published in both stores. */
  async flowing(what: string): Promise<number> {
    const ends = await this.#ends()
    const tookMs = await caughtUp(this.workers, what, () => this.#late(ends))
    for (const store of this.#lakes())
      this.broken += await brokenFiles(store, AbortSignal.timeout(PATIENCE_MS))
    return tookMs
  }

  /** Whether some record is on its way now. */
  async isBusy(): Promise<boolean> {
    const states = await Promise.all(this.workers.map((worker) => worker.state()))
    return states.some((state) =>
      state?.roles.some(({ partitions }) => partitions.some(({ state: step }) => step !== 'idle'))
    )
  }

  /** Ends the load, waits until all of it has arrived, ends the workers as an operator does, and reads the stores. */
  async finish(): Promise<{
    readonly verdict: Readonly<Record<'HDFS' | 'S3', SinkVerdict>>
    readonly exits: readonly number[]
  }> {
    await this.#feed.end()
    await this.flowing('the end of the load')
    const exits = await Promise.all(this.workers.map(async (worker) => (await worker.stop()) ?? -1))
    const judge = (store: Store, sink: string) =>
      judgeStore(store, sink, this.#feed.expected, AbortSignal.timeout(PATIENCE_MS))
    const [HDFS, S3] = [
      await judge(this.#stores.HDFS, 'soak.raw'),
      await judge(this.#stores.S3, 'soak.crucial')
    ]
    return { verdict: { HDFS, S3 }, exits }
  }

  async stop(): Promise<void> {
    await this.#feed.end().catch(() => undefined)
    await Promise.all(this.workers.map((worker) => worker.end()))
    this.#cluster.close()
    for (const store of this.#lakes()) store.close()
    const { kafka, hdfs, s3 } = this.#services
    await Promise.all([kafka.stop(), hdfs.stop(), s3.stop()])
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #lakes(): readonly (HdfsStore | S3Store)[] {
    return Object.values(this.#stores)
  }

  async #ends(): Promise<readonly number[]> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const parts = partitions.map((partition) => ({ topic: TOPIC, partition, timestamp: -1 as const }))
    const ends = await this.#cluster.listOffsets(parts, 1, AbortSignal.timeout(PATIENCE_MS))
    return partitions.map((partition) => ends.get(`${TOPIC}-${partition}`) ?? 0)
  }

  /** What no worker has published yet. */
  async #late(ends: readonly number[]): Promise<readonly string[]> {
    const states = await Promise.all(this.workers.map((worker) => worker.state()))
    const roles = states.flatMap((state) => state?.roles ?? [])
    return ROLES.flatMap((name) =>
      ends.flatMap((end, partition) => {
        const views = roles.filter(({ role }) => role === name).flatMap(({ partitions }) => partitions)
        const position = Math.max(
          -1,
          ...views.filter((one) => one.partition === partition).map((one) => one.position)
        )
        return position >= end ? [] : [`${name} ${partition} at ${position} and not at ${end}`]
      })
    )
  }
}

async function startWorker(
  name: string,
  { directory, program, services }: { directory: string; program: readonly string[]; services: Services }
): Promise<SoakWorker> {
  const place = join(directory, name)
  mkdirSync(place)
  const { kafka, hdfs, s3 } = services
  writeFileSync(join(place, 'id'), s3.accessKeyId)
  writeFileSync(join(place, 'secret'), s3.secretAccessKey)
  const sink = `cluster = "source", topics = ["${TOPIC}"], rotate_age = "500ms", session_timeout = "${SESSION_MS}ms", shards = 8`
  const lines = [
    ...['name = "soak"', `data_dir = "${place}/data"`, `http.listen = "127.0.0.1:${await freePort()}"`],
    `cluster.source = { brokers = ${JSON.stringify(kafka.brokers)}, request_timeout = "5s" }`,
    `store.raw = { type = "hdfs", namenodes = ["${hdfs.nameNode.url}"], path = "/lake", user = "${USER}" }`,
    `hdfs_sink.raw = { ${sink}, store = "raw" }`,
    `s3_sink.crucial = { ${sink}, store = "crucial" }`,
    '[store.crucial]\ntype = "s3"\nbucket = "lake"\nprefix = "road"\npath_style = true',
    `region = "${s3.region}"\nendpoint = "${s3.endpoint}"`,
    `access_key_id = "\${file:${place}/id}"\nsecret_access_key = "\${file:${place}/secret}"`
  ]
  writeFileSync(join(place, 'causeway.toml'), `${lines.join('\n')}\n`)
  return new SoakWorker(name, program, join(place, 'causeway.toml'), ROLES.join())
}
