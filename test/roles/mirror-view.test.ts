import { afterEach, beforeEach, expect, test } from 'vitest'
import { unreadiness } from '../../src/worker/view.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import { copied, expectEqual, produceSome, startMirror } from '../support/mirror-world.ts'
import { roleStatus, workerView } from '../support/worker-view.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const HOUR_MS = 3_600_000

/** Writes one record per partition, made so long ago. */
async function produceOld(topic: string, partitions: readonly number[], ageMs: number): Promise<void> {
  const producer = world.kafka('source').producer()
  await producer.connect()
  const timestamp = `${Date.now() - ageMs}`
  const messages = partitions.map((partition) => ({ value: 'old', partition, timestamp }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

const lagOf = (mirror: RunningRole, partition: number) =>
  mirror.view().partitions.find((one) => one.partition === partition)

test('the lag in time is the age of the oldest record that is not committed yet', async () => {
  await world.createTopic('source', 'hybrid', 4)
  // Nothing is due by itself.
  const mirror = startMirror(world, { commitIntervalMs: 60_000, commitBytes: 1 << 30 })
  await mirror.until(({ ready }) => ready)
  await produceOld('hybrid', [1], HOUR_MS)
  await mirror.until(({ counters }) => counters.recordsRead === 1)
  expect(lagOf(mirror, 1)).toMatchObject({ state: 'copying', position: 0, end: 1 })
  expect(lagOf(mirror, 1)?.lagMs).toBeGreaterThanOrEqual(HOUR_MS)
  expect(lagOf(mirror, 1)?.lagMs).toBeLessThan(2 * HOUR_MS)
  expect(lagOf(mirror, 0)?.lagMs).toBe(0)
  await mirror.drain()
  const again = startMirror(world)
  await produceSome(world, 'hybrid', 8)
  await copied(world, again, 'hybrid')
  expect(again.view().partitions.map(({ lagMs }) => lagMs)).toEqual([0, 0, 0, 0])
})

test('partitions that stand are named by readiness, and their lag grows', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 2)
  const mirror = startMirror(world, { createTopics: false })
  await produceOld('hybrid', [0, 3], HOUR_MS)
  await mirror.until(({ partitions, reasons = [] }) => partitions[0]?.position === 1 && reasons.length === 1)
  const { ready, reasons = [], state } = mirror.view()
  expect([ready, reasons]).toEqual([
    false,
    ['hybrid-2 and 1 more are held: topic hybrid has only 2 partitions on target, and create_topics is off']
  ])
  expect(Object.keys(mirror.view().shards ?? {})).toEqual(expect.arrayContaining(['copying']))
  const roles = [roleStatus({ ready, reasons, state })]
  expect(unreadiness(workerView({ roles }))).toEqual([`mirror.cloud: ${reasons[0]}`])
  await mirror.until(() => (lagOf(mirror, 3)?.lagMs ?? 0) > 0)
  const before = lagOf(mirror, 3)?.lagMs ?? 0
  await mirror.until(() => (lagOf(mirror, 3)?.lagMs ?? 0) > before)
  expect(lagOf(mirror, 2)?.lagMs).toBe(0)
})

test('a transaction that nobody ends holds up its partition, which says whose it is until it ends', async () => {
  await world.createTopic('source', 'hybrid', 4)
  const producer = world.kafka('source').producer({ transactionalId: 'nobody', maxInFlightRequests: 1 })
  await producer.connect()
  await produceSome(world, 'hybrid', 4)
  const open = await producer.transaction()
  await open.send({ topic: 'hybrid', messages: [{ key: 'open', value: 'open', partition: 2 }] })
  await produceSome(world, 'hybrid', 4)
  const mirror = startMirror(world, { lsoStuckAfterMs: 50 })
  const isStuck = (partition: number) => lagOf(mirror, partition)?.state === 'source-lso-stuck'
  await mirror.until(() => isStuck(2) && lagOf(mirror, 2)?.position === 1)
  expect(lagOf(mirror, 2)).toMatchObject({ position: 1, end: 1, highWatermark: 3 })
  expect(lagOf(mirror, 2)?.lagMs).toBeGreaterThanOrEqual(50)
  await mirror.until(({ reasons = [] }) => reasons.length === 1 && reasons.join().includes('producer'))
  const [bootstrap] = world.brokers.source.brokers
  const abort = `kafka-transactions.sh --bootstrap-server ${bootstrap} abort --topic hybrid --partition 2 --start-offset 1`
  const { ready, reasons = [] } = mirror.view()
  expect([ready, reasons.length]).toEqual([false, 1])
  expect(reasons[0]).toMatch(
    /^hybrid-2 is source-lso-stuck: nothing from offset 1 on .*: producer \d+ \(epoch 0, /
  )
  expect(reasons[0]?.endsWith(abort), reasons[0]).toBe(true)
  await mirror.until(() =>
    [0, 1, 3].every((partition) => {
      const { state, position } = lagOf(mirror, partition) ?? {}
      return state === 'copying' && position === 2
    })
  )
  await open.commit()
  await producer.disconnect()
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
  expect(isStuck(2), 'also before the next look').toBe(false)
  await mirror.until((view) => view.ready)
})

test('aborted transactions and batches that the target packs anew are counted', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 4, { 'compression.type': 'lz4' })
  const mirror = startMirror(world, { syncConfigs: false })
  await mirror.until(({ ready }) => ready)
  world.brokers.target.faults.add({ subject: /^EndTxn/, action: { type: 'fail-before' } })
  await produceSome(world, 'hybrid', 4)
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
  const { batchesRecompressed = 0, transactionsAborted } = mirror.view().counters
  expect(batchesRecompressed, 'once for each partition at least').toBeGreaterThanOrEqual(4)
  expect(transactionsAborted).toBeGreaterThanOrEqual(1)
})
