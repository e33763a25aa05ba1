import { expect, onTestFinished, test } from 'vitest'
import type { EmbeddedBroker } from '../../../src/embedded/broker/broker.ts'
import { fresh, newProducer, settled, until } from '../../conformance/broker/bench.ts'
import { heartbeat, join, sync } from '../../conformance/broker/group-requests.ts'
import {
  addPartition,
  clusterView,
  coordinator,
  createAssigned
} from '../../conformance/broker/leadership-requests.ts'
import { RawClient } from '../../conformance/broker/raw-client.ts'
import { type At, batch, fetch, produce } from '../../conformance/broker/requests.ts'
import { configure } from '../../conformance/broker/retention-bench.ts'
import { endTxn } from '../../conformance/broker/transaction-requests.ts'
import { brokerIn, clientOf, temporaryDirectory } from './support.ts'

async function clientAt(broker: EmbeddedBroker, node: number): Promise<RawClient> {
  const port = broker.nodes.find(({ id }) => id === node)?.port
  const client = await RawClient.connect(`127.0.0.1:${port}`)
  onTestFinished(() => client.close())
  return client
}

/** Partition 0 of a new topic with these replicas. */
async function placed(client: RawClient, replicas: readonly number[]): Promise<At> {
  const topic = fresh('topic')
  expect(await client.call(createAssigned(topic, [replicas]))).toBe(0)
  return { topic, partition: 0 }
}

test('a move is told to every node, and to a node without a replica it gives one', async () => {
  const broker = await brokerIn(temporaryDirectory(), { nodes: 3 })
  const [one, three] = [await clientAt(broker, 1), await clientAt(broker, 3)]
  const at0 = await placed(one, [1, 2])
  const [before] = (await one.call(clusterView(at0.topic))).partitions
  broker.moveLeader(at0.topic, 0, 2)
  const [moved] = (await three.call(clusterView(at0.topic))).partitions
  expect(moved).toMatchObject({ leader: 2, replicas: [1, 2], leaderEpoch: (before?.leaderEpoch ?? 0) + 1 })
  broker.moveLeader(at0.topic, 0, 3)
  expect((await one.call(clusterView(at0.topic))).partitions).toMatchObject([{ leader: 3, replicas: [3, 1] }])
  expect(() => broker.moveLeader(at0.topic, 0, 4)).toThrow('node 4 is not up')
  expect(() => broker.moveLeader('none', 0, 1)).toThrow("Topic 'none' does not exist.")
})

test('after a restart partitions are where they were, under a later epoch, and the nodes are all up', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir, { nodes: 3 })
  const at0 = await placed(await clientOf(first), [1, 2, 3])
  first.moveLeader(at0.topic, 0, 2)
  await first.stopNode(2)
  const [before] = (await (await clientAt(first, 3)).call(clusterView(at0.topic))).partitions
  expect(before).toMatchObject({ leader: 1, offline: [2] })
  const ports = first.nodes.map(({ port }) => port)
  await first.stop()
  const second = await brokerIn(dataDir, { port: ports })
  const [after] = (await (await clientAt(second, 2)).call(clusterView(at0.topic))).partitions
  expect(after).toMatchObject({ leader: 1, replicas: [1, 2, 3], inSync: [1, 2, 3] })
  expect(after?.leaderEpoch).toBeGreaterThan(before?.leaderEpoch ?? 0)
})

test('a directory of three nodes opens with one, which then has everything', async () => {
  const dataDir = temporaryDirectory()
  const three = await brokerIn(dataDir, { nodes: 3 })
  const client = await clientAt(three, 3)
  const at0 = await placed(client, [3, 2])
  await client.call(produce(at0, batch(3)))
  await three.stop()
  const one = await brokerIn(dataDir)
  const alone = await clientOf(one)
  expect((await alone.call(clusterView(at0.topic))).partitions).toMatchObject([{ leader: 1, replicas: [1] }])
  expect((await alone.call(fetch(at0, { offset: 0 }))).highWatermark).toBe(3)
})

test('with min.insync.replicas a write needs as many replicas whose nodes are up', async () => {
  const broker = await brokerIn(temporaryDirectory(), { nodes: 3 })
  const client = await clientAt(broker, 1)
  const at0 = await placed(client, [1, 2, 3])
  await configure(client, at0, { 'min.insync.replicas': '2' })
  await broker.stopNode(2)
  expect((await client.call(produce(at0, batch(1)))).error).toBe(0)
  await broker.stopNode(3)
  expect((await client.call(produce(at0, batch(1)))).error).toBe(19)
  await broker.startNode(2)
  expect(await client.call(produce(at0, batch(1)))).toMatchObject({ error: 0, baseOffset: 1 })
})

test('members that wait for a rebalance are sent to the next coordinator, where the group goes on', async () => {
  const broker = await brokerIn(temporaryDirectory(), { nodes: 2 })
  const clients = new Map([
    [1, await clientAt(broker, 1)],
    [2, await clientAt(broker, 2)]
  ])
  const group = fresh('group')
  const from = await until(clientOfNode(clients, 1), coordinator('group', group), (id) => id > 0)
  const to = 3 - from
  const [here, there] = [clientOfNode(clients, from), clientOfNode(clients, to)]
  const { memberId } = await here.call(join(group, { memberId: '', instanceId: 'a' }))
  const joined = await here.call(join(group, { memberId, instanceId: 'a' }))
  const { generation } =
    joined.error === 0 ? joined : await here.call(join(group, { memberId, instanceId: 'a' }))
  expect(
    (await here.call(sync(group, generation, { memberId, instanceId: 'a' }, { [memberId]: 'x' }))).error
  ).toBe(0)

  const second = await clientAt(broker, from)
  const waiting = second.call(join(group, { memberId: '', instanceId: 'b' }))
  await until(here, heartbeat(group, generation, { memberId, instanceId: 'a' }), (error) => error === 27)
  broker.moveCoordinator('group', group, to)
  expect((await waiting).error).toBe(16)
  expect(await here.call(heartbeat(group, generation, { memberId, instanceId: 'a' }))).toBe(16)
  // The generation that was at work last is the one on disk.
  expect(await there.call(heartbeat(group, generation, { memberId, instanceId: 'a' }))).toBe(0)
})

test('a decided transaction waits for a partition without a leader, then gets its markers', async () => {
  const broker = await brokerIn(temporaryDirectory(), { nodes: 2 })
  const [one, two] = [await clientAt(broker, 1), await clientAt(broker, 2)]
  const at0 = await placed(one, [2])
  const id = fresh('id')
  broker.moveCoordinator('transaction', id, 1)
  const producer = await newProducer(one, id)
  expect(await one.call(addPartition(id, producer, at0))).toBe(0)
  await two.call(produce(at0, batch(2, { ...producer, sequence: 0, transactional: true }), id))
  await broker.stopNode(2)
  expect(await one.call(endTxn(id, producer, true))).toBe(0)
  expect(await one.call(addPartition(id, producer, at0))).toBe(51)
  await broker.startNode(2)
  expect(await settled(one, addPartition(id, producer, at0), (code) => code)).toBe(0)
  const back = await clientAt(broker, 2)
  expect((await back.call(fetch(at0, { offset: 0, committed: true }))).highWatermark).toBe(3)
})

function clientOfNode(clients: ReadonlyMap<number, RawClient>, node: number): RawClient {
  const client = clients.get(node)
  if (client === undefined) throw new Error(`there is no node ${node}`)
  return client
}
