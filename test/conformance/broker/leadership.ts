import { expect, test } from 'vitest'
import { batchesOf, readHeader } from '../../../src/records/batch.ts'
import { fresh, newProducer, settled, until } from './bench.ts'
import { type ClusterClients, type ClusterSubject, withCluster } from './cluster-bench.ts'
import { commitOffset, fetchOffset, heartbeat, join, leave, sync } from './group-requests.ts'
import {
  aboutGroup,
  addPartition,
  type ClusterView,
  clusterView,
  createAssigned,
  electPreferred,
  fetchFromLeader,
  offsetFetchError,
  reassign
} from './leadership-requests.ts'
import { RawClient } from './raw-client.ts'
import { type At, batch, deleteRecords, endOfEpoch, fetch, listOffset, produce } from './requests.ts'
import { addOffsets, endTxn, initProducerId, txnOffsetCommit } from './transaction-requests.ts'

const codes = {
  unknownTopic: 3,
  noLeader: 5,
  notLeader: 6,
  notCoordinator: 16,
  badAssignment: 39,
  fencedEpoch: 74,
  unknownEpoch: 75,
  notNeeded: 84,
  noReassignment: 85
}
const anybody = { memberId: '' }

/**
 * What clients see of several nodes. Properties: leaders on different nodes; refusals by nodes that do not lead (6) or
 * do not coordinate (16); followers that serve consumers which know racks; leader epochs over moves (74, 75, their ends,
 * their stamp in batches); a fetch in wait when its leader moves; idempotence, transactions and offsets that outlive
 * moves and the death of a node; partitions without a leader; what operators may not ask.
 */
export function leadership(subject: () => ClusterSubject): void {
  test('partitions have leaders on different nodes, and every node tells the same of them', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const replicas = [
        [a, b],
        [b, c],
        [c, a]
      ]
      const topic = await clients.newTopic(replicas)
      for (const id of clients.ids) {
        const isComplete = ({ nodes, partitions }: ClusterView) =>
          nodes.length === 3 && partitions.every((one) => one.inSync.length === one.replicas.length)
        const seen = await until(await clients.at(id), clusterView(topic), isComplete)
        expect(seen.nodes).toEqual([a, b, c])
        expect(seen.partitions.map(({ leader }) => leader)).toEqual([a, b, c])
        expect(seen.partitions.map((one) => one.replicas)).toEqual(replicas)
        expect(seen.partitions.map(({ inSync }) => inSync)).toEqual([
          [a, b],
          [b, c],
          [a, c]
        ])
      }
    }))

  test('a node that does not lead writes nothing, deletes nothing and tells no offsets', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b]]), partition: 0 }
      expect(await (await clients.at(a)).call(produce(at0, batch(3)))).toMatchObject({
        error: 0,
        baseOffset: 0
      })
      for (const id of [b, c]) {
        const client = await clients.at(id)
        expect((await client.call(produce(at0, batch(3)))).error).toBe(codes.notLeader)
        expect((await client.call(listOffset(at0, -1))).error).toBe(codes.notLeader)
        expect((await client.call(endOfEpoch(at0, 0))).error).toBe(codes.notLeader)
        expect((await client.call(deleteRecords(at0, 1))).error).toBe(codes.notLeader)
        expect((await client.call(produce({ ...at0, partition: 1 }, batch(1)))).error).toBe(
          codes.unknownTopic
        )
      }
      const leader = await clients.at(a)
      expect(await leader.call(listOffset(at0, -1))).toMatchObject({ error: 0, offset: 3 })
      expect(await leader.call(listOffset(at0, -2))).toMatchObject({ error: 0, offset: 0 })
    }))

  test('a consumer that knows of racks may read from a follower, any other only from the leader', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b]]), partition: 0 }
      await (await clients.at(a)).call(produce(at0, batch(3)))
      const [follower, stranger] = [await clients.at(b), await clients.at(c)]
      expect((await follower.call(fetchFromLeader(at0, 0))).error).toBe(codes.notLeader)
      const read = await until(follower, fetch(at0, { offset: 0 }), ({ records }) => records.length > 0)
      expect(read).toMatchObject({ error: 0 })
      expect(offsets(read.records)).toEqual([0])
      expect((await stranger.call(fetch(at0, { offset: 0 }))).error).toBe(codes.notLeader)
    }))

  test('a move raises the leader epoch: the one before is fenced, one after it is not known yet', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
      const epochAt = async (id: number) =>
        (await (await clients.at(id)).call(clusterView(at0.topic))).partitions[0]?.leaderEpoch ?? -1
      const before = await epochAt(a)
      await clients.move(at0, b)
      const leaderEpoch = await epochAt(b)
      expect(leaderEpoch).toBeGreaterThan(before)
      const leader = await clients.at(b)
      expect((await leader.call(fetchFromLeader(at0, 0, { leaderEpoch }))).error).toBe(0)
      expect((await leader.call(fetchFromLeader(at0, 0, { leaderEpoch: before }))).error).toBe(
        codes.fencedEpoch
      )
      const ahead = { leaderEpoch: leaderEpoch + 1 }
      expect((await leader.call(fetchFromLeader(at0, 0, ahead))).error).toBe(codes.unknownEpoch)
    }))

  test('a batch tells the epoch it was written in, and an epoch ends where the next one begins', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
      const epochs: number[] = []
      for (const [count, leader] of [
        [2, a],
        [3, b],
        [4, a]
      ] as const) {
        if (leader !== a || epochs.length > 0) await clients.move(at0, leader)
        const client = await clients.at(leader)
        epochs.push((await client.call(clusterView(at0.topic))).partitions[0]?.leaderEpoch ?? -1)
        expect((await client.call(produce(at0, batch(count)))).error).toBe(0)
      }
      const client = await clients.at(a)
      const { records } = await until(
        client,
        fetch(at0, { offset: 0 }),
        (answer) => offsets(answer.records).length === 3
      )
      expect([...batchesOf(records)].map((one) => readHeader(one, 0).leaderEpoch)).toEqual(epochs)
      const ends = await Promise.all(epochs.map((epoch) => client.call(endOfEpoch(at0, epoch))))
      expect(ends).toEqual(epochs.map((epoch, index) => ({ error: 0, epoch, endOffset: [2, 5, 9][index] })))
    }))

  test('a fetch in wait is told when its leader moves', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
      // Not the connection that the move uses: it answers in order.
      const waiting = subject().nodes.find(({ id }) => id === a)
      const client = await RawClient.connect(waiting?.address ?? '')
      const answer = client.call(fetchFromLeader(at0, 0, { maxWaitMs: 120_000 }))
      await clients.move(at0, b)
      expect((await answer).error).toBe(codes.notLeader)
      client.close()
    }))

  test('an idempotent producer goes on at the next leader, which knows what was written before', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
      const producer = await newProducer(await clients.at(a), null)
      const send = async (node: number, sequence: number) =>
        (await clients.at(node)).call(produce(at0, batch(5, { ...producer, sequence })))
      expect(await send(a, 0)).toMatchObject({ error: 0, baseOffset: 0 })
      expect(await send(a, 5)).toMatchObject({ error: 0, baseOffset: 5 })
      await clients.move(at0, c)
      expect(await send(c, 5)).toMatchObject({ error: 0, baseOffset: 5 })
      expect((await send(c, 15)).error).toBe(45)
      expect(await send(c, 10)).toMatchObject({ error: 0, baseOffset: 10 })
      expect((await send(a, 15)).error).toBe(codes.notLeader)
    }))

  test('a transaction outlives a move: it holds the last stable offset until it ends at the next leader', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
      const id = await clients.nameAt('transaction', c)
      const coordinator = await clients.at(c)
      const producer = await newProducer(coordinator, id)
      expect(await settled(coordinator, addPartition(id, producer, at0), (code) => code)).toBe(0)
      const send = async (node: number, sequence: number) =>
        (await clients.at(node)).call(
          produce(at0, batch(2, { ...producer, sequence, transactional: true }), id)
        )
      expect((await send(a, 0)).error).toBe(0)
      await clients.move(at0, b)
      expect((await send(b, 2)).error).toBe(0)
      const leader = await clients.at(b)
      const stable = { offset: 0, committed: true }
      expect(
        await until(leader, fetch(at0, stable), ({ highWatermark }) => highWatermark === 4)
      ).toMatchObject({
        lastStableOffset: 0
      })
      expect(await settled(coordinator, endTxn(id, producer, true), (code) => code)).toBe(0)
      const read = await until(leader, fetch(at0, stable), ({ lastStableOffset }) => lastStableOffset === 5)
      expect(offsets(read.records)).toEqual([0, 2, 4])
    }))

  test('only its coordinator answers for a group', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a]]), partition: 0 }
      const group = await clients.nameAt('group', a)
      expect(await clients.coordinatorOf('group', group, b)).toBe(a)
      const coordinator = await clients.at(a)
      expect(await settled(coordinator, commitOffset(group, -1, anybody, at0, 7), (code) => code)).toBe(0)
      const client = await clients.at(b)
      expect((await client.call(join(group, anybody))).error).toBe(codes.notCoordinator)
      expect((await client.call(sync(group, 1, { memberId: 'm' }))).error).toBe(codes.notCoordinator)
      const refusals = [
        heartbeat(group, 1, { memberId: 'm' }),
        leave(group, { memberId: 'm' }),
        commitOffset(group, -1, anybody, at0, 9),
        aboutGroup('describe', group),
        aboutGroup('delete', group),
        offsetFetchError(group, at0),
        txnOffsetCommit('some-id', { producerId: 1, producerEpoch: 0 }, group, at0, 9)
      ]
      for (const request of refusals) expect(await client.call(request)).toBe(codes.notCoordinator)
      expect(await coordinator.call(fetchOffset(group, at0))).toMatchObject({ error: 0, offset: 7 })
    }))

  test('only its coordinator answers for a transactional id, any node for a producer without one', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a]]), partition: 0 }
      const id = await clients.nameAt('transaction', a)
      expect(await clients.coordinatorOf('transaction', id, b)).toBe(a)
      const producer = await newProducer(await clients.at(a), id)
      const client = await clients.at(b)
      expect((await client.call(initProducerId(id))).error).toBe(codes.notCoordinator)
      expect(await client.call(addPartition(id, producer, at0))).toBe(codes.notCoordinator)
      expect(await client.call(addOffsets(id, producer, 'group'))).toBe(codes.notCoordinator)
      expect(await client.call(endTxn(id, producer, true))).toBe(codes.notCoordinator)
      const other = await newProducer(client, null)
      expect(other.producerId).not.toBe(producer.producerId)
    }))

  test('an operator may not place a partition where no node is, nor elect who leads already', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0, c = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a, b]]), partition: 0 }
      const client = await clients.at(b)
      for (const uneven of [[[a, b], [c]], [[a], []], [[99]]]) {
        expect(await client.call(createAssigned(fresh('topic'), uneven))).toBe(codes.badAssignment)
      }
      expect(await client.call(reassign(at0, [b, 99]))).toBe(codes.badAssignment)
      expect(await client.call(reassign(at0, [b, b]))).toBe(codes.badAssignment)
      expect(await client.call(reassign(at0, []))).toBe(codes.badAssignment)
      expect(await client.call(reassign(at0, null))).toBe(codes.noReassignment)
      expect(await client.call(reassign({ ...at0, partition: 1 }, [a]))).toBe(codes.unknownTopic)
      expect(await client.call(electPreferred(at0))).toBe(codes.notNeeded)
      expect(await client.call(electPreferred({ ...at0, partition: 1 }))).toBe(codes.unknownTopic)
    }))

  test('a partition that is reassigned takes its records to where it goes', () =>
    withCluster(subject(), async (clients) => {
      const [a = 0, b = 0] = clients.ids
      const at0 = { topic: await clients.newTopic([[a]]), partition: 0 }
      await (await clients.at(a)).call(produce(at0, batch(5)))
      expect(await (await clients.at(b)).call(reassign(at0, [b]))).toBe(0)
      await clients.ledBy(at0, b, [a])
      const { records } = await (await clients.at(b)).call(fetchFromLeader(at0, 0))
      expect(offsets(records)).toEqual([0])
      expect((await (await clients.at(a)).call(fetch(at0, { offset: 0 }))).error).toBe(codes.notLeader)
    }))

  test(
    'a node that dies leaves its duties to others, and comes back without them',
    () =>
      withCluster(subject(), async (clients) => {
        const [a = 0, b = 0, c = 0] = clients.ids
        const shared = { topic: await clients.newTopic([[a, b, c]]), partition: 0 }
        const single = { topic: await clients.newTopic([[a]]), partition: 0 }
        const before = await prepare(clients, a, shared)
        await subject().stopNode(a)
        clients.drop(a)

        const client = await clients.at(b)
        const led = await until(client, clusterView(shared.topic), ({ nodes }) => !nodes.includes(a))
        expect(led.partitions[0]).toMatchObject({ error: 0, leader: b, inSync: [b, c], offline: [a] })
        const { partitions } = await client.call(clusterView(single.topic))
        expect(partitions).toMatchObject([{ error: codes.noLeader, leader: -1, offline: [a] }])
        await clients.ledBy(shared, b, [c])
        const holder = await clients.coordinatorOf('group', before.group, b)
        expect(holder).not.toBe(a)
        const keeper = await clients.at(holder)
        expect(await settled(keeper, offsetFetchError(before.group, shared), (code) => code)).toBe(0)
        expect((await keeper.call(fetchOffset(before.group, shared))).offset).toBe(3)
        const ending = await clients.at(await clients.coordinatorOf('transaction', before.id, b))
        expect(await settled(ending, endTxn(before.id, before.producer, true), (code) => code)).toBe(0)
        const stable = fetch(shared, { offset: 0, committed: true })
        const read = await until(client, stable, ({ lastStableOffset }) => lastStableOffset === 6)
        expect(offsets(read.records)).toEqual([0, 3, 5])

        await subject().startNode(a)
        const isWhole = (view: ClusterView) => view.partitions[0]?.inSync.length === 3
        const whole = await until(client, clusterView(shared.topic), isWhole)
        expect(whole.partitions[0]).toMatchObject({ leader: b, offline: [] })
        await clients.ledBy(shared, b, [a, c])
        await clients.ledBy(single, a, [])
        expect(await client.call(electPreferred(shared))).toBe(0)
        await clients.ledBy(shared, a, [b, c])
      }),
    120_000
  )
}

/** Three records, an open transaction with two more, and an offset, all in the hands of one node. */
async function prepare(clients: ClusterClients, node: number, at0: At) {
  const client = await clients.at(node)
  await client.call(produce(at0, batch(3)))
  const group = await clients.nameAt('group', node)
  expect(await settled(client, commitOffset(group, -1, anybody, at0, 3), (code) => code)).toBe(0)
  const id = await clients.nameAt('transaction', node)
  const producer = await newProducer(client, id, 60_000)
  expect(await settled(client, addPartition(id, producer, at0), (code) => code)).toBe(0)
  const records = batch(2, { ...producer, sequence: 0, transactional: true })
  expect((await client.call(produce(at0, records, id))).error).toBe(0)
  return { group, id, producer }
}

function offsets(records: Buffer): number[] {
  return [...batchesOf(records)].map((one) => readHeader(one, 0).baseOffset)
}
