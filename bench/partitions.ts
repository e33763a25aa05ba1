/**
 * The memory of one sink with many partitions: `node bench/partitions.ts --help`. Tweets wait in every partition when the
 * worker starts; broker and object store are the embedded ones, in this process. Prints one line of JSON.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { Kafka, logLevel } from 'kafkajs'
import { startBroker } from '../src/embedded/broker/broker.ts'
import { tweetAt } from '../src/embedded/event-stream/generator.ts'
import { startObjectStore } from '../src/embedded/object-store/object-store.ts'
import { fetchState } from '../test/support/worker-state.ts'
import { Program } from './lib/program.ts'
import { filled } from './lib/template.ts'

interface Options {
  readonly partitions: number
  readonly records: number
  readonly budget: string
  readonly age: string
}

const options = new Command('bench/partitions.ts')
  .option('--partitions <n>', 'of one topic', Number, 200)
  .option('--records <n>', 'tweets in all of them', Number, 400_000)
  .option('--budget <size>', 'memory_budget of the worker', '64MiB')
  .option('--age <duration>', 'rotate_age of the sink', '60s')
  .parse()
  .opts<Options>()

const MIB = 1024 ** 2
/** Every partition gets some. */
const BATCH = Math.max(1, Math.min(1_000, Math.ceil(options.records / options.partitions)))
const READY = { everyMs: 200, timeoutMs: 600_000 }
const KEY = 'AKIDEXAMPLE'

const directory = mkdtempSync(join(tmpdir(), 'causeway-partitions-'))
const broker = await startBroker({ dataDir: join(directory, 'broker') })
const s3 = await startObjectStore({
  ...{ dataDir: join(directory, 's3'), region: 'us-east-1', buckets: ['lake'] },
  ...{ accessKeyId: KEY, secretAccessKey: KEY }
})
try {
  await produce()
  const figures = await measure()
  console.log(JSON.stringify({ ...options, ...figures }))
} finally {
  await Promise.all([broker.stop(), s3.stop()])
  rmSync(directory, { recursive: true, force: true })
}

async function produce(): Promise<void> {
  const kafka = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'wide', numPartitions: options.partitions }] })
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  for (let sent = 0; sent < options.records; sent += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, options.records - sent) }, (_, n) => {
      const { id, json } = tweetAt(1, sent + n)
      return { key: id, value: json, partition: (sent / BATCH) % options.partitions }
    })
    await producer.send({ topic: 'wide', messages })
  }
  await producer.disconnect()
}

/** Everything is published when the worker has drained. */
async function measure() {
  const file = join(directory, 'causeway.toml')
  const { budget, age } = options
  const values = { directory, broker: broker.brokers[0] ?? '', endpoint: s3.endpoint, budget, age }
  writeFileSync(file, filled(join(import.meta.dirname, 'partitions/causeway.toml'), values))
  const main = join(import.meta.dirname, '../src/main.ts')
  const program = new Program({
    command: process.execPath,
    args: [main, '--role', 's3-sink', '--config', file],
    env: { KEY }
  })
  const startedAt = performance.now()
  let flow: Record<string, number> = {}
  await program.until(
    'all records are read',
    async () => {
      const url = /"address":"(http:[^"]+)"/.exec(program.printed)?.[1]
      const role = (url === undefined ? undefined : await fetchState(url))?.roles[0]
      if (role === undefined) return undefined
      flow = role.counters
      return (role.counters.recordsRead ?? 0) >= options.records ? true : undefined
    },
    READY
  )
  const seconds = (performance.now() - startedAt) / 1_000
  const { cpuSeconds, peakBytes } = program.tree.usage()
  await program.stop()
  return {
    seconds: Math.round(seconds),
    cpuSeconds: Math.round(cpuSeconds),
    peakMiB: Math.round(peakBytes / MIB),
    entries: flow.entriesPublished,
    files: flow.filesPublished
  }
}
