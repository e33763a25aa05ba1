import { expect, test } from 'vitest'
import { at, batchesOf, readHeader } from '../../../src/records/batch.ts'
import { fresh, newPartition, newProducer, type Subject, settled, until, withClient } from './bench.ts'
import { commitOffset, fetchOffset } from './group-requests.ts'
import type { RawClient } from './raw-client.ts'
import { type At, batch, fetch, listOffset, type Producer, produce } from './requests.ts'
import {
  addOffsets,
  addPartitions,
  endTxn,
  findCoordinator,
  initProducerId,
  txnOffsetCommit
} from './transaction-requests.ts'

const codes = {
  corrupt: 2,
  sequence: 45,
  unknownPartition: 3,
  epoch: 47,
  state: 48,
  mapping: 49,
  timeout: 50,
  concurrent: 51,
  notAuthorized: 53,
  notAttempted: 55,
  fenced: 90
}

/** The transaction coordinator, and what transactions do to a partition. */
export function transacting(subject: () => Subject): void {
  test('read_committed sees what was committed, and the aborted list of what was not', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      await client.call(produce(at0, batch(5, { ...producer, sequence: 0, transactional: true }), id))
      const open = await client.call(fetch(at0, { offset: 0, committed: true }))
      expect(open).toMatchObject({ highWatermark: 5, lastStableOffset: 0, aborted: [] })
      expect(open.records.length).toBe(0)
      expect((await client.call(fetch(at0, { offset: 0 }))).aborted).toBeNull()
      expect((await client.call(listOffset(at0, -1, true))).offset).toBe(0)
      await ended(client, id, producer, false, at0, 6)
      await client.call(addPartitions(id, producer, [at0]))
      await client.call(produce(at0, batch(5, { ...producer, sequence: 5, transactional: true }), id))
      await ended(client, id, producer, true, at0, 12)
      const all = await client.call(fetch(at0, { offset: 0, committed: true }))
      expect(all.aborted).toEqual([{ producerId: producer.producerId, firstOffset: 0 }])
      const kinds = [...batchesOf(all.records)].map((one) => readHeader(one, 0))
      expect(
        kinds.map(({ baseOffset, control, transactional }) => [baseOffset, control, transactional])
      ).toEqual([
        [0, false, true],
        [5, true, true],
        [6, false, true],
        [11, true, true]
      ])
      expect((await client.call(fetch(at0, { offset: 6, committed: true }))).aborted).toEqual([])
    }))

  test('the aborted list is in the order of the markers, not of the first offsets', () =>
    withClient(subject(), async (client) => {
      const one = await begun(client)
      const id = fresh('txn')
      const producer = await newProducer(client, id)
      await client.call(addPartitions(id, producer, [one.at0]))
      await client.call(
        produce(one.at0, batch(1, { ...one.producer, sequence: 0, transactional: true }), one.id)
      )
      await client.call(produce(one.at0, batch(1, { ...producer, sequence: 0, transactional: true }), id))
      expect(await client.call(endTxn(id, producer, false))).toBe(0)
      await until(client, fetch(one.at0, { offset: 0 }), ({ highWatermark }) => highWatermark === 3)
      await ended(client, one.id, one.producer, false, one.at0, 4)
      const { aborted } = await client.call(fetch(one.at0, { offset: 0, committed: true }))
      expect(aborted?.map(({ firstOffset }) => firstOffset)).toEqual([1, 0])
    }))

  test('a partition that was not added takes no batch', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      const send = (where: At, sequence: number, by: string | null = id) =>
        client.call(produce(where, batch(1, { ...producer, sequence, transactional: true }), by))
      const other = await newPartition(client)
      expect((await send(other, 0)).error).toBe(codes.state)
      expect((await send(at0, 0, null)).error).toBe(codes.notAuthorized)
      expect((await send(at0, 0, fresh('txn'))).error).toBe(codes.mapping)
      expect((await send(at0, 0)).error).toBe(0)
      const plain = batch(1, { ...producer, sequence: 1 })
      expect((await client.call(produce(at0, plain))).error).toBe(codes.state)
      await ended(client, id, producer, true, at0, 2)
      expect((await send(at0, 1)).error).toBe(codes.state)
    }))

  test('one unknown partition keeps all others out of the transaction', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client, false)
      const missing = { topic: fresh('missing'), partition: 0 }
      expect(await client.call(addPartitions(id, producer, [at0, missing]))).toEqual([
        codes.notAttempted,
        codes.unknownPartition
      ])
      expect(await client.call(endTxn(id, producer, true))).toBe(codes.state)
    }))

  test('a decision may be repeated, not changed', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      await ended(client, id, producer, true, at0, 1)
      expect(await settled(client, endTxn(id, producer, true), (code) => code)).toBe(0)
      expect(await client.call(endTxn(id, producer, false))).toBe(codes.state)
    }))

  test('nothing was added: there is nothing to end', () =>
    withClient(subject(), async (client) => {
      const { id, producer } = await begun(client, false)
      expect(await client.call(endTxn(id, producer, true))).toBe(codes.state)
      expect(await client.call(endTxn(id, producer, false))).toBe(codes.state)
    }))

  test('a new producer aborts what is open and fences the old one, even where that wrote nothing', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      expect((await client.call(initProducerId(id))).error).toBe(codes.concurrent)
      const next = await newProducer(client, id)
      expect(next.producerId).toBe(producer.producerId)
      expect(next.producerEpoch).toBeGreaterThan(producer.producerEpoch)
      expect(await client.call(addPartitions(id, producer, [at0]))).toEqual([codes.epoch])
      expect(await client.call(addPartitions(id, producer, [at0], 2))).toEqual([codes.fenced])
      expect(await client.call(endTxn(id, producer, true))).toBe(codes.epoch)
      expect(await client.call(endTxn(id, producer, true, 2))).toBe(codes.fenced)
      const late = batch(1, { ...producer, sequence: 0, transactional: true })
      expect((await client.call(produce(at0, late, id))).error).toBe(codes.epoch)
      await client.call(addPartitions(id, next, [at0]))
      expect((await client.call(produce(at0, late, id))).error).toBe(codes.epoch)
      const first = batch(1, { ...next, sequence: 0, transactional: true })
      expect(await client.call(produce(at0, first, id))).toMatchObject({ error: 0, baseOffset: 1 })
    }))

  test('ids are held by those who got them, for a time within bounds', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client, false)
      const stranger = { ...producer, producerId: producer.producerId + 1000 }
      expect(await client.call(addPartitions(id, stranger, [at0]))).toEqual([codes.mapping])
      expect(await client.call(endTxn(id, stranger, true))).toBe(codes.mapping)
      expect((await client.call(initProducerId(fresh('txn'), 900_001))).error).toBe(codes.timeout)
      expect((await client.call(initProducerId(fresh('txn'), 0))).error).toBe(codes.timeout)
    }))

  test('a transaction whose time is up is aborted, and its producer fenced', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client, true, 300)
      await client.call(produce(at0, batch(2, { ...producer, sequence: 0, transactional: true }), id))
      const { aborted } = await until(
        client,
        fetch(at0, { offset: 0, committed: true }),
        ({ lastStableOffset }) => lastStableOffset === 3
      )
      expect(aborted?.length).toBe(1)
      expect(await settled(client, addPartitions(id, producer, [at0]), ([code]) => code ?? 0)).toEqual([
        codes.epoch
      ])
      expect(await client.call(endTxn(id, producer, true))).toBe(codes.epoch)
    }))

  test('sequences run on across the commits of one epoch', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      const send = (sequence: number) =>
        client.call(produce(at0, batch(5, { ...producer, sequence, transactional: true }), id))
      expect((await send(0)).error).toBe(0)
      await ended(client, id, producer, true, at0, 6)
      await client.call(addPartitions(id, producer, [at0]))
      expect((await send(5)).error).toBe(0)
    }))

  test('after a first batch that failed, those behind it are out of order', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      const send = (sequence: number, damage?: (records: Buffer) => void) => {
        const records = batch(5, { ...producer, sequence, transactional: true })
        damage?.(records)
        return client.call(produce(at0, records, id))
      }
      expect((await send(0, (records) => records.writeInt32BE(0, at.crc))).error).toBe(codes.corrupt)
      expect((await send(5)).error).toBe(codes.sequence)
      expect((await send(0)).error).toBe(0)
      expect((await send(5)).error).toBe(0)
    }))

  test('offsets are committed with the transaction, or not at all', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await begun(client)
      const group = fresh('group')
      await settled(client, findCoordinator('group', group), (code) => code)
      await settled(client, commitOffset(group, -1, { memberId: '' }, at0, 3), (code) => code)
      expect((await client.call(fetchOffset(group, at0))).offset).toBe(3)
      expect(await client.call(txnOffsetCommit(id, producer, group, at0, 9))).toBe(codes.state)
      expect(await client.call(addOffsets(id, producer, group))).toBe(0)
      expect(await client.call(txnOffsetCommit(id, producer, group, at0, 10))).toBe(0)
      expect((await client.call(fetchOffset(group, at0))).offset).toBe(3)
      await ended(client, id, producer, true, at0, 1)
      await until(client, fetchOffset(group, at0), ({ offset }) => offset === 10)
      expect(await settled(client, addOffsets(id, producer, group), (code) => code)).toBe(0)
      expect(await client.call(txnOffsetCommit(id, producer, group, at0, 20))).toBe(0)
      expect(await client.call(endTxn(id, producer, false))).toBe(0)
      expect(await settled(client, endTxn(id, producer, false), (code) => code)).toBe(0)
      expect((await client.call(fetchOffset(group, at0))).offset).toBe(10)
    }))
}

/** A new transactional id, its producer, and a partition that is already in the transaction. */
async function begun(
  client: RawClient,
  added = true,
  timeoutMs?: number
): Promise<{ at0: At; id: string; producer: Producer }> {
  const at0 = await newPartition(client)
  const id = fresh('txn')
  const producer = await newProducer(client, id, timeoutMs)
  if (added) expect(await client.call(addPartitions(id, producer, [at0]))).toEqual([0])
  return { at0, id, producer }
}

/** Ends the transaction and waits for its marker: the partition then ends, stably, at `end`. */
async function ended(
  client: RawClient,
  id: string,
  producer: Producer,
  committed: boolean,
  at0: At,
  end: number
): Promise<void> {
  expect(await client.call(endTxn(id, producer, committed))).toBe(0)
  await until(
    client,
    fetch(at0, { offset: 0, committed: true }),
    ({ lastStableOffset }) => lastStableOffset === end
  )
  await settled(client, endTxn(id, producer, committed), (code) => code)
}
