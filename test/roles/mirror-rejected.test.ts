import { afterEach, beforeEach, expect, test } from 'vitest'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import { copied, expectEqual, produceSome, startMirror } from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const HOUR_MS = 3_600_000

interface Message {
  readonly key?: string | null
  readonly value: string
  readonly timestamp?: number
}

/** One batch. */
async function produceBatch(
  partition: number,
  messages: readonly Message[],
  topic = 'hybrid'
): Promise<void> {
  const producer = world.kafka('source').producer()
  await producer.connect()
  await producer.send({
    topic,
    messages: messages.map(({ key = 'k', value, timestamp = Date.now() }) => {
      return { key, value, timestamp: String(timestamp), partition }
    })
  })
  await producer.disconnect()
}

/** Values `from`, `from + 1` … */
const some = (from: number, count: number): Message[] =>
  Array.from({ length: count }, (_, n) => ({ value: String(from + n) }))

const stateOf = (mirror: RunningRole, partition: number) =>
  mirror.view().partitions.find((one) => one.topic === 'hybrid' && one.partition === partition)

/** What the source allows and the target does not. */
async function createTopics(): Promise<void> {
  const ahead = { 'message.timestamp.after.max.ms': String(100 * HOUR_MS) }
  await world.createTopic('source', 'hybrid', 4, ahead)
  await world.createTopic('target', 'hybrid', 4)
}

test.each(['exactly-once', 'at-least-once'] as const)(
  'a record that the target refuses stops its partition exactly there, and nothing else, %s',
  async (delivery) => {
    await createTopics()
    const late = Date.now() + 30 * HOUR_MS
    await produceBatch(0, some(0, 20))
    await produceBatch(0, [...some(20, 7), { value: 'poison', timestamp: late }, ...some(28, 5)])
    const mirror = startMirror(world, { delivery, syncConfigs: false })
    await mirror.until(() => stateOf(mirror, 0)?.state === 'rejected')
    await produceBatch(1, some(0, 10))
    await mirror.until(() => stateOf(mirror, 0)?.position === 27 && stateOf(mirror, 1)?.position === 10)
    const said = /^the record at offset 27: hybrid-0: invalid timestamp \(32\): Timestamp \d+ of message/
    expect(stateOf(mirror, 0)).toMatchObject({ state: 'rejected', reason: expect.stringMatching(said) })
    expect(mirror.view().ready).toBe(false)
    expect(mirror.failure()).toBeUndefined()
    const [first, second] = await world.read('target', 'hybrid')
    const values = first?.map((record) => record.split(' ')[1]) ?? []
    const wanted = Array.from({ length: 27 }, (_, n) => String(n))
    if (delivery === 'exactly-once') expect(values).toEqual(wanted)
    else expect(new Set(values)).toEqual(new Set(wanted))
    expect(second).toHaveLength(10)
  }
)

test('a limit that the mirror does not know yet is found by cutting, and only a record above it is rejected', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 4)
  const mirror = startMirror(world, { syncConfigs: false, refreshIntervalMs: 600_000 })
  await mirror.until(({ ready }) => ready)
  await setLimit(20_000)
  const kilobyte = { value: 'x'.repeat(1_000) }
  await produceBatch(
    0,
    Array.from({ length: 200 }, () => kilobyte)
  )
  await produceBatch(1, [...some(0, 60), { value: 'y'.repeat(30_000) }, ...some(61, 9)])
  await mirror.until(() => stateOf(mirror, 1)?.state === 'rejected' && stateOf(mirror, 0)?.position === 200)
  await mirror.until(() => stateOf(mirror, 1)?.position === 60)
  expect(stateOf(mirror, 1)?.reason).toBe('the record at offset 60: hybrid-1: message too large (10)')
  expect((await world.read('target', 'hybrid')).map((records) => records.length)).toEqual([200, 60, 0, 0])
})

test('other partitions of the shard go on while a record is looked for, and lose nothing by it', async () => {
  await createTopics()
  await world.createTopic('source', 'other', 4)
  const mirror = startMirror(world, { shards: 1, syncConfigs: false })
  await mirror.until(({ ready }) => ready)
  const late = Date.now() + 30 * HOUR_MS
  await Promise.all([
    produceSome(world, 'other', 200),
    ...[0, 1, 2, 3].map((partition) =>
      produceBatch(partition, [...some(0, 5), { value: 'p', timestamp: late }])
    )
  ])
  await copied(world, mirror, 'other')
  await mirror.until(() => [0, 1, 2, 3].every((one) => stateOf(mirror, one)?.state === 'rejected'))
  await mirror.until(() => [0, 1, 2, 3].every((one) => stateOf(mirror, one)?.position === 5))
  await expectEqual(world, 'other')
  expect((await world.read('target', 'hybrid')).map((records) => records.length)).toEqual([5, 5, 5, 5])
})

async function setLimit(bytes: number): Promise<void> {
  const admin = world.kafka('target').admin()
  await admin.connect()
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      { type: 2, name: 'hybrid', configEntries: [{ name: 'max.message.bytes', value: String(bytes) }] }
    ]
  })
  await admin.disconnect()
}
