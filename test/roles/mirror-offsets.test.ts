import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { describeGroup, groupOffsets, setGroupOffsets } from '../../src/actors/kafka/groups.ts'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import { groupTable } from '../../src/actors/mirror/offsets/group-table.ts'
import {
  type Checkpoint,
  decodeHeartbeat,
  decodeOffsetSync
} from '../../src/actors/mirror/offsets/mm2-formats.ts'
import type { DecodedRecord } from '../../src/records/record.ts'
import { KafkaWorld, type RunningRole, type Side, until } from '../support/kafka-world.ts'
import { copied, produceSome, produceTransactions, startMirror } from '../support/mirror-world.ts'

import { offsetsWorld, quiet, signal, textOf, untilAsync } from '../support/offsets-world.ts'
import { seededRandom } from '../support/random.ts'

// On a machine under full load.
vi.setConfig({ testTimeout: 120_000 })

/** Offsets for consumers that change from the source to the target. */
let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
  await world.createTopic('source', 'hybrid', 4)
})
afterEach(() => world.stop())

const { start, recordsOf, translated, commit, repeatedBehind, tableOptions, somewhere } = offsetsWorld(
  () => world
)

test.each(['exactly-once', 'at-least-once'] as const)(
  'checkpoints point exactly at the next record, also those made by another process: %s',
  async (delivery) => {
    const random = seededRandom()
    await produceTransactions(world, 'hybrid', 6, 60)
    const first = start({ emitCheckpoints: true }, { delivery, naming: { type: 'prefix', prefix: 'x.' } })
    await copied(world, first, 'hybrid')
    for (let n = 0; n < 4; n++) {
      const offsets = await somewhere(random)
      await commit('source', `group-${n}`, 'hybrid', offsets)
      for (const checkpoint of await translated(`group-${n}`, offsets)) {
        expect(checkpoint.topic).toBe('x.hybrid')
        expect(await repeatedBehind(checkpoint, 'hybrid')).toBe(0)
      }
    }
    await first.drain()
    // The next process knows nothing but the anchors: it has to read both logs.
    const next = start({ emitCheckpoints: true }, { delivery, naming: { type: 'prefix', prefix: 'x.' } })
    const before = await somewhere(random)
    await commit('source', 'later', 'hybrid', before)
    for (const checkpoint of await translated('later', before)) {
      expect(await repeatedBehind(checkpoint, 'hybrid')).toBe(0)
    }
    await produceTransactions(world, 'hybrid', 4, 40)
    await copied(world, next, 'hybrid')
    const after = await somewhere(random)
    await commit('source', 'last', 'hybrid', after)
    for (const checkpoint of await translated('last', after)) {
      expect(await repeatedBehind(checkpoint, 'hybrid')).toBe(0)
    }
    expect(next.view().notes).toEqual([])
  }
)

test('whatever becomes of transactions, what was taken back is never told', async () => {
  const random = seededRandom()
  const { faults } = world.brokers.target
  const mirror = start({ emitCheckpoints: true })
  await mirror.until(({ ready }) => ready)
  for (const [subject, action] of [
    [/^EndTxn/, { type: 'lose-reply' }],
    [/^EndTxn/, { type: 'fail-before' }],
    [/^Produce hybrid/, { type: 'lose-reply' }],
    [/^Append hybrid-1/, { type: 'answer', code: 19 }]
  ] as const) {
    faults.add({ subject, action, after: 1, times: 2 })
    await produceTransactions(world, 'hybrid', 2, 30)
    await copied(world, mirror, 'hybrid')
    const offsets = await somewhere(random)
    await commit('source', 'reader', 'hybrid', offsets)
    for (const checkpoint of await translated('reader', offsets)) {
      expect(await repeatedBehind(checkpoint)).toBe(0)
    }
  }
})

test('however workers die and come back, no place lies beyond the next record', async () => {
  const random = seededRandom()
  const workers: RunningRole[] = []
  for (let round = 0; round < 6; round++) {
    if (workers.length === 0 || (workers.length === 1 && random() < 0.5)) {
      workers.push(startMirror(world, { offsets: { ...quiet, emitCheckpoints: true } }, `worker-${round}`))
    }
    await produceTransactions(world, 'hybrid', 2, 20)
    await copiedBy(workers)
    const offsets = await somewhere(random)
    await commit('source', `round-${round}`, 'hybrid', offsets)
    for (const checkpoint of await translated(`round-${round}`, offsets)) await repeatedBehind(checkpoint)
    const last = random() < 0.6 ? workers.pop() : undefined
    if (random() < 0.5) last?.kill()
    else await last?.drain()
  }
  for (const worker of workers) expect(worker.failure()).toBeUndefined()
})

/** Resolves when the workers together have copied everything. */
async function copiedBy(workers: readonly RunningRole[]): Promise<void> {
  const ends = await world.ends('source', ['hybrid'])
  const isThere = () => {
    const partitions = workers.flatMap((worker) => worker.view().partitions)
    return [...ends].every(([key, end]) =>
      partitions.some((one) => tp(one.topic, one.partition) === key && one.position >= end)
    )
  }
  await until(isThere, () => JSON.stringify(workers.map((worker) => worker.view())), 60_000)
}

test('where records were left out, nothing is skipped, and where the target lost some, neither', async () => {
  await produceSome(world, 'hybrid', 400)
  const filter = { topics: ['.*'], filter: 'int(key) % 3 != 0', policies: {} }
  const first = start({ emitCheckpoints: true }, { rules: [filter] })
  await copied(world, first, 'hybrid')
  await commit('source', 'exact', 'hybrid', [50, 51, 52, 53])
  const isCopied = ({ key }: DecodedRecord) => Number(`${key}`) % 3 !== 0
  const expectNothingSkipped = async (checkpoint: Checkpoint) => {
    const { partition, upstream, downstream } = checkpoint
    const unread = (await recordsOf('source', 'hybrid', partition)).filter(
      (record) => record.offset >= upstream && isCopied(record)
    )
    const behind = (await recordsOf('target', 'hybrid', partition)).filter(
      ({ offset }) => offset >= downstream
    )
    expect(behind.slice(behind.length - unread.length).map(textOf)).toEqual(unread.map(textOf))
    return behind.length - unread.length
  }
  for (const checkpoint of await translated('exact', [50, 51, 52, 53])) {
    expect(await expectNothingSkipped(checkpoint)).toBe(0)
  }
  await first.drain()
  const next = start({ emitCheckpoints: true }, { rules: [filter] })
  await commit('source', 'approximate', 'hybrid', [60, 61, 62, 63])
  for (const checkpoint of await translated('approximate', [60, 61, 62, 63]))
    await expectNothingSkipped(checkpoint)
  const admin = world.kafka('target').admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: ['hybrid'] })
  await admin.deleteTopicRecords({ topic: 'hybrid', partitions: [{ partition: 0, offset: '30' }] })
  await admin.disconnect()
  await commit('source', 'cut', 'hybrid', [10, 10, 10, 10])
  const [first0] = await translated('cut', [10, 10, 10, 10])
  expect(first0?.downstream, 'not below where the log begins').toBeGreaterThanOrEqual(30)
  expect(next.failure()).toBeUndefined()
})

test('groups without members are given their offsets, those with members are not, and none is moved back', async () => {
  await produceSome(world, 'hybrid', 200)
  await world.createTopic('target', 'hybrid', 4)
  const offsets = [20, 21, 22, 23]
  for (const group of ['new', 'ahead', 'busy', 'console-1']) await commit('source', group, 'hybrid', offsets)
  const consumer = world.kafka('target').consumer({ groupId: 'busy', maxWaitTimeInMs: 50 })
  await consumer.connect()
  await consumer.subscribe({ topic: 'hybrid', fromBeginning: true })
  await consumer.run({ autoCommit: false, eachMessage: async () => {} })
  await commit('target', 'ahead', 'hybrid', [0, 0, 40, 40])
  const mirror = start({ syncGroupOffsets: true })
  await copied(world, mirror, 'hybrid')
  const given = async (group: string) =>
    (await groupOffsets(world.clusters.target, group, signal()))
      .sort((a, b) => a.partition - b.partition)
      .map(({ offset }) => offset)
  // As long as the mirror has not come so far, the group is given less.
  const wanted = (await groupTable(tableOptions(), 'new', signal())).map(({ targetOffset }) => targetOffset)
  let found: number[] = []
  await untilAsync(
    async () => {
      found = await given('new')
    },
    () => found.join() === wanted.join(),
    () => `${found}, wanted ${wanted}`
  )
  for (const [partition, downstream] of found.entries()) {
    const place = { group: 'new', topic: 'hybrid', partition, metadata: '' }
    expect(await repeatedBehind({ ...place, upstream: offsets[partition] ?? 0, downstream })).toBe(0)
  }
  found = []
  await untilAsync(
    async () => {
      found = await given('ahead')
    },
    () => (found[0] ?? 0) > 0,
    () => `${found}`
  )
  expect(found.slice(2)).toEqual([40, 40])
  // It reads anew on the source; on the target it stays where it is.
  await commit('source', 'new', 'hybrid', [1, 1, 1, 1])
  await commit('source', 'late', 'hybrid', offsets)
  const before = await given('new')
  found = []
  await untilAsync(
    async () => {
      found = await given('late')
    },
    () => found.length === 4,
    () => `${found}`
  )
  expect(await given('new')).toEqual(before)
  expect((await describeGroup(world.clusters.target, 'busy', signal())).state).toBe('Stable')
  expect(await given('busy')).toEqual([])
  expect(await given('console-1')).toEqual([])
  await consumer.disconnect()
})

test('the group of the mirror has its positions on the source, the last ones when it has left', async () => {
  await produceSome(world, 'hybrid', 80)
  const mirror = start({})
  await copied(world, mirror, 'hybrid')
  let committed: number[] = []
  const ours = async () => {
    const found = await groupOffsets(world.clusters.source, 'test.mirror.cloud', signal())
    committed = found.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }
  await untilAsync(
    ours,
    () => committed.length === 4,
    () => `${committed}`
  )
  await produceSome(world, 'hybrid', 40)
  await copied(world, mirror, 'hybrid')
  await mirror.drain()
  await ours()
  expect(committed).toEqual([...(await world.ends('source', ['hybrid'])).values()])
})

test('what cannot be written is told, and the copying goes on', async () => {
  const forbidden = { type: 'answer', code: 29 } as const
  const always = { times: Number.POSITIVE_INFINITY }
  world.brokers.target.faults.add({
    subject: /^Append .*(checkpoints|offsets)\.internal/,
    action: forbidden,
    ...always
  })
  world.brokers.source.faults.add({
    subject: /^Append (mm2-offset-syncs|heartbeats)/,
    action: forbidden,
    ...always
  })
  const refused = world.brokers.source.faults.add({
    subject: /^OffsetCommit test\.mirror/,
    action: { type: 'answer', code: 30 },
    ...always
  })
  await produceSome(world, 'hybrid', 40)
  await commit('source', 'reader', 'hybrid', [1, 1, 1, 1])
  const mirror = start({ emitCheckpoints: true, emitOffsetSyncs: true, emitHeartbeats: true })
  await copied(world, mirror, 'hybrid')
  await mirror.until(({ notes }) => notes.length === 5)
  expect(
    mirror
      .view()
      .notes.map((note) => note.replace(/:.*/, ''))
      .sort()
  ).toEqual([
    'anchors of offsets cannot be kept on target',
    'heartbeats cannot be written to source',
    'offset syncs cannot be written to source',
    'offsets of groups of source cannot be translated',
    'our own offsets cannot be committed on source'
  ])
  await produceSome(world, 'hybrid', 40)
  await copied(world, mirror, 'hybrid')
  expect(refused.hits).toBeGreaterThan(1)
  world.brokers.target.faults.clear()
  world.brokers.source.faults.clear()
  await mirror.until(({ notes }) => notes.length === 0)
  await translated('reader', [1, 1, 1, 1])
  expect(mirror.failure()).toBeUndefined()
  await mirror.drain()
})

test('offset syncs and heartbeats are those of MirrorMaker 2, and heartbeats arrive under its name', async () => {
  await produceSome(world, 'hybrid', 40)
  const naming = { type: 'identity', heartbeats: 'source.heartbeats' } as const
  const mirror = start({ emitOffsetSyncs: true, emitHeartbeats: true }, { naming })
  await copied(world, mirror, 'hybrid')
  let found: number[] = []
  await untilAsync(
    async () => {
      const sizes = [
        recordsOf('source', 'mm2-offset-syncs.target.internal', 0),
        recordsOf('source', 'heartbeats', 0),
        recordsOf('target', 'source.heartbeats', 0)
      ]
      found = (await Promise.all(sizes)).map(({ length }) => length)
    },
    () => found.length > 0 && found.every((size, index) => size >= (index === 0 ? 4 : 2)),
    () => `${found}`
  )
  const syncs = (await recordsOf('source', 'mm2-offset-syncs.target.internal', 0)).map(decodeOffsetSync)
  for (const { topic, partition, upstream, downstream } of syncs.filter(({ topic }) => topic === 'hybrid')) {
    const at = async (side: Side, offset: number) =>
      (await recordsOf(side, topic, partition)).find((record) => record.offset === offset)
    const [here, there] = [await at('source', upstream), await at('target', downstream)]
    expect(here && textOf(here)).toBe(there && textOf(there))
    expect(here).toBeDefined()
  }
  const [beat] = (await recordsOf('target', 'source.heartbeats', 0)).map(decodeHeartbeat)
  expect(beat).toMatchObject({ source: 'target', target: 'source' })
  expect(mirror.view().partitions.map(({ topic }) => topic)).toContain('heartbeats')
})

test('a group is translated by what lies on the clusters, while the mirror runs and when it is stopped', async () => {
  const random = seededRandom()
  await world.createTopic('source', 'other', 1)
  await produceTransactions(world, 'hybrid', 6, 60)
  const mirror = start({}, { topics: ['hybrid'] })
  await copied(world, mirror, 'hybrid')
  const options = tableOptions()
  const expectTranslated = async (group: string) => {
    const offsets = await somewhere(random)
    await commit('source', group, 'hybrid', offsets)
    await setGroupOffsets(
      world.clusters.source,
      group,
      [{ topic: 'other', partition: 0, offset: 0 }],
      signal()
    )
    const rows = await groupTable(options, group, signal())
    expect(
      rows.map(({ topic, partition, sourceOffset, exact }) => [topic, partition, sourceOffset, exact])
    ).toEqual(offsets.map((offset, partition) => ['hybrid', partition, offset, true]))
    for (const { topic, partition, sourceOffset, targetOffset, sourceLag } of rows) {
      const place = {
        group,
        topic,
        partition,
        metadata: '',
        upstream: sourceOffset,
        downstream: targetOffset ?? 0
      }
      expect(await repeatedBehind(place)).toBe(0)
      const end = (await world.ends('source', ['hybrid'])).get(tp(topic, partition)) ?? 0
      expect(sourceLag).toBe(end - sourceOffset)
    }
  }
  await expectTranslated('running')
  await mirror.drain()
  await expectTranslated('stopped')
  // What the mirror has not copied yet is read again: the consumer goes on where the copy ends now.
  const before = [...(await world.ends('target', ['hybrid'])).values()]
  await produceSome(world, 'hybrid', 40)
  const ends = [...(await world.ends('source', ['hybrid'])).values()]
  await commit('source', 'ahead', 'hybrid', ends)
  const ahead = await groupTable(options, 'ahead', signal())
  expect(ahead.map(({ targetOffset, exact }) => [targetOffset, exact])).toEqual(
    before.map((end) => [end, false])
  )
  // A log that has lost offsets between two anchors tells nothing about what was copied there.
  const admin = world.kafka('source').admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: ['hybrid'] })
  await admin.deleteTopicRecords({ topic: 'hybrid', partitions: [{ partition: 0, offset: '10' }] })
  await admin.disconnect()
  await commit('source', 'cut', 'hybrid', [20, 20, 20, 20])
  const cut = await groupTable(options, 'cut', signal())
  expect(cut.map(({ exact }) => exact)).toEqual([false, true, true, true])
  expect(cut[0]?.targetOffset, 'the anchor below').toBe(0)
  await expect(groupTable(options, 'nobody', signal())).rejects.toMatchObject({ code: 'group-unknown' })
  await commit('source', 'elsewhere', 'other', [0])
  await expect(groupTable(options, 'elsewhere', signal())).rejects.toMatchObject({
    code: 'group-without-offsets'
  })
  await expect(groupTable({ ...options, partitions: 0 }, 'ahead', signal())).rejects.toMatchObject({
    code: 'mirror-unknown'
  })
})
