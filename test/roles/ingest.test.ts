import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import type { IngestConfig, XSourceConfig } from '../../src/config.ts'
import { startEventStream } from '../../src/embedded/event-stream/event-stream.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { createIngest } from '../../src/roles/ingest.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import { seededRandom } from '../support/random.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const config: Omit<IngestConfig, 'source'> = {
  cluster: 'source',
  topic: 'hybrid',
  partitions: 4,
  replication: 1,
  compression: 'zstd',
  commitIntervalMs: 20,
  batchBytes: 16 * 1024,
  transactionTimeoutMs: 10_000,
  recentIdsMs: 600_000
}

function startFile(path: string): RunningRole {
  return world.run(
    createIngest(
      world.context({ ingest: { tweets: { ...config, source: { type: 'file', path } } } }),
      'tweets'
    )
  )
}

const isFinished = (view: ReturnType<RunningRole['view']>) => view.state.endsWith('.finished')

function fileOf(lines: readonly string[]): string {
  const path = join(world.directory, 'input.ndjson')
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

const event = (n: number, text = `text ${n} 🌊`) =>
  JSON.stringify({ data: { id: String(9007199254740993n + BigInt(n)), text } })
const many = Array.from({ length: 2_000 }, (_, n) => event(n))

/** Every line is in the topic once, under its id, and each partition has its lines in the input's order. */
async function expectWritten(lines: readonly string[]): Promise<void> {
  const partitions = await world.read('source', 'hybrid')
  const written = partitions.map((records) =>
    records.map((record) => record.replace(/^\S+ /, '').replace(/ \d+$/, ''))
  )
  const order = new Map(lines.map((line, index) => [line, index]))
  for (const values of written) {
    const places = values.map((value) => order.get(value) ?? -1)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  }
  expect(written.flat().map(brief).sort()).toEqual(lines.map(brief).sort())
}

/** Long lines by their hash, so that a failure can be read. */
const brief = (line: string) =>
  line.length < 200 ? line : `${line.length} ${createHash('sha256').update(line).digest('hex')}`

test('a file is written exactly, and what is no event goes to the dead letters with its reason and place', async () => {
  const good = [event(1), event(2, 'a "quote", a \\ and\na newline'), event(3, 'x'.repeat(900_000)), event(4)]
  const bad = ['{"data":{"id":', '{"data":{"text":"no id"}}', event(5, noise(1_600_000))]
  const lines = [good[0], bad[0], good[1], bad[1], good[2], bad[2], good[3]].map(String)
  const ingest = startFile(fileOf(lines))
  await ingest.until(isFinished)
  await expectWritten(good)
  const dead = await world.consume('source', 'test.ingest.tweets.dead.internal', 3)
  expect(dead.map(({ headers }) => [headers.reason, headers.line])).toEqual([
    ['event-invalid', '2'],
    ['event-invalid', '4'],
    ['event-too-large', '6']
  ])
  expect(dead.map(({ value }) => brief(value))).toEqual(bad.map(brief))
  expect(dead[1]?.headers.offset).toBe(String(Buffer.byteLength(`${lines.slice(0, 3).join('\n')}\n`)))
  expect(ingest.view().counters).toMatchObject({ recordsWritten: 4, deadLettered: 3 })
})

test('an input that has the same event twice keeps it twice', async () => {
  const ingest = startFile(fileOf([event(1), event(2), event(1)]))
  await ingest.until(isFinished)
  const values = (await world.read('source', 'hybrid')).flat().map((record) => record.split(' ')[0])
  expect(values.sort()).toEqual([1, 1, 2].map((n) => String(9007199254740993n + BigInt(n))))
})

test.each([
  ['the answer to EndTxn is lost', /^EndTxn/, { type: 'lose-reply' }],
  ['EndTxn never arrives', /^EndTxn/, { type: 'fail-before' }],
  ['the answer to a Produce is lost', /^Produce/, { type: 'lose-reply' }],
  ['the answer to AddPartitionsToTxn is lost', /^AddPartitionsToTxn/, { type: 'lose-reply' }],
  ['the answer to InitProducerId is lost', /^(EndTxn|InitProducerId)/, { type: 'lose-reply' }],
  ['the coordinator fences', /^EndTxn/, { type: 'answer', code: 47 }],
  ['a partition has not enough replicas', /^Append hybrid-1/, { type: 'answer', code: 19 }]
] as const)('nothing is lost or repeated when %s', async (_, subject, action) => {
  for (const after of [1, 2, 4]) world.brokers.source.faults.add({ subject, action, after })
  const ingest = startFile(fileOf(many))
  await ingest.until(isFinished)
  expect(ingest.failure()).toBeUndefined()
  expect(ingest.view().counters.fences).toBeGreaterThan(1)
  await expectWritten(many)
})

test('an ingest that is killed at any moment and started again loses and repeats nothing', async () => {
  const random = seededRandom()
  const path = fileOf(many)
  for (let life = 0; life < 15; life++) {
    const ingest = startFile(path)
    await pause(random() * 60)
    ingest.kill()
  }
  const last = startFile(path)
  await last.until(isFinished)
  await expectWritten(many)
})

test('drain commits what was read, and the next start goes on after it', async () => {
  const path = fileOf(many)
  const first = startFile(path)
  await first.until(({ counters }) => (counters.recordsWritten ?? 0) > 0)
  await first.drain()
  const second = startFile(path)
  await second.until(isFinished)
  await expectWritten(many)
  const written = (role: RunningRole) => role.view().counters.recordsWritten ?? 0
  expect(written(first) + written(second)).toBe(many.length)
})

test('of a stream that replays, over lives of ours and of its own, each event is written once and in order', async () => {
  const random = seededRandom()
  const [seed, events] = [7, 3_000]
  const directory = join(world.directory, 'stream')
  const open = (port: number) =>
    startEventStream({ dataDir: directory, port, token: 'secret', seed, events, rate: 3_000 })
  let stream = await open(0)
  const source: XSourceConfig = {
    type: 'x',
    keywords: ['hadoop', '"big data"', 'kafka', 'cloud'],
    token: new Secret('secret'),
    url: stream.url,
    backfillMs: 300_000
  }
  const startX = () =>
    world.run(createIngest(world.context({ ingest: { tweets: { ...config, source } } }), 'tweets'))
  let repeated = 0
  for (let life = 0; life < 6; life++) {
    const ingest = startX()
    await pause(random() * 200)
    ingest.kill()
    repeated += ingest.view().counters.duplicatesDropped ?? 0
    if (life % 2 === 1) {
      await stream.stop()
      stream = await open(stream.port)
    }
  }
  const last = startX()
  await last.until(() => stream.finished())
  while ((await world.read('source', 'hybrid')).flat().length < events) await pause(50)
  // What is still on its way would be one too many, and is committed now.
  await last.drain()
  await stream.stop()
  const partitions = await world.read('source', 'hybrid')
  const ids = partitions.map((records) => records.map((record) => record.split(' ')[0] ?? ''))
  const expected = Array.from({ length: events }, (_, index) => tweetAt(seed, index).id)
  expect(ids.flat().sort()).toEqual([...expected].sort())
  for (const one of ids) expect(one).toEqual([...one].sort((a, b) => Number(BigInt(a) - BigInt(b))))
  console.log(`${repeated + (last.view().counters.duplicatesDropped ?? 0)} repeats dropped`)
})

/** Text of which only a quarter compresses away. */
function noise(length: number): string {
  return randomBytes(length).toString('base64').slice(0, length)
}
