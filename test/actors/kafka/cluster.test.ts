import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { EmbeddedWorld } from './embedded.ts'
import { ScriptedCluster } from './scripted-cluster.ts'

function clusterAt(brokers: readonly string[], requestTimeoutMs = 2_000): Cluster {
  const cluster = new Cluster({
    name: 'onprem',
    brokers,
    clientId: 'test',
    connectTimeoutMs: 1_000,
    requestTimeoutMs,
    log: pino({ level: 'silent' })
  })
  onTestFinished(() => cluster.close())
  return cluster
}

test('metadata tells brokers, topic ids, leaders and epochs, and is remembered', async () => {
  const { cluster, signal } = await EmbeddedWorld.start(3)
  const metadata = await cluster.metadata(signal)
  expect(metadata.clusterId).toMatch(/^[\w-]{22}$/)
  expect(metadata.topics.get('t')).toMatchObject({ error: 0, internal: false })
  expect(metadata.topics.get('t')?.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(
    metadata.topics.get('t')?.partitions.map(({ partition, leaderEpoch }) => [partition, leaderEpoch])
  ).toEqual([
    [0, 0],
    [1, 0],
    [2, 0]
  ])
  expect(cluster.cached()?.topics.get('t')).toEqual(metadata.topics.get('t'))
})

test('a missing topic is told with its error, and asking does not make it', async () => {
  const { cluster, signal } = await EmbeddedWorld.start()
  for (let turn = 0; turn < 2; turn++) {
    const metadata = await cluster.metadata(signal, ['nope', 't'])
    expect(metadata.topics.get('nope')?.error).toBe(3)
  }
  expect([...(await cluster.metadata(signal)).topics.keys()]).toEqual(['t'])
})

test('brokers without topic ids are asked in Metadata v7, and the ids are undefined', async () => {
  const { world, cluster } = await ScriptedCluster.start(8)
  world.topic.leaders = [{ node: 1, epoch: 6 }]
  const metadata = await cluster.metadata(AbortSignal.timeout(5_000))
  expect(world.brokers[0]?.requests.at(-1)).toEqual({ apiKey: 3, version: 7 })
  expect(metadata.topics.get('t')).toEqual({
    id: undefined,
    internal: false,
    error: 0,
    partitions: [{ partition: 0, leader: 1, leaderEpoch: 6, error: 0 }]
  })
})

test('dead bootstrap brokers are passed over', async () => {
  const { broker, signal } = await EmbeddedWorld.start()
  const cluster = clusterAt(['127.0.0.1:1', ...broker.brokers])
  expect((await cluster.metadata(signal)).topics.has('t')).toBe(true)
})

test('without a broker the fault names the cluster and an address, and can be retried', async () => {
  const cluster = clusterAt(['127.0.0.1:1'])
  await expect(cluster.metadata(AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'unreachable',
    retryable: true,
    message: expect.stringMatching(/onprem.*127\.0\.0\.1:1/)
  })
})

test('of two creations of a topic the second finds it', async () => {
  const { cluster, signal } = await EmbeddedWorld.start()
  const topic = { partitions: 5, replication: 1, configs: { 'cleanup.policy': 'compact' } }
  expect(await cluster.createTopic('new', topic, signal)).toBe('created')
  expect(await cluster.createTopic('new', topic, signal)).toBe('exists')
  expect((await cluster.metadata(signal, ['new'])).topics.get('new')?.partitions.length).toBe(5)
  expect(await cluster.topicConfig('new', ['cleanup.policy', 'no.such.key'], signal)).toEqual({
    'cleanup.policy': 'compact'
  })
})

test('a topic that cannot be made says why', async () => {
  const { cluster, signal } = await EmbeddedWorld.start()
  const made = cluster.createTopic('bad name', { partitions: 1, replication: 1, configs: {} }, signal)
  await expect(made).rejects.toMatchObject({
    code: 'kafka-invalid-topic',
    retryable: false,
    message: expect.stringContaining('bad name')
  })
})

test('offsets come from the leaders; the last stable one stays before an open transaction', async () => {
  const world = await EmbeddedWorld.start()
  const { cluster, signal } = world
  const session = world.session()
  await world.write(session, 0, 'a', 'b')
  await session.add([world.at(0)], signal)
  await session.produce([world.batch(0, 'open')], signal)
  const ask = async (isolation: 0 | 1, timestamp: -1 | -2) => {
    const queries = [0, 1].map((partition) => ({ ...world.at(partition), timestamp }))
    const found = await cluster.listOffsets(queries, isolation, signal)
    return [found.get('t-0'), found.get('t-1')]
  }
  // Two records, their commit marker, one open record.
  expect(await ask(0, -1)).toEqual([4, 0])
  expect(await ask(1, -1)).toEqual([3, 0])
  expect(await ask(0, -2)).toEqual([0, 0])
})

test('what passes by itself is asked again: no leader, no coordinator', async () => {
  const { broker, cluster, signal } = await EmbeddedWorld.start()
  broker.faults.add({ subject: /^ListOffsets /, action: { type: 'answer', code: 78 }, times: 2 })
  broker.faults.add({ subject: /^FindCoordinator /, action: { type: 'answer', code: 15 }, times: 2 })
  expect(await cluster.listOffsets([{ topic: 't', partition: 0, timestamp: -1 }], 0, signal)).toEqual(
    new Map([['t-0', 0]])
  )
  expect(await cluster.coordinator('group', 'g', signal)).toBe(1)
})

test('offsets of a topic that we may not see: the refusal is told at once, not that there is no leader', async () => {
  const { world, cluster } = await ScriptedCluster.start()
  world.topic.error = 29
  const query = [{ topic: 't', partition: 0, timestamp: -1 }] as const
  await expect(cluster.listOffsets(query, 0, AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'kafka-topic-authorization-failed',
    retryable: false,
    message: expect.stringContaining('t-0')
  })
})

test('retrying ends at the request time-out', async () => {
  const { broker, signal } = await EmbeddedWorld.start()
  broker.faults.add({ subject: /^FindCoordinator /, action: { type: 'answer', code: 15 }, times: 1_000 })
  const cluster = clusterAt(broker.brokers, 120)
  await expect(cluster.coordinator('transaction', 'x', signal)).rejects.toMatchObject({
    code: 'kafka-coordinator-not-available'
  })
})

test('a shared link that was lost is opened again', async () => {
  const { broker, cluster, signal } = await EmbeddedWorld.start()
  await cluster.metadata(signal)
  broker.faults.add({ subject: /^Metadata/, action: { type: 'fail-before' } })
  await cluster.metadata(signal).catch(() => {})
  expect((await cluster.metadata(signal)).topics.has('t')).toBe(true)
})

test('every call ends with its signal', async () => {
  const { broker, cluster, signal } = await EmbeddedWorld.start()
  await cluster.metadata(signal)
  broker.faults.add({ subject: /^(Metadata|FindCoordinator)/, action: { type: 'hang' }, times: 10 })
  const abort = new AbortController()
  const calls = [cluster.metadata(abort.signal), cluster.coordinator('group', 'g', abort.signal)]
  const reason = new Error('drained')
  abort.abort(reason)
  for (const call of calls) await expect(call).rejects.toBe(reason)
})
