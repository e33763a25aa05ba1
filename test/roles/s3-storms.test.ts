import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { S3Worker } from '../real/s3-worker.ts'
import { KafkaWorld } from '../support/kafka-world.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld, type Step } from '../support/sink-world.ts'
import { cleanups } from '../tools/cleanup.ts'

const defer = cleanups()

const slowDown = { type: 'answer', code: 503, error: 'SlowDown' } as const
const steps: readonly Step[] = ['prepare', 'commit', 'publish', 'head', 'open']

test('each offset is published once through storms of 503 SlowDown, at whatever step they begin', async () => {
  const random = seededRandom()
  const world = await SinkWorld.start('s3')
  defer(() => world.stop())
  const sink = world.run()
  await sink.until(({ ready }) => ready)
  for (const step of steps) {
    world.inject(step, slowDown, { after: Math.floor(random() * 3), times: 4 })
    await world.produce(600, random)
    await world.untilCaughtUp(sink)
  }
  world.faults.add({ subject: /./, action: slowDown, times: 24 })
  await world.produce(2_000, random)
  await sink.until(({ notes }) => notes.join().includes('SlowDown'))
  await world.untilCaughtUp(sink)
  await sink.until(({ ready }) => ready)
  expect(sink.failure()).toBeUndefined()
  await sink.drain()
  await world.verify()
}, 60_000)

test('a worker whose store ignores conditions ends with 2 and says why', async () => {
  const world = await KafkaWorld.start()
  defer(() => world.stop())
  const access = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', region: 'us-east-1' }
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-s3-'))
  defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const s3 = await startObjectStore({ dataDir, ...access, buckets: ['lake'], ignoreConditions: true })
  defer(() => s3.stop())
  const worker = new S3Worker({
    brokers: world.brokers.source.brokers,
    store: { ...access, endpoint: s3.endpoint },
    ...{ bucket: 'lake', prefix: 'road', sinks: { crucial: 'topics = ["hybrid"]' } }
  })
  defer(() => worker.remove())
  expect((await worker.worker.exited).code).toBe(2)
  expect(worker.worker.stderr).toContain(
    's3://lake/road overwrites an existing file although it was asked not to'
  )
}, 60_000)
