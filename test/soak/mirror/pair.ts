import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { tp } from '../../../src/actors/kafka/topic-partition.ts'
import { type KafkaCluster, type RealKafka, startKafka, startKafkaCluster } from '../../real/kafka.ts'
import { createTopics, kafkajs } from '../../real/kafka-mirror.ts'
import { pythonTool } from '../../tools/python.ts'
import { freePort } from '../../tools/service.ts'
import { questioner } from '../questioner.ts'
import { SoakWorker } from '../worker.ts'
import { caughtUp, PATIENCE_MS, SESSION_MS, type WorkerGroup } from '../workers.ts'

const PARTITIONS = 4
/** Longer than any run. */
const LOAD_MS_MAX = 6 * 3_600_000

/** Each mirror's topic, and the clusters between which it copies. */
const roads = { out: { from: 'many', to: 'one' }, in: { from: 'one', to: 'many' } } as const
type Road = keyof typeof roads

/** Per record of a comparison of topics. */
export interface TopicVerdict {
  readonly records: number
  readonly missing: number
  readonly repeatedOrWrong: number
  readonly partitionsOutOfOrder: number
}

/**
 * Two workers in one group, each mirroring one topic from three brokers to one and another the other way, while records
 * of every kind come in: everything that mirrors can meet, without what other roles add.
 */
export class MirrorPair implements WorkerGroup {
  readonly many: KafkaCluster
  readonly one: RealKafka
  readonly workers: readonly SoakWorker[]
  readonly #directory: string
  readonly #clusters: Record<'many' | 'one', Cluster>
  readonly #enough: string
  readonly #feeds: Promise<unknown>
  /** Why the load ended too soon, when it did. */
  #feedFault: unknown

  private constructor(
    directory: string,
    clusters: { readonly many: KafkaCluster; readonly one: RealKafka },
    workers: readonly SoakWorker[],
    load: { readonly rate: number; readonly seed: number }
  ) {
    this.#directory = directory
    this.many = clusters.many
    this.one = clusters.one
    this.workers = workers
    this.#clusters = { many: questioner('many', this.many.direct), one: questioner('one', this.one.direct) }
    this.#enough = join(directory, 'enough')
    this.#feeds = Promise.all((Object.keys(roads) as Road[]).map((road) => this.#feed(road, load)))
    this.#feeds.catch((error: unknown) => {
      this.#feedFault = error
    })
  }

  /**
   * Starts brokers, workers and writers, and waits until everything flows.
   *
   * @param rate records per second into each of the two topics
   */
  static async start(program: readonly string[], rate: number, seed: number): Promise<MirrorPair> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-mirrors-'))
    const [many, one] = await Promise.all([
      startKafkaCluster({ proxied: true, settings: { 'group.min.session.timeout.ms': String(SESSION_MS) } }),
      startKafka({}, { proxied: true })
    ])
    try {
      const topic = (name: string, replicationFactor: number) => [
        { topic: name, numPartitions: PARTITIONS, replicationFactor }
      ]
      await createTopics(kafkajs(many.direct), topic('out', 3))
      await createTopics(kafkajs(one.direct), topic('in', 1))
      const workers: SoakWorker[] = []
      for (const name of ['a', 'b']) {
        const place = join(directory, name)
        mkdirSync(place)
        const config = configOf({ many, one }, place, await freePort())
        writeFileSync(join(place, 'causeway.toml'), config)
        workers.push(new SoakWorker(name, program, join(place, 'causeway.toml'), 'mirror'))
      }
      const pair = new MirrorPair(directory, { many, one }, workers, { rate, seed })
      await pair.flowing('the start')
      return pair
    } catch (error) {
      await Promise.all([many.stop(), one.stop()])
      throw error
    }
  }

  /** Milliseconds until everything that can be read of the sources now is copied and committed. */
  async flowing(what: string): Promise<number> {
    if (this.#feedFault !== undefined) throw this.#feedFault
    const ends = await this.#ends()
    return await caughtUp(this.workers, what, async () => {
      const positions = await this.#positions()
      return [...ends].flatMap(([key, end]) => {
        const position = positions.get(key) ?? -1
        return position >= end ? [] : [`${key} at ${position} and not at ${end}`]
      })
    })
  }

  /** Whether some record is on its way now. */
  async isBusy(): Promise<boolean> {
    const states = await Promise.all(this.workers.map((worker) => worker.state()))
    return states.some((state) =>
      state?.roles.some(({ partitions }) =>
        partitions.some(({ position, end }) => position >= 0 && end > position)
      )
    )
  }

  /** How often some worker fenced a transactional id, over the lives that run now. */
  async fences(): Promise<number> {
    const states = await Promise.all(this.workers.map((worker) => worker.state()))
    const all = states.flatMap((state) => state?.roles.map(({ counters }) => counters.fences ?? 0) ?? [])
    return all.reduce((sum, count) => sum + count, 0)
  }

  /** Ends the load, waits until all of it has arrived, ends the workers as an operator does, and compares the topics. */
  async finish(): Promise<{
    readonly verdict: Record<Road, TopicVerdict>
    readonly exits: readonly number[]
  }> {
    writeFileSync(this.#enough, '')
    await this.#feeds
    await this.flowing('the end of the load')
    const exits = await Promise.all(this.workers.map(async (worker) => (await worker.stop()) ?? -1))
    const compare = async (road: Road): Promise<TopicVerdict> => {
      const { from, to } = roads[road]
      const sides = [from, to].map((name) => JSON.stringify(this.#properties(name)))
      const verdicts: Record<string, TopicVerdict> = JSON.parse(
        await pythonTool('compare_topics.py', [...sides, road])
      )
      const verdict = verdicts[road]
      if (verdict === undefined) throw new Error(`nothing was said of ${road}`)
      return verdict
    }
    return { verdict: { out: await compare('out'), in: await compare('in') }, exits }
  }

  async stop(): Promise<void> {
    writeFileSync(this.#enough, '')
    await Promise.all(this.workers.map((worker) => worker.end()))
    await this.#feeds.catch(() => {})
    for (const cluster of Object.values(this.#clusters)) cluster.close()
    await Promise.all([this.many.stop(), this.one.stop()])
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #feed(road: Road, { rate, seed }: { readonly rate: number; readonly seed: number }): Promise<string> {
    const properties = JSON.stringify(this.#properties(roads[road].from))
    const args = [properties, road, PARTITIONS, rate, seed, this.#enough].map(String)
    return pythonTool('feed_mixed.py', args, { timeoutMs: LOAD_MS_MAX })
  }

  #properties(name: 'many' | 'one') {
    return { 'bootstrap.servers': this[name].direct.join() }
  }

  /** Last stable offsets of the sources, asked of brokers past all proxies. */
  async #ends(): Promise<Map<string, number>> {
    const all = new Map<string, number>()
    for (const topic of Object.keys(roads) as Road[]) {
      const parts = Array.from({ length: PARTITIONS }, (_, partition) => ({
        ...{ topic, partition },
        timestamp: -1 as const
      }))
      const cluster = this.#clusters[roads[topic].from]
      const ends = await cluster.listOffsets(parts, 1, AbortSignal.timeout(PATIENCE_MS))
      for (const [key, end] of ends) all.set(key, end)
    }
    return all
  }

  /** The furthest committed position that some worker tells, by `tp`. */
  async #positions(): Promise<Map<string, number>> {
    const positions = new Map<string, number>()
    for (const state of await Promise.all(this.workers.map((worker) => worker.state()))) {
      for (const { topic, partition, position } of state?.roles.flatMap((role) => role.partitions) ?? []) {
        const key = tp(topic, partition)
        positions.set(key, Math.max(position, positions.get(key) ?? -1))
      }
    }
    return positions
  }
}

function configOf(
  { many, one }: { readonly many: KafkaCluster; readonly one: RealKafka },
  place: string,
  port: number
): string {
  const mirrors = (Object.keys(roads) as Road[]).map((road) => {
    const { from, to } = roads[road]
    const session = `session_timeout = "${SESSION_MS}ms", shards = 8`
    const replication = to === 'many' ? 3 : 1
    return `mirror.${road} = { from = "${from}", to = "${to}", topics = ["${road}"], ${session}, replication = ${replication} }`
  })
  return [
    'name = "soak"',
    `data_dir = "${place}/data"`,
    `http.listen = "127.0.0.1:${port}"`,
    // A request that hangs is given up sooner than by default, so that many of them fit into a run.
    `cluster.many = { brokers = ${JSON.stringify(many.brokers)}, request_timeout = "5s" }`,
    `cluster.one = { brokers = ${JSON.stringify(one.brokers)}, request_timeout = "5s" }`,
    ...mirrors,
    ''
  ].join('\n')
}
