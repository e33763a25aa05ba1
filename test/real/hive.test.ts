import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { sinkColumns } from '../../src/actors/rows/open.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import type { ColumnType } from '../../src/records/columns.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { type RealHdfs, startHdfs } from './hdfs.ts'
import { hasHive, type RealHive, startHive } from './hive.ts'

const TWEETS = 4_000
const USER = 'causeway'

const hiveTypes: Readonly<Record<ColumnType, string>> = {
  int64: 'BIGINT',
  int32: 'INT',
  double: 'DOUBLE',
  string: 'STRING',
  binary: 'BINARY',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMP'
}

/** The sink's files on HDFS 3.4.3 as HiveServer2 4.0.1 reads them (parquet-mr), in an external table over its directory. */
describe.skipIf(!hasHive)('Hive 4.0.1', () => {
  let hdfs: RealHdfs
  let hive: RealHive
  let world: SinkWorld
  beforeAll(async () => {
    hdfs = await startHdfs({ superuser: USER })
    hive = await startHive(hdfs)
    world = await fill(hdfs)
    const columns = sinkColumns({ preset: 'tweet', lineage: true }).map(
      ({ name, type }) => `\`${name}\` ${hiveTypes[type]}`
    )
    await hive.query(
      `CREATE EXTERNAL TABLE tweets (${columns.join(', ')}) PARTITIONED BY (dt STRING, hour STRING)
       STORED AS PARQUET LOCATION '/lake/data/test.raw/hybrid'`
    )
    await hive.query('MSCK REPAIR TABLE tweets')
  })
  afterAll(async () => {
    await world?.stop()
    await hive?.stop()
    await hdfs?.stop()
  })

  test('every tweet is there once, at its offset', async () => {
    const rows = await hive.query('SELECT `_partition`, `_offset`, id FROM tweets')
    const seen = world.expected.map(() => new Map<number, string | null>())
    for (const [partition, offset, id = null] of rows) seen[Number(partition)]?.set(Number(offset), id)
    const inOrder = seen.map((ids) => [...ids].sort(([a], [b]) => a - b).map(([, id]) => id))
    expect(inOrder).toEqual(world.expected.map((ids) => ids.filter((id) => id !== undefined)))
    expect(rows).toHaveLength(inOrder.flat().length)
  })

  test('every column of every tweet has the value of the event', async () => {
    const names = sinkColumns({ preset: 'tweet', lineage: false }).map(({ name }) => name)
    const rows = await hive.query(`SELECT ${names.join(', ')} FROM tweets`)
    const written = new Set(world.expected.flat())
    const expected = [...flattened].filter(([id]) => written.has(id)).map(([, row]) => row)
    const byId = (a: readonly (string | null)[], b: readonly (string | null)[]) =>
      Number(BigInt(a[0] ?? 0) - BigInt(b[0] ?? 0))
    expect(rows.map((row) => row.map(comparable)).sort(byId)).toEqual(expected.sort(byId))
  })

  test('conditions on columns find what they should, with statistics and without', async () => {
    const ids = world.expected.flat().filter((id) => id !== undefined)
    const some = ids[Math.floor(ids.length / 3)] ?? ''
    const rows = ids.map((id) => ({ id: BigInt(id), row: flattened.get(id) ?? [] }))
    const count = async (condition: string) => {
      const [row] = await hive.query(`SELECT count(*) FROM tweets WHERE ${condition}`)
      return Number(row?.[0])
    }
    expect(await count(`id = ${some}`)).toBe(1)
    expect(await count(`id > ${some}`)).toBe(rows.filter(({ id }) => id > BigInt(some)).length)
    expect(await count('is_retweet')).toBe(rows.filter(({ row }) => row[3] === 'true').length)
    expect(await count('user_location IS NULL')).toBe(rows.filter(({ row }) => row[7] === null).length)
    expect(await count("source = 'TweetDeck'")).toBe(rows.filter(({ row }) => row[2] === 'TweetDeck').length)
    const instant = '2024-01-01T00:00:50.000Z'
    const before = rows.filter(({ row }) => (row[5] ?? '') < instant).length
    expect(await count("created_at < TIMESTAMP '2024-01-01 00:00:50'")).toBe(before)
  })
})

/** Half of the tweets with each codec. */
async function fill(hdfs: RealHdfs): Promise<SinkWorld> {
  const store = new HdfsStore({ namenodes: [hdfs.nameNode.url], path: '/lake', user: USER })
  const stop = async () => store.close()
  const world = await SinkWorld.over('hdfs', { store, stop })
  for (const codec of ['snappy', 'zstd'] as const) {
    await world.produce(TWEETS / 2, seededRandom(7))
    const sink = world.run({ config: { format: { type: 'parquet', codec } } })
    await world.untilCaughtUp(sink)
    await sink.drain()
  }
  return world
}

interface Event {
  readonly data: {
    readonly id: string
    readonly text: string
    readonly source: string
    readonly created_at: string
    readonly author_id: string
    readonly in_reply_to_user_id?: string
    readonly referenced_tweets?: readonly { readonly type: string; readonly id: string }[]
    readonly public_metrics: { readonly retweet_count: number }
  }
  readonly includes: { readonly users: readonly User[] }
}

interface User {
  readonly id: string
  readonly name: string
  readonly username: string
  readonly location?: string
  readonly description?: string
  readonly public_metrics: {
    readonly following_count: number
    readonly tweet_count: number
    readonly followers_count: number
  }
}

/** The columns of an event in their order, as text; read by JSON.parse and nothing of ours. */
function flatten(json: string): (string | null)[] {
  const { data, includes } = JSON.parse(json) as Event
  const user = includes.users.find(({ id }) => id === data.author_id)
  const referenced = (type: string) => data.referenced_tweets?.find((one) => one.type === type)?.id
  const values = [
    ...[data.id, data.text, data.source, referenced('retweeted') !== undefined, user?.name, data.created_at],
    ...[
      data.public_metrics.retweet_count,
      user?.location,
      data.in_reply_to_user_id,
      referenced('replied_to')
    ],
    ...[user?.username, user?.description, user?.public_metrics.following_count],
    ...[user?.public_metrics.tweet_count, user?.public_metrics.followers_count]
  ]
  return values.map((value) => (value === undefined ? null : String(value)))
}

const flattened = new Map(
  Array.from({ length: TWEETS }, (_, index) => tweetAt(1, index)).map(({ id, json }) => [id, flatten(json)])
)

/** Hive prints an instant as `2024-01-01 00:00:00.025`. */
function comparable(value: string | null): string | null {
  if (value === null || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(value)) return value
  return new Date(`${value.replace(' ', 'T')}Z`).toISOString()
}
