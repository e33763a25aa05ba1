import { expect, test } from 'vitest'
import { readHeader } from '../../../src/records/batch.ts'
import { encodeBatch } from '../../../src/records/record.ts'
import { newProducer, type Subject, settled, until, withClient } from './bench.ts'
import { committedValues } from './committed.ts'
import { addPartition } from './leadership-requests.ts'
import type { RawClient } from './raw-client.ts'
import { type At, batch, deleteRecords, fetch, listOffset, produce } from './requests.ts'
import {
  append,
  appendAt,
  becomes,
  configure,
  everything,
  keyed,
  logStart,
  newLog,
  roll,
  startsAt
} from './retention-bench.ts'
import { endTxn } from './transaction-requests.ts'

const codes = { outOfRange: 1, policy: 44, sequence: 45 }
const SECOND = 1_000
const HOUR = 3_600_000
/** The attribute of a batch whose base timestamp says when its tombstones may go (KIP-534). */
const DELETE_HORIZON = 0x40
const compacted = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.001' }

/**
 * What a broker deletes by itself and on request. Properties: retention by time and by size, by whole segments; logs of
 * which nothing is left; DeleteRecords and its policy 44; compaction: holes, headers that keep first and last offset,
 * codecs, LogAppendTime, tombstones and their horizon, the last batch of a producer, transactions and their markers,
 * `min.compaction.lag.ms`, compaction together with retention.
 */
export function retention(subject: () => Subject): void {
  test('segments older than retention.ms go, up to the first that has a younger record', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now()
      await appendAt(client, at0, [now - 300 * SECOND, now - 250 * SECOND])
      const [old, young] = [now - 200 * SECOND, now - 10 * SECOND]
      await append(client, at0, mixed(old, young))
      await appendAt(client, at0, [now - 100 * SECOND, now])
      await configure(client, at0, { 'retention.ms': String(60 * SECOND) })
      await startsAt(client, at0, 4)
      for (const offset of [0, 3]) {
        expect(await client.call(fetch(at0, { offset }))).toMatchObject({ error: codes.outOfRange })
      }
      const answer = await client.call(fetch(at0, { offset: 4 }))
      expect(answer).toMatchObject({ error: 0, startOffset: 4, highWatermark: 10 })
      expect((await everything(client, at0)).map(({ baseOffset }) => baseOffset)).toEqual([4, 6, 8])
      expect(await client.call(listOffset(at0, old - SECOND))).toMatchObject({ offset: 4, timestamp: old })
    }))

  test('a log of which everything is too old goes on where it ended', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now()
      await appendAt(client, at0, [now - 300 * SECOND, now - 200 * SECOND])
      await configure(client, at0, { 'retention.ms': String(60 * SECOND) })
      await startsAt(client, at0, 4)
      expect(await client.call(fetch(at0, { offset: 4 }))).toMatchObject({ error: 0, highWatermark: 4 })
      expect((await client.call(fetch(at0, { offset: 3 }))).error).toBe(codes.outOfRange)
      expect((await append(client, at0, batch(1))).baseOffset).toBe(4)
      expect((await everything(client, at0)).map(({ baseOffset }) => baseOffset)).toEqual([4])
    }))

  test('segments go while the log stays at least retention.bytes large without them', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now()
      const large = (index: number) => keyed(`k=${'v'.repeat(10_000)}`, now - 10_000 + index * 1_000)
      for (let index = 0; index < 5; index++) await append(client, at0, large(index))
      const size = large(0).length
      await configure(client, at0, { 'retention.bytes': String(3 * size - 1) })
      await startsAt(client, at0, 2)
      await configure(client, at0, { 'retention.bytes': String(2 * size) })
      await startsAt(client, at0, 3)
    }))

  test('records are deleted on request up to an offset, but none beyond the end', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      await appendAt(client, at0, [Date.now() - 20, Date.now() - 10, Date.now()])
      expect(await client.call(deleteRecords(at0, 3))).toEqual({ startOffset: 3, error: 0 })
      expect(await client.call(deleteRecords(at0, 1))).toEqual({ startOffset: 3, error: 0 })
      expect((await client.call(deleteRecords(at0, 7))).error).toBe(codes.outOfRange)
      expect(await client.call(fetch(at0, { offset: 2 }))).toMatchObject({ error: codes.outOfRange })
      // The batch comes whole; what lies before the start is for the consumer to skip.
      expect((await everything(client, at0)).map(({ baseOffset }) => baseOffset)).toEqual([2, 4])
      expect(await client.call(deleteRecords(at0, -1))).toEqual({ startOffset: 6, error: 0 })
      expect(await client.call(fetch(at0, { offset: 6 }))).toMatchObject({ error: 0, startOffset: 6 })
    }))

  test('a topic that is only compacted lets nobody delete records', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'cleanup.policy': 'compact' })
      await append(client, at0, keyed('a=1', Date.now()))
      expect((await client.call(deleteRecords(at0, 1))).error).toBe(codes.policy)
      await configure(client, at0, { 'cleanup.policy': 'compact,delete' })
      await until(client, deleteRecords(at0, 1), ({ error }) => error !== codes.policy)
      expect(await logStart(client, at0)).toBe(1)
    }))

  test('of a key the last record stays, at its offset, in a batch with the offsets that it had', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now() - 10_000
      await append(client, at0, keyed('a=1 b=1 c=1', now))
      await append(client, at0, keyed('a=2 d=1', now + 1_000))
      await append(client, at0, keyed('b=2 a=3', now + 2_000))
      await roll(client, at0, 'a', now + 3_000)
      const before = await everything(client, at0)
      await configure(client, at0, compacted)
      await becomes(client, at0, ['0-2: c=1@2', '3-4: d=1@4', '5-6: b=2@5 a=3@6', '7-7: a=last@7'])
      const [first, second, ...untouched] = await everything(client, at0)
      const same = { ...before[0], count: 1, records: before[0]?.records.slice(2) }
      expect(first).toEqual({ ...same, crc: first?.crc, length: first?.length })
      expect(second).toMatchObject({ baseOffset: 3, lastOffsetDelta: 1, count: 1, maxTimestamp: now + 1_000 })
      expect(untouched).toEqual(before.slice(2))
      expect(await logStart(client, at0)).toBe(0)
      // Who asks for an offset that is gone gets the batch that held it.
      const { records } = await client.call(fetch(at0, { offset: 1 }))
      expect(readHeader(records, 0).baseOffset).toBe(0)
    }))

  test('a batch of which nothing is left leaves a hole, over which readers go on', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now() - 10_000
      for (const [index, key] of ['a', 'a', 'b', 'a', 'c'].entries()) {
        await append(client, at0, keyed(`${key}=${index}`, now + index * 1_000))
      }
      await roll(client, at0, 'z', now + 5_000)
      await configure(client, at0, compacted)
      await becomes(client, at0, ['2-2: b=2@2', '3-3: a=3@3', '4-4: c=4@4', '5-5: z=last@5'])
      for (const offset of [0, 1]) {
        const answer = await client.call(fetch(at0, { offset }))
        expect(answer).toMatchObject({ error: 0, startOffset: 0, highWatermark: 6 })
        expect(readHeader(answer.records, 0).baseOffset).toBe(2)
      }
      expect(await client.call(listOffset(at0, now))).toMatchObject({ offset: 2, timestamp: now + 2_000 })
      expect(await committedValues(client, at0)).toEqual(['2', '3', '4', 'last'])
    }))

  test('a compressed batch stays compressed, its records as they were', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now() - 10_000
      await append(client, at0, keyed('a=1 b=1 c=1', now, { codec: 1 }))
      await append(client, at0, keyed('b=2', now + 1_000, { codec: 1 }))
      await roll(client, at0, 'z')
      const [whole] = await everything(client, at0)
      await configure(client, at0, compacted)
      await becomes(client, at0, ['0-2: a=1@0 c=1@2', '3-3: b=2@3', '4-4: z=last@4'])
      const [cleaned] = await everything(client, at0)
      expect(cleaned).toMatchObject({ codec: 1, baseTimestamp: now, maxTimestamp: now })
      expect(cleaned?.records).toEqual(whole?.records.filter(({ offset }) => offset !== 1))
    }))

  test('the time of appending stays where the topic stamps it', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'message.timestamp.type': 'LogAppendTime' })
      const { appendTime } = await append(client, at0, keyed('a=1 b=1', 1_000))
      await clock(appendTime + 2)
      await append(client, at0, keyed('b=2', 1_000))
      await clock(Date.now() + 2)
      await roll(client, at0, 'z')
      await configure(client, at0, compacted)
      await becomes(client, at0, ['0-1: a=1@0', '2-2: b=2@2', '3-3: z=last@3'])
      const [cleaned] = await everything(client, at0)
      expect(cleaned).toMatchObject({ logAppendTime: true, maxTimestamp: appendTime })
      expect(cleaned?.records.map(({ timestamp }) => timestamp)).toEqual([appendTime])
    }))

  test('a deleted key keeps its tombstone until the horizon that the first cleaning sets', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'delete.retention.ms': String(HOUR) })
      const now = Date.now() - 10_000
      await append(client, at0, keyed('a=1 b=1', now))
      await append(client, at0, keyed('a=null', now + 1_000))
      await roll(client, at0, 'z')
      const cleaning = Date.now()
      await configure(client, at0, compacted)
      await becomes(client, at0, ['0-1: b=1@1', '2-2: a=null@2', '3-3: z=last@3'])
      const [, tombstone] = await everything(client, at0)
      expect((tombstone?.attributes ?? 0) & DELETE_HORIZON).toBe(DELETE_HORIZON)
      expect(tombstone?.baseTimestamp).toBeGreaterThanOrEqual(cleaning + HOUR)
      expect(tombstone?.records[0]?.timestamp).toBe(now + 1_000)
      expect(tombstone?.maxTimestamp).toBe(now + 1_000)
    }))

  test('a tombstone whose horizon has passed goes in the next round', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'delete.retention.ms': '0' })
      const now = Date.now() - 10_000
      await append(client, at0, keyed('a=1 b=1', now))
      await append(client, at0, keyed('a=null', now + 1_000))
      await append(client, at0, keyed('b=null', now + 2_000))
      await roll(client, at0, 'c', now + 3_000)
      await configure(client, at0, compacted)
      await becomes(client, at0, ['2-2: a=null@2', '3-3: b=null@3', '4-4: c=last@4'])
      // It takes something new to be cleaned for a next round.
      await append(client, at0, keyed('c=null', now + 4_000))
      await roll(client, at0, 'd', now + 5_000)
      await becomes(client, at0, ['5-5: c=null@5', '6-6: d=last@6'])
      await roll(client, at0, 'd', now + 6_000)
      await becomes(client, at0, ['6-6: d=last@6', '7-7: d=last@7'])
    }))

  test('the last batch of a producer stays as a header, with which it goes on', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now() - 10_000
      const producer = { ...(await newProducer(client, null)), baseSequence: 0 }
      const sent = (baseSequence: number) => ({ ...producer, baseSequence })
      await append(client, at0, keyed('a=1 b=1', now, sent(0)))
      await append(client, at0, keyed('a=2 b=2', now + 1_000, sent(2)))
      await append(client, at0, keyed('a=3 b=3', now + 2_000))
      await roll(client, at0, 'z', now + 3_000)
      await configure(client, at0, compacted)
      await becomes(client, at0, ['2-3:', '4-5: a=3@4 b=3@5', '6-6: z=last@6'])
      const [empty] = await everything(client, at0)
      expect(empty).toMatchObject({
        ...{ count: 0, length: 61, codec: 0, lastOffsetDelta: 1, baseSequence: 2 },
        ...{ producerId: producer.producerId, producerEpoch: 0, baseTimestamp: -1, maxTimestamp: now + 1_000 }
      })
      const send = (baseSequence: number) =>
        client.call(produce(at0, keyed('c=1 d=1', now + 4_000, sent(baseSequence))))
      expect((await send(6)).error).toBe(codes.sequence)
      expect(await send(4)).toMatchObject({ error: 0, baseOffset: 7 })
    }))

  test('what was aborted goes and hides no key; a marker stays as long as its transaction has batches', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'delete.retention.ms': '0' })
      const now = Date.now()
      await transaction(client, at0, 'a=1 b=1', now, true)
      await transaction(client, at0, 'a=2 c=2', now + 1_000, false)
      await roll(client, at0, 'y', now + 10_000)
      await roll(client, at0, 'z', now + 20_000)
      await configure(client, at0, compacted)
      const committed = ['0-1: a=1@0 b=1@1', '2-2: marker']
      // Of the aborting producer the last batch and the marker tell how it goes on.
      await becomes(client, at0, [...committed, '3-4:', '5-5: marker', '6-6: y=last@6', '7-7: z=last@7'])
      expect(await committedValues(client, at0)).toEqual(['1', '1', 'last', 'last'])
      await transaction(client, at0, 'a=3 b=3', now + 30_000, true)
      await roll(client, at0, 'z', now + 40_000)
      await becomes(client, at0, [
        ...['0-1:', '2-2: marker', '3-4:', '5-5: marker', '6-6: y=last@6', '7-7: z=last@7'],
        ...['8-9: a=3@8 b=3@9', '10-10: marker', '11-11: z=last@11']
      ])
      expect(await committedValues(client, at0)).toEqual(['last', 'last', '3', '3', 'last'])
    }))

  test('records younger than min.compaction.lag.ms all stay', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client, { 'min.compaction.lag.ms': String(HOUR) })
      const now = Date.now()
      for (const [index, age] of [4 * HOUR, 3 * HOUR, 2 * HOUR, 20 * SECOND, 10 * SECOND].entries()) {
        await append(client, at0, keyed(`a=${index}`, now - age))
      }
      await roll(client, at0, 'z')
      await configure(client, at0, compacted)
      await becomes(client, at0, ['2-2: a=2@2', '3-3: a=3@3', '4-4: a=4@4', '5-5: z=last@5'])
    }))

  test('a topic may be compacted and lose what is too old', () =>
    withClient(subject(), async (client) => {
      const at0 = await newLog(client)
      const now = Date.now()
      for (const [index, [key, age]] of [
        ['x', 300],
        ['a', 30],
        ['b', 20],
        ['a', 10]
      ].entries()) {
        await append(client, at0, keyed(`${key}=${index}`, now - Number(age) * SECOND))
      }
      await roll(client, at0, 'z')
      const both = { 'cleanup.policy': 'compact,delete', 'retention.ms': String(60 * SECOND) }
      // No log is as dirty as that, so this only deletes.
      await configure(client, at0, { ...both, 'min.cleanable.dirty.ratio': '1' })
      await becomes(client, at0, ['1-1: a=1@1', '2-2: b=2@2', '3-3: a=3@3', '4-4: z=last@4'])
      await configure(client, at0, { 'min.cleanable.dirty.ratio': '0.001' })
      await becomes(client, at0, ['2-2: b=2@2', '3-3: a=3@3', '4-4: z=last@4'])
      expect(await logStart(client, at0)).toBe(1)
      expect((await client.call(fetch(at0, { offset: 0 }))).error).toBe(codes.outOfRange)
    }))
}

/** A batch of two records of different times. */
function mixed(first: number, second: number): Buffer {
  const at = (timestamp: number) => ({ key: null, value: null, headers: [], timestamp })
  return encodeBatch([at(first), at(second)], { codec: 0 })
}

/** A transaction of a new producer. */
async function transaction(
  client: RawClient,
  at0: At,
  records: string,
  timestamp: number,
  committed: boolean
): Promise<void> {
  const id = `${at0.topic}-${timestamp}`
  const producer = await newProducer(client, id)
  expect(await settled(client, addPartition(id, producer, at0), (code) => code)).toBe(0)
  const options = { ...producer, baseSequence: 0, transactional: true }
  await append(client, at0, keyed(records, timestamp, options), id)
  expect(await settled(client, endTxn(id, producer, committed), (code) => code)).toBe(0)
  // The marker is written after the answer; the next of this producer waits for it.
  await newProducer(client, id)
}

/** Waits for a time of the clock that brokers stamp. */
async function clock(time: number): Promise<void> {
  while (Date.now() < time) await new Promise((resolve) => setTimeout(resolve, 1))
}
