import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { brokerSetting, describeTopics } from '../../src/actors/kafka/admin.ts'
import { appendRecord } from '../../src/actors/kafka/append.ts'
import { encodeScopes, scopeTombstone } from '../../src/actors/mirror/topics/scope-records.ts'
import type { ClusterRef, MirrorScope } from '../../src/config/circles.ts'
import type { MirrorConfig } from '../../src/config.ts'
import { Fault } from '../../src/errors.ts'
import { KafkaWorld, type Side } from '../support/kafka-world.ts'
import { copied, produceSome, startMirror } from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const soon = () => AbortSignal.timeout(20_000)

/** What a topic was given itself. */
async function ownConfigs(side: Side, topic: string): Promise<Record<string, string>> {
  const found = (await describeTopics(world.clusters[side], [topic], soon())).get(topic)
  if (found === undefined || found instanceof Fault) throw found ?? new Error(`no configs of ${topic}`)
  return Object.fromEntries([...found].flatMap(([name, { value, isOwn }]) => (isOwn ? [[name, value]] : [])))
}

async function setConfigs(side: Side, topic: string, configs: Record<string, string>): Promise<void> {
  const admin = world.kafka(side).admin()
  await admin.connect()
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })
  await admin.disconnect()
}

async function grow(side: Side, topic: string, count: number): Promise<void> {
  const admin = world.kafka(side).admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic, count }] })
  await admin.disconnect()
}

async function expectCopy(source: string, target: string): Promise<void> {
  const [ours, theirs] = [await world.read('source', source), await world.read('target', target)]
  expect(ours.flat().length).toBeGreaterThan(0)
  expect(theirs).toEqual(ours)
}

test('topics are copied under a prefix, and what came from the target is not copied back', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('source', 'target.hybrid', 4)
  await produceSome(world, 'hybrid', 40)
  await produceSome(world, 'target.hybrid', 4)
  const mirror = startMirror(world, { naming: { type: 'prefix', prefix: 'source.' } })
  await copied(world, mirror, 'hybrid')
  await expectCopy('hybrid', 'source.hybrid')
  const { topics } = await world.clusters.target.metadata(soon())
  expect([...topics.keys()].filter((name) => !name.endsWith('.internal') && !name.startsWith('__'))).toEqual([
    'source.hybrid'
  ])
  expect(mirror.view()).toMatchObject({
    ready: true,
    notes: ['not copied back to target, where by their names they came from: target.hybrid']
  })
  mirror.kill()
  const again = startMirror(world, { naming: { type: 'prefix', prefix: 'other.' } })
  await again.until(() => false)
  expect(again.failure()).toMatchObject({
    code: 'claim-mismatch',
    message: expect.stringContaining('naming prefix source.; this one has naming prefix other.')
  })
})

test('topics are copied under the names of a map; one whose place is taken is held', async () => {
  await world.createTopic('source', 'first', 4)
  await world.createTopic('source', 'second', 4)
  await world.createTopic('source', 'third', 4)
  for (const topic of ['first', 'second', 'third']) await produceSome(world, topic, 8)
  const mirror = startMirror(world, { naming: { type: 'map', names: { first: 'second', third: 'first' } } })
  await copied(world, mirror, 'first', 'third')
  await expectCopy('first', 'second')
  await expectCopy('third', 'first')
  await mirror.until(({ partitions }) => partitions.length === 12)
  const held = mirror.view().partitions.filter(({ state }) => state === 'held')
  expect(held.map(({ topic }) => topic)).toEqual(['second', 'second', 'second', 'second'])
  expect(held[0]?.reason).toBe('topic second on target is the copy of first: two topics cannot share it')
})

test('what the target refuses of a renamed topic stops its source partition', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 4)
  const mirror = startMirror(world, { shards: 1, naming: { type: 'prefix', prefix: 'a.' } })
  await copied(world, mirror, 'hybrid')
  world.brokers.target.faults.add({ subject: /^Append a\.hybrid-2/, action: { type: 'answer', code: 10 } })
  await produceSome(world, 'hybrid', 40)
  await mirror.until(({ partitions }) => partitions.some(({ state }) => state === 'rejected'))
  expect(mirror.view().partitions[2]).toMatchObject({ topic: 'hybrid', state: 'rejected', position: 1 })
})

test('a source that grows while it is copied lets the target grow, and nothing is lost', async () => {
  await world.createTopic('source', 'hybrid', 2)
  const mirror = startMirror(world)
  await mirror.until(({ ready }) => ready)
  await grow('source', 'hybrid', 4)
  await produceSome(world, 'hybrid', 40)
  await mirror.until(({ partitions }) => partitions.length === 4)
  await copied(world, mirror, 'hybrid')
  await expectCopy('hybrid', 'hybrid')
})

test('a target that cannot grow holds the partitions it lacks, and says why', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 3)
  await produceSome(world, 'hybrid', 8)
  const refusing = { subject: /^CreatePartitions/, action: { type: 'answer', code: 29 } as const }
  world.brokers.target.faults.add({ ...refusing, times: Number.POSITIVE_INFINITY })
  const mirror = startMirror(world)
  await mirror.until(({ partitions }) => partitions.filter(({ position }) => position === 2).length === 3)
  expect(mirror.view().partitions[3]).toMatchObject({
    state: 'held',
    reason:
      'topic hybrid has only 3 partitions on target, and cannot be grown: topic hybrid: topic authorization failed (29)'
  })
  world.brokers.target.faults.clear()
  await copied(world, mirror, 'hybrid')
})

test('nothing is created when that is off', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('source', 'other', 1)
  await world.createTopic('target', 'hybrid', 3)
  const mirror = startMirror(world, { createTopics: false })
  await mirror.until(({ partitions }) => partitions.length === 5 && partitions[0]?.state === 'copying')
  const reasons = mirror.view().partitions.flatMap(({ reason }) => (reason === undefined ? [] : [reason]))
  expect(reasons).toEqual([
    'topic hybrid has only 3 partitions on target, and create_topics is off',
    'target has no topic other, and create_topics is off'
  ])
})

test('configs follow the source, but for what is excluded and what the target has of its own account', async () => {
  await world.createTopic('source', 'hybrid', 1, { 'segment.ms': '1000', 'min.insync.replicas': '1' })
  await world.createTopic('target', 'hybrid', 1, { 'flush.ms': '5', 'compression.type': 'zstd' })
  const configExclude = ['min\\.insync.*', 'compression.type']
  const mirror = startMirror(world, { configExclude })
  await mirror.until(({ ready }) => ready)
  expect(await ownConfigs('target', 'hybrid')).toEqual({ 'segment.ms': '1000', 'compression.type': 'zstd' })
  expect(mirror.view().notes).toEqual([
    'topic hybrid on target recompresses to zstd, which costs its broker time'
  ])
  await setConfigs('source', 'hybrid', { 'retention.ms': '-1' })
  await untilAsync(async () => (await ownConfigs('target', 'hybrid'))['retention.ms'] === '-1')
  expect(await ownConfigs('target', 'hybrid')).toEqual({ 'retention.ms': '-1', 'compression.type': 'zstd' })
})

test('configs of existing topics are left alone when that is off, and one that cannot be set is told', async () => {
  await world.createTopic('source', 'hybrid', 1, { 'segment.ms': '1000' })
  await world.createTopic('source', 'new', 1, { 'segment.ms': '1000', 'retention.ms': '-1' })
  await world.createTopic('target', 'hybrid', 1)
  const idle = startMirror(world, { syncConfigs: false })
  await idle.until(({ ready }) => ready)
  expect(await ownConfigs('target', 'hybrid')).toEqual({})
  expect(await ownConfigs('target', 'new')).toMatchObject({ 'segment.ms': '1000', 'retention.ms': '-1' })
  idle.kill()
  world.brokers.target.faults.add({
    subject: /^IncrementalAlterConfigs/,
    action: { type: 'answer', code: 29 }
  })
  const mirror = startMirror(world)
  await mirror.until(({ ready }) => ready)
  expect(mirror.view().notes).toEqual([
    'segment.ms of topic hybrid on target cannot be set as on source: cluster target: config of topic hybrid: topic authorization failed (29)'
  ])
})

test('a topic that the config names and the source lacks is told', async () => {
  const mirror = startMirror(world, { topics: ['hybrid', 'x.*'] })
  await mirror.until(({ notes }) => notes.length > 0)
  expect(mirror.view().notes).toEqual(['topic hybrid on source: unknown topic or partition (3)'])
  await world.createTopic('source', 'hybrid', 1)
  await mirror.until(({ notes, ready }) => notes.length === 0 && ready)
})

test('a target that does not verify transactions is told', async () => {
  const admin = world.kafka('target').admin()
  await admin.connect()
  const configEntries = [{ name: 'transaction.partition.verification.enable', value: 'false' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 4, name: '1', configEntries }] })
  await admin.disconnect()
  const setting = 'transaction.partition.verification.enable'
  expect(await brokerSetting(world.clusters.target, setting, soon())).toBe('false')
  await world.createTopic('source', 'hybrid', 1)
  const mirror = startMirror(world)
  await mirror.until(({ ready }) => ready)
  expect(mirror.view().notes).toEqual([
    `cluster target has ${setting} off: a batch that arrives late may leave a transaction open that nobody ends`
  ])
})

const reverse: Partial<MirrorConfig> = { from: 'target', to: 'source' }

test('a mirror of another process that copies the other way is seen in its positions, and the path is told', async () => {
  await world.createTopic('source', 'hybrid', 1)
  const forth = startMirror(world, {}, 'worker-1')
  await forth.until(({ ready }) => ready)
  const back = startMirror(world, reverse, 'worker-2', 'back')
  await back.until(() => false)
  expect(back.failure()).toMatchObject({
    code: 'mirror-circle',
    message:
      'records would go round in a circle: hybrid on target → hybrid on source (test.mirror.back) → hybrid on target (test.mirror.cloud); if there is no test.mirror.cloud any more, delete its positions topic'
  })
  // What was refused has left nothing behind that would refuse the other.
  forth.kill()
  const again = startMirror(world, {}, 'worker-1')
  await again.until(({ ready }) => ready)
})

test('of two that start at the same time and would close a circle, one is refused', async () => {
  await world.createTopic('source', 'hybrid', 1)
  const both = [startMirror(world, {}, 'worker-1'), startMirror(world, reverse, 'worker-2', 'back')]
  const isRefused = () => both.some((mirror) => mirror.failure() !== undefined)
  await untilAsync(async () => (await pause(10, isRefused())) === true)
  const codes = both.map((mirror) => mirror.failure()).filter((failure) => failure !== undefined)
  for (const failure of codes) expect(failure).toMatchObject({ code: 'mirror-circle' })
})

test('two mirrors with prefixes go both ways', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'hybrid', 4)
  await produceSome(world, 'hybrid', 8)
  const forth = startMirror(world, { naming: { type: 'prefix', prefix: 'source.' } })
  const more = { ...reverse, naming: { type: 'prefix', prefix: 'target.' } } as const
  const back = startMirror(world, more, 'worker-2', 'back')
  await copied(world, forth, 'hybrid')
  await back.until(({ ready, partitions }) => ready && partitions.length === 4)
  await expectCopy('hybrid', 'source.hybrid')
  expect(new Set(back.view().partitions.map(({ topic }) => topic))).toEqual(new Set(['hybrid']))
})

test('a ring over a third cluster is seen by what the mirror before it tells', async () => {
  await world.createTopic('source', 'hybrid', 1)
  const refs = await Promise.all(
    (['source', 'target'] as const).map(async (name) => {
      const { clusterId } = await world.clusters[name].metadata(soon(), [])
      return { key: clusterId ?? '', name: `their ${name}` }
    })
  )
  const [source, target] = refs as [ClusterRef, ClusterRef]
  const far = { key: 'far', name: 'far' }
  const scope = (name: string, from: ClusterRef, to: ClusterRef): MirrorScope => {
    return { name, from, to, topics: ['.*'], exclude: [], naming: { type: 'identity' }, origins: [] }
  }
  const place = { topic: 'their.mirror.in.positions.internal', partition: 0 }
  await world.createTopic('source', place.topic, 1)
  const told = encodeScopes(
    scope('their.mirror.in', far, source),
    [scope('their.mirror.out', target, far)],
    0
  )
  await appendRecord(world.clusters.source, place, told, soon())
  const mirror = startMirror(world)
  await mirror.until(() => false)
  const way =
    'hybrid on source → hybrid on target (test.mirror.cloud) → hybrid on far (their.mirror.out) → hybrid on their source (their.mirror.in)'
  expect(mirror.failure()).toMatchObject({ code: 'mirror-circle', message: expect.stringContaining(way) })
  await appendRecord(world.clusters.source, place, scopeTombstone(0), soon())
  const free = startMirror(world)
  await free.until(({ ready }) => ready)
  // One that comes later and was not refused: what would go round is held.
  await appendRecord(world.clusters.source, place, told, soon())
  await free.until(({ partitions }) => partitions.some(({ state }) => state === 'held'))
  expect(free.view().partitions[0]?.reason).toBe(`it would go round in a circle: ${way}`)
})

/** Looks again and again. */
async function untilAsync(fits: () => Promise<boolean>): Promise<void> {
  const signal = soon()
  while (!(await fits())) signal.throwIfAborted()
}
