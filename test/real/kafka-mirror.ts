import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ITopicConfig, Kafka, logLevel } from 'kafkajs'
import { expect } from 'vitest'
import { CausewayProcess } from '../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'
import { pythonTool } from '../tools/python.ts'

/** librdkafka's properties. */
export type Properties = Readonly<Record<string, string | number>>

/** A worker with the role `mirror` in a process of its own, on a config of the caller's. */
export class MirrorProcess {
  readonly worker: CausewayProcess
  readonly directory: string

  private constructor(directory: string, env: Readonly<Record<string, string>>) {
    this.directory = directory
    const args = ['--role', 'mirror', '--config', join(directory, 'causeway.toml')]
    this.worker = new CausewayProcess(args, { env })
  }

  /**
   * @param sections clusters and mirrors, in TOML
   * @param env what the sections' secrets refer to
   */
  static start(sections: string, env: Readonly<Record<string, string>> = {}): MirrorProcess {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-mirror-'))
    const head = `name = "real"\ndata_dir = "${directory}/data"\nhttp.listen = "127.0.0.1:0"\n`
    writeFileSync(join(directory, 'causeway.toml'), `${head}${sections}`)
    return new MirrorProcess(directory, env)
  }

  async state(): Promise<WorkerState | undefined> {
    const url = this.url()
    return url === undefined ? undefined : fetchState(url)
  }

  /** Where its page is, once it is there. */
  url(): string | undefined {
    return /"address":"(http:[^"]+)"/.exec(this.worker.stderr)?.[1]
  }

  /** Resolves when the positions are where these topics end now. */
  async copied(source: Kafka, topics: readonly string[], timeoutMs = 120_000): Promise<void> {
    const ends = await endsOf(source, topics)
    let seen: WorkerState | undefined
    const isThere = async () => {
      seen = await this.state()
      const partitions = seen?.roles.flatMap((role) => role.partitions) ?? []
      const at = new Map(partitions.map((one) => [`${one.topic}-${one.partition}`, one.position]))
      return [...ends].every(([key, end]) => (at.get(key) ?? -1) >= end) ? true : undefined
    }
    await this.worker.until('every record was copied', isThere, timeoutMs).catch((error: unknown) => {
      throw new Error(`the worker stands at ${JSON.stringify(seen)}`, { cause: error })
    })
  }

  /** Kills it, if it still runs, and removes its files. */
  async remove(): Promise<void> {
    await this.worker.end()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** kafkajs, for what a test needs to arrange. */
export function kafkajs(brokers: readonly string[]): Kafka {
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 20 } })
}

export async function createTopics(kafka: Kafka, topics: ITopicConfig[]): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics, waitForLeaders: true })
  await admin.disconnect()
}

export interface Feed {
  readonly records: number
  /** What they are spread over; at once by default. */
  readonly seconds?: number
  /** A file: more records go on coming at that rate until it is there. */
  readonly until?: string
}

/** Writes records to four partitions by librdkafka, which keeps their order, and returns how many. */
export async function feed(
  properties: Properties,
  topic: string,
  { records, seconds = 0, until }: Feed
): Promise<number> {
  const args = [JSON.stringify(properties), topic, '4', String(records), String(seconds)]
  const said = await pythonTool('feed_topic.py', until === undefined ? args : [...args, until])
  const { acknowledged, failed }: { acknowledged: number; failed: unknown } = JSON.parse(said)
  expect(failed).toEqual({})
  return acknowledged
}

/**
 * The target has the source's records, each once, unchanged and in order, as librdkafka reads them.
 *
 * @param topics their records; `a=b` where a is called b on the target. `atLeast`: a producer whose brokers died may have
 * written what it was never told of
 */
export async function expectSame(
  source: Properties,
  target: Properties,
  topics: Readonly<Record<string, number | { readonly atLeast: number }>>,
  partitions = 4
): Promise<void> {
  const args = [JSON.stringify(source), JSON.stringify(target), ...Object.keys(topics)]
  const flawless = (count: number | { readonly atLeast: number }) => {
    const records =
      typeof count === 'number' ? count : expect.toSatisfy((found: number) => found >= count.atLeast)
    return { records, partitions, missing: 0, repeatedOrWrong: 0, partitionsOutOfOrder: 0 }
  }
  const expected = Object.entries(topics).map(([topic, records]) => [topic, flawless(records)])
  expect(JSON.parse(await pythonTool('compare_topics.py', args))).toEqual(Object.fromEntries(expected))
}

async function endsOf(kafka: Kafka, topics: readonly string[]): Promise<Map<string, number>> {
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map<string, number>()
  for (const topic of topics) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
      ends.set(`${topic}-${partition}`, Number(high))
    }
  }
  await admin.disconnect()
  return ends
}
