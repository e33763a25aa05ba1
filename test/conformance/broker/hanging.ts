import { expect, test } from 'vitest'
import { configureBrokers, describeProducers, describeTransaction, writeMarker } from './admin-requests.ts'
import { fresh, newPartition, newProducer, type Subject, settled, until, withClient } from './bench.ts'
import { committedValues } from './committed.ts'
import type { RawClient } from './raw-client.ts'
import { type At, batch, fetch, listOffset, type Producer, produce } from './requests.ts'
import { addPartitions, endTxn } from './transaction-requests.ts'

const VERIFICATION = 'transaction.partition.verification.enable'
const codes = { epoch: 47, state: 48, coordinatorFenced: 52, noId: 105 }

/** Open and hanging transactions, seen and ended from outside. */
export function hanging(subject: () => Subject): void {
  test('the last stable offset is where the earliest of several interleaved transactions began', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const [one, two] = [await opened(client, at0), await opened(client, at0)]
      for (const [{ id, producer }, sequence] of [
        [one, 0],
        [two, 0],
        [one, 1],
        [two, 1]
      ] as const) {
        const records = batch(1, { ...producer, sequence, transactional: true })
        expect((await client.call(produce(at0, records, id))).error).toBe(0)
      }
      const plain = await client.call(produce(at0, batch(1)))
      expect(plain.baseOffset).toBe(4)
      const stable = async () => (await client.call(fetch(at0, { offset: 0 }))).lastStableOffset
      expect(await stable()).toBe(0)
      expect(await client.call(endTxn(two.id, two.producer, false))).toBe(0)
      await until(client, fetch(at0, { offset: 0 }), ({ highWatermark }) => highWatermark === 6)
      expect(await stable()).toBe(0)
      expect((await client.call(listOffset(at0, -1, true))).offset).toBe(0)
      expect((await client.call(fetch(at0, { offset: 0, committed: true }))).records.length).toBe(0)
      expect(await client.call(endTxn(one.id, one.producer, true))).toBe(0)
      await until(client, fetch(at0, { offset: 0 }), ({ lastStableOffset }) => lastStableOffset === 7)
      const { aborted } = await client.call(fetch(at0, { offset: 0, committed: true }))
      expect(aborted).toEqual([{ producerId: two.producer.producerId, firstOffset: 1 }])
      expect((await committedValues(client, at0)).length).toBe(3)
    }))

  test('operators see who holds a partition open since where', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      await client.call(produce(at0, batch(3)))
      const { id, producer } = await opened(client, at0)
      const records = batch(2, { ...producer, sequence: 0, transactional: true })
      await client.call(produce(at0, records, id))
      const known = { ...producer, lastSequence: 1 }
      expect(await client.call(describeProducers(at0))).toMatchObject([{ ...known, transactionStart: 3 }])
      expect(await client.call(describeTransaction(id))).toEqual({ error: 0, state: 'Ongoing' })
      expect(await client.call(endTxn(id, producer, true))).toBe(0)
      await until(client, describeTransaction(id), ({ state }) => state === 'CompleteCommit')
      const [after] = await client.call(describeProducers(at0))
      expect(after).toMatchObject({ ...known, coordinatorEpoch: 0, transactionStart: -1 })
      expect((await client.call(describeTransaction(fresh('txn')))).error).toBe(codes.noId)
    }))

  test('a transaction hangs when a batch arrives late without verification, until a marker ends it', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await hang(client)
      expect(await client.call(describeTransaction(id))).toEqual({ error: 0, state: 'CompleteCommit' })
      expect(await client.call(fetch(at0, { offset: 0, committed: true }))).toMatchObject({
        highWatermark: 4,
        lastStableOffset: 3
      })
      const [holder] = await client.call(describeProducers(at0))
      expect(holder).toMatchObject({ producerId: producer.producerId, transactionStart: 3 })
      // A marker of a coordinator or an epoch that is over changes nothing.
      const old = { ...producer, producerEpoch: producer.producerEpoch - 1 }
      expect(await client.call(writeMarker(at0, old, false))).toBe(codes.epoch)
      expect(await client.call(writeMarker(at0, producer, false, -1))).toBe(codes.coordinatorFenced)
      expect(await client.call(writeMarker(at0, producer, false))).toBe(0)
      const freed = await client.call(fetch(at0, { offset: 0, committed: true }))
      expect(freed).toMatchObject({ highWatermark: 5, lastStableOffset: 5 })
      expect(freed.aborted).toEqual([{ producerId: producer.producerId, firstOffset: 3 }])
      expect((await committedValues(client, at0)).length).toBe(1)
    }))
}

export interface Open {
  readonly id: string
  readonly producer: Producer
}

/** A producer with a transaction that a partition is in. */
async function opened(client: RawClient, at0: At, id = fresh('txn')): Promise<Open> {
  const producer = await newProducer(client, id)
  expect(await client.call(addPartitions(id, producer, [at0]))).toEqual([0])
  return { id, producer }
}

/**
 * A partition whose last stable offset is 3 for good: the abort of an empty transaction, record 1 and its commit, and
 * at 3 a batch that came late, when its transaction was over. Brokers before 3.6 let this happen, later ones if told to.
 */
export async function hang(client: RawClient): Promise<Open & { readonly at0: At }> {
  const at0 = await newPartition(client)
  const first = await opened(client, at0)
  const { id, producer } = await opened(client, at0, first.id)
  const send = (sequence: number) =>
    produce(at0, batch(1, { ...producer, sequence, transactional: true }), id)
  expect((await client.call(send(0))).error).toBe(0)
  expect(await client.call(endTxn(id, producer, true))).toBe(0)
  await settled(client, endTxn(id, producer, true), (code) => code)
  expect(await client.call(configureBrokers(VERIFICATION, 'false'))).toBe(0)
  try {
    await until(client, send(1), ({ error }) => error === 0)
  } finally {
    expect(await client.call(configureBrokers(VERIFICATION, null))).toBe(0)
    await verified(client)
  }
  return { at0, id, producer }
}

/** Waits until brokers verify again; what they take meanwhile goes into a partition of its own. */
async function verified(client: RawClient): Promise<void> {
  const at0 = await newPartition(client)
  for (;;) {
    const id = fresh('txn')
    const producer = await newProducer(client, id)
    const records = batch(1, { ...producer, sequence: 0, transactional: true })
    if ((await client.call(produce(at0, records, id))).error === codes.state) return
  }
}
