import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { S3Store } from '../../src/actors/s3/store.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasKafka, type RealKafka, startKafka } from './kafka.ts'
import { hasMinio, startMinio } from './minio.ts'
import type { RealS3 } from './s3.ts'
import { S3Worker, type S3WorkerOptions } from './s3-worker.ts'
import { hasVersitygw, startVersitygw } from './versitygw.ts'

const PARTITIONS = 4
const sink = (topic: string) => `topics = ["${topic}"]\nrotate_bytes = "2MiB"\nrotate_age = "2s"`

/** Whole workers between Apache Kafka and real object stores, read by pyarrow and DuckDB. */
describe.skipIf(!hasKafka || !hasPython)('an S3 sink of Apache Kafka', () => {
  let kafka: RealKafka
  let source: Kafka
  let directory: string
  beforeAll(async () => {
    kafka = await startKafka()
    source = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING, retry: { retries: 20 } })
    directory = mkdtempSync(join(tmpdir(), 'causeway-tweets-'))
  })
  afterAll(async () => {
    await kafka?.stop()
    if (directory) rmSync(directory, { recursive: true, force: true })
  })

  if (hasMinio) onStore('MinIO', startMinio)
  if (hasVersitygw) onStore('versitygw', startVersitygw)

  function onStore(name: string, start: () => Promise<RealS3>): void {
    describe(`on ${name}`, () => {
      const defer = cleanups()
      let s3: RealS3
      let lakes = 0
      let prefix: string
      beforeAll(async () => {
        s3 = await start()
        await s3.createBucket('lake')
      })
      afterAll(() => s3?.stop())

      const run = (sinks: S3WorkerOptions['sinks'], more: Partial<S3WorkerOptions> = {}) => {
        const place = { brokers: kafka.brokers, store: s3, bucket: 'lake', prefix }
        const worker = new S3Worker({ ...place, sinks, ...more })
        defer(() => worker.remove())
        return worker
      }
      const begin = () => {
        prefix = `road-${++lakes}`
        return `a..b.${name}.${lakes}`
      }
      const admin = async <T>(use: (admin: ReturnType<Kafka['admin']>) => Promise<T>) => {
        const client = source.admin()
        await client.connect()
        return use(client).finally(() => client.disconnect())
      }
      const createTopic = (topic: string) =>
        admin((client) =>
          client.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true })
        )
      /** Writes tweets to the topic; the file of their lines. */
      const feed = async (topic: string, from: number, to: number): Promise<string> => {
        const lines = join(directory, `${topic}-${from}.ndjson`)
        const tweets = Array.from({ length: to - from }, (_, index) => tweetAt(1, from + index).json)
        writeFileSync(lines, tweets.map((json) => `${json}\n`).join(''))
        const fed = await pythonTool('feed_lines.py', [
          kafka.brokers.join(),
          topic,
          String(PARTITIONS),
          lines
        ])
        expect(Number(fed)).toBe(to - from)
        return lines
      }
      const produce = async (topic: string, values: readonly (string | Buffer | null)[]) => {
        const producer = source.producer()
        await producer.connect()
        await producer.send({ topic, messages: values.map((value) => ({ partition: 0, value })) })
        await producer.disconnect()
      }
      /** Whether the sink's files hold exactly the lines of each of these incarnations of its topic. */
      const check = async (sinkName: string, ...files: readonly string[]) => {
        const { endpoint, accessKeyId, secretAccessKey, region } = s3
        const place = { bucket: 'lake', data: `${prefix}/data/${sinkName}/` }
        const store = { endpoint, accessKeyId, secretAccessKey, region, ...place }
        const topics = files.map((lines) => ({ lines, partitions: PARTITIONS }))
        return Number(await pythonTool('check_tweets.py', [JSON.stringify({ store, topics })]))
      }

      test('publishes 200,000 tweets as they are, to pyarrow and to DuckDB', async () => {
        const topic = begin()
        await createTopic(topic)
        const worker = run({ crucial: sink(topic) })
        const lines = await feed(topic, 0, 200_000)
        await worker.published(source, topic)
        expect(await worker.stop()).toBe(0)
        expect(await check('real.crucial', lines)).toBe(200_000)
      }, 600_000)

      test('goes on where its log ends, whatever the offsets of its group say', async () => {
        const topic = begin()
        await createTopic(topic)
        const first = run({ crucial: sink(topic) })
        const lines = await feed(topic, 0, 2_000)
        await first.published(source, topic)
        expect(await first.stop()).toBe(0)
        const groupId = 'real.s3-sink.crucial'
        const offsets = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '0' }))
        await admin((client) => client.setOffsets({ groupId, topic, partitions: offsets }))
        const second = run({ crucial: sink(topic) })
        await second.published(source, topic)
        expect(await second.stop()).toBe(0)
        expect(await check('real.crucial', lines)).toBe(2_000)
      }, 300_000)

      test('takes a topic that was created anew for another one, while it runs', async () => {
        const topic = begin()
        await createTopic(topic)
        const worker = run({ crucial: sink(topic) })
        const old = await feed(topic, 0, 2_000)
        await worker.published(source, topic)
        await admin((client) => client.deleteTopics({ topics: [topic] }))
        await expect
          .poll(() => admin(async (client) => (await client.listTopics()).includes(topic)), {
            timeout: 30_000
          })
          .toBe(false)
        await createTopic(topic)
        const anew = await feed(topic, 2_000, 5_000)
        await worker.published(source, topic)
        expect(await worker.stop()).toBe(0)
        expect(await check('real.crucial', old, anew)).toBe(5_000)
        await expect(check('real.crucial', old)).rejects.toThrow('3000 are too many')
      }, 300_000)

      test('publishes again what it is rewound over, and nothing twice besides', async () => {
        const topic = begin()
        await createTopic(topic)
        const name = 'a..b'
        const first = run({ [name]: sink(topic) })
        const lines = await feed(topic, 0, 2_000)
        await first.published(source, topic)
        expect(await first.stop()).toBe(0)
        const rewind = ['sink', 'rewind', '--sink', `s3_sink.${name}`, '--topic', topic, '--to', 'earliest']
        await first.command(...rewind)
        expect(await check(`real.${name}`, lines)).toBe(2_000)
        await first.command(...rewind, '--apply')
        const second = run({ [name]: sink(topic) })
        await second.published(source, topic)
        expect(await second.stop()).toBe(0)
        expect(await check(`real.${name}`, lines, lines)).toBe(4_000)
      }, 300_000)

      test('flattens the worst records to right values or dead letters, never to wrong ones', async () => {
        const topic = begin()
        await createTopic(topic)
        await produce(topic, [...worst.map(([value]) => value), ...dead.map(([value]) => value)])
        const keys = `${sink(topic)}\ndead_letters = { max = 100, among = 100 }\n`
        const worker = run({ crucial: keys + worstColumns })
        await worker.published(source, topic)
        expect(await worker.stop()).toBe(0)
        const { endpoint, accessKeyId, secretAccessKey, region } = s3
        const access = { endpoint, accessKeyId, secretAccessKey, region, bucket: 'lake' }
        const place = { ...access, data: `${prefix}/data/real.crucial/` }
        const rows = JSON.parse(await pythonTool('read_s3_rows.py', [JSON.stringify(place)]))
        const none = { 'a b "c`': null, ratio: null, at: null, rest: null, flag: null }
        expect(rows).toEqual(
          worst.map(([, row], _offset) => ({
            ...none,
            ...row,
            ...{ _topic: topic, _partition: 0, _offset, _timestamp: expect.any(Number) }
          }))
        )
        const letters = await lettersOf(s3, `${prefix}/dead/real.crucial/`)
        expect(letters.map(({ offset, reason }) => [offset, reason])).toEqual(
          dead.map(([, reason], index) => [worst.length + index, reason])
        )
      }, 300_000)

      test('does not meet another sink that writes below the same prefix, of its own worker or of another', async () => {
        const topic = begin()
        await createTopic(topic)
        const both = run({ crucial: sink(topic), 'a..b': sink(topic) })
        const other = run({ crucial: sink(topic) }, { name: 'other' })
        const lines = await feed(topic, 0, 2_000)
        for (const worker of [both, other]) {
          await worker.published(source, topic)
          expect(await worker.stop()).toBe(0)
        }
        for (const name of ['real.crucial', 'real.a..b', 'other.crucial']) {
          expect(await check(name, lines), name).toBe(2_000)
        }
      }, 300_000)
    })
  }
})

/** What a sink wrote as dead letters, by offset. */
async function lettersOf(s3: RealS3, prefix: string): Promise<{ offset: number; reason: string }[]> {
  const { endpoint, region, accessKeyId, secretAccessKey } = s3
  const credentials = { accessKeyId, secretAccessKey }
  const store = new S3Store({ bucket: 'lake', prefix: '', endpoint, region, pathStyle: true, credentials })
  const signal = AbortSignal.timeout(30_000)
  const letters = []
  for await (const { path } of store.list(prefix, {}, signal)) {
    const lines = String(await store.read(path, signal)).trimEnd()
    letters.push(...lines.split('\n').map((line) => JSON.parse(line)))
  }
  store.close()
  return letters.sort((one, other) => one.offset - other.offset)
}

const worstColumns = `[[s3_sink.crucial.columns]]
name = "id"
pointer = "/id"
type = "int64"
nullable = false
[[s3_sink.crucial.columns]]
name = 'a b "c${'`'}'
pointer = '/a b "c${'`'}'
type = "string"
too_long = "truncate"
nul = "truncate"
[[s3_sink.crucial.columns]]
name = "ratio"
pointer = "/ratio"
type = "double"
on_error = "null"
[[s3_sink.crucial.columns]]
name = "at"
pointer = "/at"
type = "timestamp"
[[s3_sink.crucial.columns]]
name = "rest"
pointer = "/rest"
type = "json"
[[s3_sink.crucial.columns]]
name = "flag"
pointer = "/flag"
type = "boolean"`

const moment = Date.UTC(2018, 9, 10, 20, 19, 24)
const deep = `${'{"a":['.repeat(200)}${']}'.repeat(200)}`

/** Values of records and the rows that they must become; what is not said is null. */
const worst: readonly (readonly [string, object])[] = [
  ['{"id":9223372036854775807,"flag":true}', { id: '9223372036854775807', flag: true }],
  ['{"id":"-9223372036854775808","flag":null}', { id: '-9223372036854775808' }],
  [`{"id":1,"rest":${deep}}`, { id: 1, rest: deep }],
  ['{"id":2,"id":3,"rest":12345678901234567890.5}', { id: 3, rest: '12345678901234567890.5' }],
  ['{"id":4,"at":"2018-10-10T22:19:24.5+02:00"}', { id: 4, at: moment + 500 }],
  ['{"id":5,"at":"Wed Oct 10 20:19:24 +0000 2018"}', { id: 5, at: moment }],
  [
    String.raw`{"id":6,"a b \"c${'`'}":"\ud83d\ude00 \ud800 \u0000 after"}`,
    { id: 6, 'a b "c`': '😀 \ufffd ' }
  ],
  // 65,535 bytes hold so many of two bytes, and half of one more.
  [`{"id":7,"a b \\"c\`":"${'é'.repeat(2_500_000 / 8)}"}`, { id: 7, 'a b "c`': 'é'.repeat(32_767) }],
  ['{"id":8,"ratio":1e400}', { id: 8 }],
  ['{"id":9,"ratio":"none","a b \\"c`":""}', { id: 9, 'a b "c`': '' }]
]

/** Values of records and why they are dead letters. */
const dead: readonly (readonly [string | Buffer | null, string])[] = [
  ['{"id":9223372036854775808}', 'id is not a 64-bit integer'],
  ['{}', 'id is missing'],
  ['{"id":1,"at":"2018-10-10"}', 'at is not a date'],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not UTF-8'],
  [`{"id":1,"rest":"${'x'.repeat(70_000)}"}`, 'rest is longer than 65535 bytes'],
  ['{"id":1', 'not JSON: the text ends early, at byte 7'],
  [null, 'value is null']
]
