import { afterEach, beforeEach, expect, test } from 'vitest'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import {
  copied,
  expectEqual,
  produceSome,
  produceTransactions,
  produceUntil,
  startMirror
} from '../support/mirror-world.ts'

/** `delivery = "at-least-once"`: without transactions, and nothing is lost whatever happens. */
let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
  await world.createTopic('source', 'hybrid', 4)
})
afterEach(() => world.stop())

const start = (workerId?: string): RunningRole =>
  startMirror(world, { delivery: 'at-least-once', sessionTimeoutMs: 400 }, workerId)

test('without an error everything is there once, outside of transactions, and the next start goes on', async () => {
  const transactions = world.brokers.target.faults.add({
    subject: /^(AddPartitionsToTxn|EndTxn|TxnOffsetCommit)/,
    action: { type: 'delay', ms: 0 },
    times: Number.POSITIVE_INFINITY
  })
  await produceTransactions(world, 'hybrid', 4, 40)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
  const records = (await world.read('target', 'hybrid')).map(({ length }) => length)
  const ends = [...(await world.ends('target', ['hybrid'])).values()]
  expect(ends, 'no marker takes an offset').toEqual(records)
  expect(transactions.hits).toBe(0)
  await mirror.drain()
  await produceSome(world, 'hybrid', 20)
  const next = start()
  await copied(world, next, 'hybrid')
  await expectEqual(world, 'hybrid')
  expect(next.view().counters.recordsRead).toBe(20)
})

test.each([
  ['the answer to a Produce is lost', /^Produce hybrid/, { type: 'lose-reply' }],
  ['a Produce never arrives', /^Produce hybrid/, { type: 'fail-before' }],
  ['a partition has not enough replicas', /^Append hybrid-1/, { type: 'answer', code: 19 }],
  ['the positions never arrive', /^Produce .*positions/, { type: 'fail-before' }],
  ['the answer to the positions is lost', /^Produce .*positions/, { type: 'lose-reply' }],
  ['no producer id is to be had', /^InitProducerId/, { type: 'answer', code: 15 }]
] as const)('nothing is lost or out of order when %s', async (_, subject, action) => {
  const mirror = start()
  await mirror.until((view) => view.ready)
  for (let round = 0; round < 2; round++) {
    world.brokers.target.faults.add({ subject, action, after: round, times: 2 })
    await produceSome(world, 'hybrid', 40)
    await copied(world, mirror, 'hybrid')
  }
  await expectCovered('hybrid')
  expect(mirror.failure()).toBeUndefined()
})

test('an error of one partition repeats nothing of the others', async () => {
  const mirror = start()
  await mirror.until((view) => view.ready)
  const refused = world.brokers.target.faults.add({
    subject: /^Append hybrid-1/,
    action: { type: 'answer', code: 19 },
    after: 2,
    times: 3
  })
  await produceSome(world, 'hybrid', 200)
  await copied(world, mirror, 'hybrid')
  expect(refused.hits).toBe(3)
  // What the broker refused was not written, so not even that partition has a repeat.
  await expectEqual(world, 'hybrid')
})

test('the death of one of two workers loses nothing', async () => {
  let isWriting = true
  const writing = produceUntil(world, 'hybrid', () => !isWriting)
  const mine = start()
  await mine.until((view) => view.ready && view.partitions.length === 4)
  const other = start('worker-2')
  await other.until((view) => view.ready && (view.counters.recordsWritten ?? 0) > 20)
  other.kill()
  await mine.until((view) => view.ready && view.partitions.length === 4)
  isWriting = false
  await writing
  await copied(world, mine, 'hybrid')
  await expectCovered('hybrid')
})

test('an instance may change its delivery from one start to the next', async () => {
  await produceSome(world, 'hybrid', 20)
  for (const delivery of ['exactly-once', 'at-least-once', 'exactly-once'] as const) {
    const mirror = startMirror(world, { delivery })
    await copied(world, mirror, 'hybrid')
    await produceSome(world, 'hybrid', 20)
    await copied(world, mirror, 'hybrid')
    await mirror.drain()
  }
  await expectEqual(world, 'hybrid')
})

/** Every record is there; without the repeats of some they are in the source's order. */
async function expectCovered(topic: string): Promise<void> {
  const [source, target] = [await world.read('source', topic), await world.read('target', topic)]
  for (const [partition, records] of source.entries()) {
    expect([...new Set(target[partition])]).toEqual(records)
  }
}
