import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RuleConfig } from '../../src/config/rules.ts'
import type { Policies } from '../../src/machines/topic-rules.ts'
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

const rules = (rejected: Policies['rejected'], more: Partial<RuleConfig> = {}): RuleConfig[] => [
  { topics: ['.*'], policies: { rejected }, ...more }
]
const DEAD = 'test.mirror.cloud.dead.internal'
const keyless = (value: string): Message => ({ key: null, value })

/** A target that compacts: what has no key is refused by it. */
async function createCompacted(): Promise<void> {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 4, { 'cleanup.policy': 'compact' })
}

test('where the rules want it, refused records are left out one by one, counted, and all others are copied', async () => {
  await createCompacted()
  const refused = [3, 4, 11]
  const messages = some(0, 20).map((one, n) => (refused.includes(n) ? keyless(one.value) : one))
  await produceBatch(2, messages)
  await produceBatch(2, some(20, 5))
  const mirror = startMirror(world, { syncConfigs: false, rules: rules('skip') })
  await copied(world, mirror, 'hybrid')
  await mirror.until(({ ready }) => ready)
  expect(mirror.view().counters).toMatchObject({ offsetsSkipped: 3, deadLetters: 0 })
  const values = (await world.read('target', 'hybrid'))[2]?.map((record) => Number(record.split(' ')[1]))
  expect(values).toEqual(Array.from({ length: 25 }, (_, n) => n).filter((n) => !refused.includes(n)))
})

test('dead letters lie on the target with the position that passes them, say what they were, and nothing is lost', async () => {
  await createCompacted()
  await produceBatch(1, [...some(0, 3), keyless('lost'), ...some(4, 3)])
  await produceBatch(3, [...some(0, 2), { value: 'no JSON' }])
  const byFilter = rules('dead-letter', { filter: 'partition == 3 && offset == 2 ? value.x : true' })
  const mirror = startMirror(world, { syncConfigs: false, rules: byFilter })
  await copied(world, mirror, 'hybrid')
  await mirror.until(({ ready }) => ready)
  expect(mirror.view().counters).toMatchObject({ offsetsSkipped: 0, deadLetters: 2 })
  const dead = await world.consume('target', DEAD, 2)
  expect(
    dead
      .map(({ value, headers }) => [
        value,
        headers['__connect.errors.partition'],
        headers['__connect.errors.offset']
      ])
      .sort()
  ).toEqual([
    ['lost', '1', '3'],
    ['no JSON', '3', '2']
  ])
  expect(dead.find(({ value }) => value === 'lost')).toMatchObject({
    key: 'null',
    headers: {
      '__connect.errors.topic': 'hybrid',
      '__connect.errors.connector.name': 'test.mirror.cloud',
      '__connect.errors.exception.message': expect.stringContaining('invalid record (87): Compacted topic')
    }
  })
  expect((await world.read('target', 'hybrid')).map((records) => records.length)).toEqual([0, 6, 0, 2])
})

test('dead letters are there once, whatever becomes of transactions and of the mirror', async () => {
  await createCompacted()
  const { faults } = world.brokers.target
  const lose = (subject: RegExp, after: number) =>
    faults.add({ subject, action: { type: 'lose-reply' }, after, times: 2 })
  lose(/^EndTxn/, 1)
  lose(/^Produce .*dead/, 1)
  lose(/^CreateTopics .*dead/, 0)
  lose(/^AddPartitionsToTxn/, 3)
  const start = () =>
    startMirror(world, { syncConfigs: false, shards: 2, rules: rules('dead-letter'), commitIntervalMs: 5 })
  let mirror = start()
  for (let round = 0; round < 8; round++) {
    const from = round * 10
    const batch = [...some(from, 4), keyless(`${from + 4}`), ...some(from + 5, 4), keyless(`${from + 9}`)]
    await produceBatch(round % 2, batch)
    if (round % 3 !== 2) continue
    await mirror.until(({ counters }) => (counters.deadLetters ?? 0) > 0)
    mirror.kill()
    mirror = start()
  }
  await copied(world, mirror, 'hybrid')
  const numbers = (partitions: readonly (readonly string[])[]) =>
    partitions
      .flatMap((records) => records.map((record) => Number(record.split(' ')[1])))
      .sort((a, b) => a - b)
  const isDead = (n: number) => n % 5 === 4
  const all = Array.from({ length: 80 }, (_, n) => n)
  expect(numbers(await world.read('target', DEAD))).toEqual(all.filter(isDead))
  expect(numbers(await world.read('target', 'hybrid'))).toEqual(all.filter((n) => !isDead(n)))
})

test('a record that even the topic for dead letters refuses stops its partition, and those before it are kept', async () => {
  await createCompacted()
  await world.createTopic('target', 'dead', 1, { 'max.message.bytes': '10000' })
  await produceBatch(0, [keyless('a'), { value: 'b' }, keyless('c'.repeat(20_000)), { value: 'd' }])
  const mirror = startMirror(world, {
    syncConfigs: false,
    rules: rules('dead-letter', { deadLetter: 'dead' })
  })
  await mirror.until(() => stateOf(mirror, 0)?.state === 'rejected' && stateOf(mirror, 0)?.position === 2)
  expect(stateOf(mirror, 0)?.reason).toBe('the record at offset 2: dead-0: message too large (10)')
  expect((await world.consume('target', 'dead', 1)).map(({ value }) => value)).toEqual(['a'])
  expect((await world.read('target', 'hybrid'))[0]).toHaveLength(1)
})

test('a topic for dead letters that cannot be made keeps back only those who need it', async () => {
  await createCompacted()
  const times = Number.POSITIVE_INFINITY
  world.brokers.target.faults.add({
    subject: /^CreateTopics .*dead/,
    action: { type: 'answer', code: 29 },
    times
  })
  await produceBatch(0, [keyless('a')])
  const slowly = { quarantineMinMs: 3_000, quarantineMaxMs: 3_000 }
  const mirror = startMirror(world, {
    ...{ shards: 1, syncConfigs: false, rules: rules('dead-letter') },
    ...slowly
  })
  await mirror.until(() => stateOf(mirror, 0)?.state === 'quarantined')
  expect(stateOf(mirror, 0)?.reason).toMatch(
    /^the topic for dead letters: topic .*topic authorization failed/
  )
  await produceBatch(1, some(0, 5))
  await mirror.until(() => stateOf(mirror, 1)?.position === 5)
  world.brokers.target.faults.clear()
  await mirror.until(() => stateOf(mirror, 0)?.position === 1)
  expect((await world.consume('target', DEAD, 1)).map(({ value }) => value)).toEqual(['a'])
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
