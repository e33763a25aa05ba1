import { afterEach, expect, test } from 'vitest'
import { openTableFile } from '../../../src/actors/files/table-file.ts'
import { TweetDecoder } from '../../../src/actors/rows/tweet.ts'
import type { RowBinding } from '../../../src/actors/store/builder.ts'
import { replayRange } from '../../../src/actors/store/replay.ts'
import { seededRandom } from '../../support/random.ts'
import { SinkWorld } from '../../support/sink-world.ts'

const { signal } = new AbortController()
const rows: RowBinding = {
  layout: { template: '{topic}', timeColumn: undefined, timeWindow: undefined },
  rotateRecords: 10,
  filesMax: 0,
  deadLetters: undefined,
  decoder: () => new TweetDecoder(),
  file: (columns) => openTableFile({ type: 'parquet', codec: 'none' }, columns)
}
let world: SinkWorld | undefined
afterEach(() => world?.stop())

async function produced() {
  world = await SinkWorld.start('memory')
  const { kafka } = world
  await world.produce(2_000, seededRandom(7))
  const options = { cluster: kafka.clusters.source, budget: kafka.budget, rows }
  return {
    ...options,
    kafka,
    replay: (from: number, to: number) =>
      replayRange(options, { topic: 'hybrid', partition: 0, from, to }, signal)
  }
}

test('a range is built again from its first to its last offset, whatever would cut it today', async () => {
  const { replay, budget } = await produced()
  const whole = await replay(0, 300)
  const [left, right] = [await replay(0, 123), await replay(123, 300)]
  for (const count of ['read', 'kept', 'dead'] as const) {
    expect(left.counts[count] + right.counts[count]).toBe(whole.counts[count])
  }
  expect(whole.counts.kept).toBeGreaterThan(rows.rotateRecords)
  expect(whole).toMatchObject({ from: 0, to: 300 })
  expect(budget.usedBytes).toBe(0)
})

test('offsets that Kafka does not have any more are named exactly', async () => {
  const { kafka, replay } = await produced()
  const admin = kafka.kafka('source').admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: ['hybrid'] })
  await admin.deleteTopicRecords({ topic: 'hybrid', partitions: [{ partition: 0, offset: '50' }] })
  await admin.disconnect()
  const lost = { code: 'records-lost', retryable: false }
  await expect(replay(10, 90)).rejects.toMatchObject({
    ...lost,
    message: expect.stringContaining('offsets [10, 50)')
  })
  await expect(replay(10, 40)).rejects.toMatchObject({
    ...lost,
    message: expect.stringContaining('offsets [10, 40)')
  })
  await expect(replay(100_000, 100_010)).rejects.toMatchObject({
    ...lost,
    message: expect.stringContaining('offsets [100000, 100010)')
  })
  expect((await replay(50, 90)).to).toBe(90)
})
