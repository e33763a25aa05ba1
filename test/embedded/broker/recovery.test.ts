import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fresh, newPartition, newProducer, settled, until } from '../../conformance/broker/bench.ts'
import {
  commitOffset,
  fetchOffset,
  heartbeat,
  join as joinGroup,
  sync
} from '../../conformance/broker/group-requests.ts'
import {
  batch,
  createTopic,
  deleteRecords,
  deleteTopic,
  endOfEpoch,
  fetch,
  listOffset,
  metadata,
  produce
} from '../../conformance/broker/requests.ts'
import {
  addOffsets,
  addPartitions,
  endTxn,
  initProducerId,
  txnOffsetCommit
} from '../../conformance/broker/transaction-requests.ts'
import { brokerIn, clientOf, committedValues, temporaryDirectory } from './support.ts'

test('a restart keeps topics, records, offsets, members and the cluster id', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir)
  const before = await clientOf(first)
  const at0 = await newPartition(before, { 'max.message.bytes': '1000' }, 3)
  await before.call(produce(at0, batch(5)))
  const { id } = await before.call(metadata(at0.topic))
  const member = await before.call(joinGroup('g', { memberId: '', instanceId: 'one' }))
  const mine = { memberId: member.memberId, instanceId: 'one' }
  await before.call(sync('g', member.generation, mine, { [member.memberId]: 'all' }))
  await before.call(commitOffset('g', member.generation, mine, at0, 4))
  await first.stop()

  const second = await brokerIn(dataDir, { port: first.port, clusterId: 'another' })
  expect(second.clusterId).toBe(first.clusterId)
  expect(second.port).toBe(first.port)
  const after = await clientOf(second)
  expect(await after.call(metadata(at0.topic))).toMatchObject({
    id,
    partitions: [{ leaderEpoch: 1 }, {}, {}]
  })
  expect((await after.call(listOffset(at0, -1))).offset).toBe(5)
  expect((await after.call(produce(at0, batch(100)))).error).toBe(10)
  expect((await after.call(fetchOffset('g', at0))).offset).toBe(4)
  expect(await after.call(heartbeat('g', member.generation, mine))).toBe(0)
  expect(await after.call(sync('g', member.generation, mine))).toEqual({ error: 0, assignment: 'all' })
})

test('leader epochs rise with each start, and tell where the last one ended', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir)
  const before = await clientOf(first)
  const at0 = await newPartition(before)
  await before.call(produce(at0, batch(5)))
  await first.stop()
  const after = await clientOf(await brokerIn(dataDir))
  await after.call(produce(at0, batch(5)))
  expect(await after.call(endOfEpoch(at0, 0))).toEqual({ error: 0, epoch: 0, endOffset: 5 })
  expect(await after.call(endOfEpoch(at0, 1))).toEqual({ error: 0, epoch: 1, endOffset: 10 })
  expect((await after.call(fetch(at0, { offset: 0, leaderEpoch: 0 }))).error).toBe(74)
})

test('an open transaction outlives a kill and can be committed', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir)
  const before = await clientOf(first)
  const at0 = await newPartition(before)
  const producer = await newProducer(before, 'txn')
  await before.call(addPartitions('txn', producer, [at0]))
  await before.call(produce(at0, batch(3, { ...producer, sequence: 0, transactional: true }), 'txn'))
  await before.call(addOffsets('txn', producer, 'g'))
  await before.call(txnOffsetCommit('txn', producer, 'g', at0, 3))
  first.kill()
  const after = await clientOf(await brokerIn(dataDir))
  expect((await after.call(listOffset(at0, -1, true))).offset).toBe(0)
  expect((await after.call(fetchOffset('g', at0))).offset).toBe(-1)
  expect(await after.call(endTxn('txn', producer, true))).toBe(0)
  await until(after, listOffset(at0, -1, true), ({ offset }) => offset === 4)
  expect(await committedValues(after, at0)).toEqual(['v0', 'v1', 'v2'])
  expect((await after.call(fetchOffset('g', at0))).offset).toBe(3)
})

test.each([true, false])(
  'what was decided (commit: %s) before a kill gets its markers at the next start',
  async (committed) => {
    const dataDir = temporaryDirectory()
    const first = await brokerIn(dataDir)
    const before = await clientOf(first)
    const at0 = await newPartition(before)
    const producer = await newProducer(before, 'txn')
    await before.call(addPartitions('txn', producer, [at0]))
    await before.call(produce(at0, batch(3, { ...producer, sequence: 0, transactional: true }), 'txn'))
    first.faults.add({ subject: /^WriteTxnMarkers txn/, action: { type: 'hang' } })
    expect(await before.call(endTxn('txn', producer, committed))).toBe(0)
    expect(await before.call(endTxn('txn', producer, committed))).toBe(51)
    expect(await before.call(addPartitions('txn', producer, [at0]))).toEqual([51])
    expect((await before.call(initProducerId('txn'))).error).toBe(51)
    expect((await before.call(listOffset(at0, -1, true))).offset).toBe(0)
    first.kill()
    const after = await clientOf(await brokerIn(dataDir))
    await until(after, listOffset(at0, -1, true), ({ offset }) => offset === 4)
    expect(await committedValues(after, at0)).toEqual(committed ? ['v0', 'v1', 'v2'] : [])
    expect(await settled(after, endTxn('txn', producer, committed), (code) => code)).toBe(0)
  }
)

test('a transaction that timed out while the broker was down is aborted when it is back', async () => {
  const dataDir = temporaryDirectory()
  let clock = Date.now()
  const first = await brokerIn(dataDir, { now: () => clock })
  const before = await clientOf(first)
  const at0 = await newPartition(before)
  const producer = await newProducer(before, 'txn', 60_000)
  await before.call(addPartitions('txn', producer, [at0]))
  await before.call(produce(at0, batch(3, { ...producer, sequence: 0, transactional: true }), 'txn'))
  first.kill()
  clock += 60_000
  const after = await clientOf(await brokerIn(dataDir, { now: () => clock }))
  await until(after, listOffset(at0, -1, true), ({ offset }) => offset === 4)
  expect(await committedValues(after, at0)).toEqual([])
})

test('with fsync the same goes through, forced to the disk at each step', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir, { fsync: true })
  const before = await clientOf(first)
  const at0 = await newPartition(before)
  const producer = await newProducer(before, 'txn')
  await before.call(addPartitions('txn', producer, [at0]))
  await before.call(produce(at0, batch(3, { ...producer, sequence: 0, transactional: true }), 'txn'))
  expect(await before.call(endTxn('txn', producer, true))).toBe(0)
  first.kill()
  const after = await clientOf(await brokerIn(dataDir))
  await until(after, listOffset(at0, -1, true), ({ offset }) => offset >= 4)
  expect(await committedValues(after, at0)).toEqual(['v0', 'v1', 'v2'])
})

test('producer ids are never given out twice', async () => {
  const dataDir = temporaryDirectory()
  const seen = new Set<number>()
  for (let life = 0; life < 3; life++) {
    const broker = await brokerIn(dataDir)
    const client = await clientOf(broker)
    for (let index = 0; index < 5; index++) {
      const { producerId } = await newProducer(client, null)
      expect(seen.has(producerId)).toBe(false)
      seen.add(producerId)
    }
    broker.kill()
  }
})

test('deleted topics and records stay deleted', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir)
  const before = await clientOf(first)
  const [gone, kept] = [await newPartition(before), await newPartition(before)]
  await before.call(produce(kept, batch(10)))
  await before.call(deleteTopic(gone.topic))
  await before.call(deleteRecords(kept, 6))
  await first.stop()
  const after = await clientOf(await brokerIn(dataDir))
  expect((await after.call(metadata(gone.topic))).error).toBe(3)
  expect((await after.call(listOffset(kept, -2))).offset).toBe(6)
  expect(readdirSync(join(dataDir, 'logs')).length).toBe(1)
})

test('a torn tail of any file is cut off', async () => {
  const dataDir = temporaryDirectory()
  const first = await brokerIn(dataDir)
  const before = await clientOf(first)
  const at0 = await newPartition(before)
  await before.call(produce(at0, batch(5)))
  await before.call(commitOffset('g', -1, { memberId: '' }, at0, 4))
  await newProducer(before, 'txn')
  first.kill()
  for (const file of journals(dataDir)) appendFileSync(file, '{"type":"torn')
  for (const file of logs(dataDir)) appendFileSync(file, batch(4).subarray(0, 70))
  const after = await clientOf(await brokerIn(dataDir))
  expect((await after.call(listOffset(at0, -1))).offset).toBe(5)
  expect((await after.call(fetchOffset('g', at0))).offset).toBe(4)
  expect((await newProducer(after, 'txn')).producerEpoch).toBe(1)
  expect((await after.call(produce(at0, batch(5)))).baseOffset).toBe(5)
})

test('a data directory of another format, and a port in use, are refused by name', async () => {
  const dataDir = temporaryDirectory()
  const broker = await brokerIn(dataDir)
  const { port } = broker
  await expect(brokerIn(temporaryDirectory(), { port })).rejects.toMatchObject({ code: 'port-in-use' })
  await broker.stop()
  writeFileSync(join(dataDir, 'version'), 'causeway-broker 99\n')
  await expect(brokerIn(dataDir)).rejects.toMatchObject({ code: 'data-dir-version' })
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  await expect(brokerIn(join(file, 'below'))).rejects.toMatchObject({ code: 'data-dir-not-writable' })
})

test('a broker that was stopped can be stopped again, and its port is free', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const client = await clientOf(broker)
  await client.call(createTopic(fresh('topic'), 1))
  await broker.stop()
  await client.closed
  broker.kill()
  await broker.stop()
  await brokerIn(temporaryDirectory(), { port: broker.port })
})

function journals(dataDir: string): string[] {
  return readdirSync(dataDir)
    .filter((name) => name.endsWith('.journal'))
    .map((name) => join(dataDir, name))
}

function logs(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'logs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(dataDir, 'logs', name))
}
