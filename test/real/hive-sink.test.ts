import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { CausewayProcess } from '../support/causeway-process.ts'
import { causeway } from '../support/command-line.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'
import { type RealHdfs, startHdfs } from './hdfs.ts'
import { hasHive, type RealHive, startHive } from './hive.ts'
import { hasKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, kafkajs } from './kafka-mirror.ts'

const TWEETS = 200_000
const PARTITIONS = 4
const HOURS = 6
/** India is 5:30 h before UTC. */
const ZONE = 'Asia/Kolkata'
const ZONE_MS = 19_800_000
const FIRST_MS = Date.UTC(2026, 0, 31, 21)
const HOUR_MS = 3_600_000

/** A worker with an HDFS sink whose table is in Hive: HDFS 3.4.3, HiveServer2 4.0.1 in a zone of its own, Kafka 4.1.1. */
describe.skipIf(!hasHive || !hasKafka)('an HDFS sink with a table in Hive 4.0.1', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-hive-sink-'))
  let kafka: RealKafka
  let hdfs: RealHdfs
  let hive: RealHive
  let worker: CausewayProcess | undefined
  beforeAll(async () => {
    // The tweets are of January: a broker that clears up after a week would take them away.
    const forEver = { 'log.retention.ms': '-1' }
    ;[kafka, hdfs] = await Promise.all([startKafka(forEver), startHdfs({ superuser: 'causeway' })])
    hive = await startHive(hdfs, { timeZone: ZONE })
    await createTopics(kafkajs(kafka.brokers), [{ topic: 'hybrid', numPartitions: PARTITIONS }])
  }, 300_000)
  afterAll(async () => {
    await worker?.end()
    await Promise.all([kafka?.stop(), hive?.stop()])
    await hdfs?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The same topic, files and log, however the table and the columns are meant. */
  const configure = (file: string, sink: string, table: string) => {
    const config = `name = "real"
data_dir = "${directory}/data"
http.listen = "127.0.0.1:0"
cluster.onprem.brokers = ${JSON.stringify(kafka.brokers)}
[store.lake]
type = "hdfs"
namenodes = ["${hdfs.nameNode.url}"]
path = "/lake"
user = "causeway"
[hdfs_sink.raw]
cluster = "onprem"
topics = ["hybrid"]
store = "lake"
rotate_age = "2s"
${sink}
[hdfs_sink.raw.hive]
url = "hive2://127.0.0.1:${hive.port}"
auth = "nosasl"
${table}
`
    writeFileSync(join(directory, file), config)
  }
  const start = () => {
    worker = new CausewayProcess(['--role', 'hdfs-sink', '--config', join(directory, 'causeway.toml')])
    return worker
  }
  /** Waits until the role is as it should be, and returns it. */
  const until = (what: string, fits: (role: Role) => boolean) =>
    (worker ?? start()).until(
      what,
      async () => {
        const url = /"address":"(http:[^"]+)"/.exec(worker?.stderr ?? '')?.[1]
        const role = url === undefined ? undefined : (await fetchState(url))?.roles[0]
        return role !== undefined && fits(role) ? role : undefined
      },
      200_000
    )
  const untilPublished = (records: number) =>
    until(`${records} records were published`, ({ partitions }) => {
      return partitions.reduce((sum, { position }) => sum + Math.max(0, position), 0) === records
    })

  test('a Hive that is away holds nothing up; table, later columns and partitions follow; values agree with the source', {
    timeout: 580_000
  }, async () => {
    configure('causeway.toml', 'lineage = false', 'table = "tweets"')
    start()
    await produce(kafka, 0, TWEETS / 2)
    await untilPublished(TWEETS / 2)
    await until('Hive has the partitions', ({ counters }) => counters.hivePartitionsAdded === HOURS)
    expect(await worker?.stop(), worker?.said()).toBe(0)
    expect(await hive.query('SELECT count(*) FROM tweets')).toEqual([[String(TWEETS / 2)]])

    // Four columns more, in the same directories, while Hive is away.
    await hive.kill()
    configure('causeway.toml', 'lineage = true', 'table = "tweets"')
    start()
    await produce(kafka, TWEETS / 2, TWEETS)
    await untilPublished(TWEETS)
    const { notes } = await until('people are told', ({ notes }) => notes.length > 0)
    expect(notes.join()).toContain('hive-unreachable')
    await hive.process.start()
    await until(
      'Hive has the table',
      ({ notes, counters }) => notes.length === 0 && (counters.hiveFaults ?? 0) > 0
    )

    const seen = await hive.query(
      `SELECT count(*), count(DISTINCT id), min(id), max(id), min(created_at), max(created_at), sum(retweet_count),
              min(user_location), count(user_location), count(\`_offset\`), max(\`_offset\`) FROM tweets`
    )
    const source = sourceFacts()
    expect(seen).toEqual([
      [
        ...[source.count, source.count, source.minId, source.maxId].map(String),
        ...[source.minMs, source.maxMs].map((ms) => localText(ms + ZONE_MS)),
        ...[source.retweets, source.minLocation, source.locations].map(String),
        ...[TWEETS / 2, TWEETS / PARTITIONS - 1].map(String)
      ]
    ])
    const bySource = await hive.query('SELECT source, count(*), max(id) FROM tweets GROUP BY source')
    expect(sorted(bySource)).toEqual(sorted(source.bySource))
    const byHour = await hive.query('SELECT topic, dt, hour, count(*) FROM tweets GROUP BY topic, dt, hour')
    expect(sorted(byHour)).toEqual(sorted(source.byHour))
    // Conditions that statistics answer: the first day's last hour, and a range of ids.
    const some = source.ids[Math.floor(TWEETS / 3)] ?? 0n
    expect(await hive.query(`SELECT count(*) FROM tweets WHERE id > ${some} AND dt = '2026-01-31'`)).toEqual([
      [String(source.ids.filter((id, index) => id > some && dayOf(index) === '2026-01-31').length)]
    ])
    expect(
      await hive.query(
        `SELECT count(*) FROM tweets WHERE created_at < TIMESTAMP '${localText(FIRST_POST_MS + ZONE_MS + 60_000)}'`
      )
    ).toEqual([['2400']])
  })

  test('the statements that people run themselves make the same table; instants as BIGINT are the same everywhere', async () => {
    configure('numbers.toml', 'lineage = true', 'table = "numbers"\ntimestamps = "bigint"')
    const args = ['hive', 'ddl', '--config', 'numbers.toml', '--sink', 'raw', '--partitions']
    const { exitCode, out } = await causeway(directory, ...args)
    expect(exitCode).toBe(0)
    for (const statement of out.split(/;\n|;$/).filter(Boolean)) await hive.query(statement)
    const { minMs, maxMs } = sourceFacts()
    expect(await hive.query('SELECT count(*), min(created_at), max(created_at) FROM numbers')).toEqual([
      [TWEETS, minMs, maxMs].map(String)
    ])
    const soon = FIRST_POST_MS + 60_000
    expect(await hive.query(`SELECT count(*) FROM numbers WHERE created_at < ${soon}`)).toEqual([['2400']])
  })

  test('a table that was dropped is created anew and filled from the log', async () => {
    const before = await until('the sink runs', () => true)
    await hive.query('DROP TABLE tweets')
    await produce(kafka, TWEETS, TWEETS + 10, HOURS)
    await untilPublished(TWEETS + 10)
    await until('all partitions are there again', ({ counters, notes }) => {
      const added = (counters.hivePartitionsAdded ?? 0) - (before.counters.hivePartitionsAdded ?? 0)
      return notes.length === 0 && added >= HOURS + 1
    })
    expect(await hive.query('SELECT count(*) FROM tweets')).toEqual([[String(TWEETS + 10)]])
    expect(await worker?.stop(), worker?.said()).toBe(0)
  })
})

type Role = WorkerState['roles'][number]

/** The tweets `[from, to)`, in turn to the partitions and the hours of their Kafka timestamps. */
async function produce(kafka: RealKafka, from: number, to: number, hour?: number): Promise<void> {
  const producer = kafkajs(kafka.brokers).producer()
  await producer.connect()
  for (let next = from; next < to; next += 5_000) {
    const messages = Array.from({ length: Math.min(5_000, to - next) }, (_, index) => {
      const { id, json } = tweetAt(1, next + index)
      const timestamp = String(FIRST_MS + (hour ?? hourOf(next + index)) * HOUR_MS)
      return { partition: (next + index) % PARTITIONS, key: id, value: json, timestamp }
    })
    await producer.send({ topic: 'hybrid', messages })
  }
  await producer.disconnect()
}

/** Hours are independent of partitions: each has tweets of all. */
function hourOf(index: number): number {
  return Math.floor(index / PARTITIONS) % HOURS
}

function dayOf(index: number): string {
  return new Date(FIRST_MS + hourOf(index) * HOUR_MS).toISOString().slice(0, 10)
}

/** When the first tweet was posted; each next one 25 ms later. */
const FIRST_POST_MS = Date.UTC(2024, 0, 1)

interface Event {
  readonly data: {
    readonly id: string
    readonly created_at: string
    readonly source: string
    readonly author_id: string
    readonly public_metrics: { readonly retweet_count: number }
  }
  readonly includes: { readonly users: readonly { readonly id: string; readonly location?: string }[] }
}

/** What the source says, read by JSON.parse and nothing of ours. */
function sourceFacts() {
  const ids: bigint[] = []
  const times: number[] = []
  const locations: string[] = []
  let retweets = 0
  const sources = new Map<string, { count: number; maxId: bigint }>()
  const hours = new Map<string, number>()
  for (let index = 0; index < TWEETS; index++) {
    const { data, includes } = JSON.parse(tweetAt(1, index).json) as Event
    const id = BigInt(data.id)
    ids.push(id)
    times.push(Date.parse(data.created_at))
    retweets += data.public_metrics.retweet_count
    const { location } = includes.users.find((user) => user.id === data.author_id) ?? {}
    if (location !== undefined) locations.push(location)
    const { count, maxId } = sources.get(data.source) ?? { count: 0, maxId: 0n }
    sources.set(data.source, { count: count + 1, maxId: id > maxId ? id : maxId })
    const hour = new Date(FIRST_MS + hourOf(index) * HOUR_MS).toISOString()
    hours.set(hour, (hours.get(hour) ?? 0) + 1)
  }
  const sortedIds = [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return {
    ...{ ids, retweets, count: ids.length, minId: sortedIds[0], maxId: sortedIds.at(-1) },
    minMs: times.reduce((a, b) => Math.min(a, b)),
    maxMs: times.reduce((a, b) => Math.max(a, b)),
    locations: locations.length,
    minLocation: locations.reduce((a, b) => (Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 ? a : b)),
    bySource: [...sources].map(([source, { count, maxId }]) => [source, String(count), String(maxId)]),
    byHour: [...hours].map(([hour, count]) => [
      'hybrid',
      hour.slice(0, 10),
      hour.slice(11, 13),
      String(count)
    ])
  }
}

/** As Hive prints a timestamp: without zeros at its end. */
function localText(ms: number): string {
  const text = new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
  return text.replace(/0+$/, '').replace(/\.$/, '.0')
}

function sorted(rows: readonly (readonly (string | null)[])[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}
