import { expect, test } from 'vitest'
import { batchesOf, readHeader } from '../../../src/records/batch.ts'
import { newPartition, type Subject, settled, until, withClient } from './bench.ts'
import type { RawClient } from './raw-client.ts'
import {
  type At,
  batch,
  createTopic,
  deleteRecords,
  deleteTopic,
  endOfEpoch,
  fetch,
  fetchInSession,
  listOffset,
  metadata,
  produce
} from './requests.ts'

const codes = {
  sessionUnknown: 70,
  sessionEpoch: 71,
  outOfRange: 1,
  fencedEpoch: 74,
  unknownEpoch: 75,
  unknownTopicId: 100,
  unknownTopic: 3,
  exists: 36
}

/** Fetch, offsets, leader epochs, topics. */
export function fetching(subject: () => Subject): void {
  test('a fetch in mid-batch returns the whole batch', () =>
    withClient(subject(), async (client) => {
      const at0 = await filled(client, [10, 10])
      const { records } = await client.call(fetch(at0, { offset: 15 }))
      expect(offsets(records)).toEqual([10])
    }))

  test('a fetch at the end is empty, one beyond or before the log is out of range', () =>
    withClient(subject(), async (client) => {
      const at0 = await filled(client, [10])
      expect(await client.call(fetch(at0, { offset: 10 }))).toMatchObject({ error: 0, highWatermark: 10 })
      expect(await client.call(fetch(at0, { offset: 11 }))).toMatchObject({
        error: codes.outOfRange,
        highWatermark: -1
      })
      expect(await client.call(deleteRecords(at0, 4))).toEqual({ startOffset: 4, error: 0 })
      expect((await client.call(fetch(at0, { offset: 3 }))).error).toBe(codes.outOfRange)
      expect(await client.call(fetch(at0, { offset: 4 }))).toMatchObject({ error: 0, startOffset: 4 })
      expect((await client.call(listOffset(at0, -2))).offset).toBe(4)
    }))

  test('a limit cuts the last batch anywhere, but the first one comes whole', () =>
    withClient(subject(), async (client) => {
      const at0 = await filled(client, [10, 10, 10])
      const { records } = await client.call(fetch(at0, { offset: 0 }))
      const first = readHeader(records, 0).length
      expect((await client.call(fetch(at0, { offset: 0, maxBytes: first + 5 }))).records.length).toBe(
        first + 5
      )
      expect((await client.call(fetch(at0, { offset: 0, maxBytes: 1 }))).records.length).toBe(first)
    }))

  test('only the first partition that has data may exceed the limits of the answer', () =>
    withClient(subject(), async (client) => {
      const [empty, one, two] = [
        await filled(client, []),
        await filled(client, [10]),
        await filled(client, [10, 10])
      ]
      const wanted = [empty, one, two].map((at0) => ({ ...at0, offset: 0 }))
      const lengths = async (responseBytes: number) => {
        const request = fetchInSession({ id: 0, epoch: -1 }, wanted, { responseBytes })
        return (await client.call(request)).partitions.map(({ records }) => records.length)
      }
      const [, whole = 0] = await lengths(1 << 20)
      expect(await lengths(1)).toEqual([0, whole, 0])
      // What is left is less than the next batch: nothing of it, where one that follows a whole one may come cut.
      expect(await lengths(2 * whole - 1)).toEqual([0, whole, 0])
      expect(await lengths(2 * whole)).toEqual([0, whole, whole])
      expect(await lengths(2 * whole + 5)).toEqual([0, whole, whole + 5])
    }))

  test('a fetch waits for enough bytes, and gives what there is when its time is up', () =>
    withClient(subject(), async (client, another) => {
      const at0 = await filled(client, [1])
      const poll = client.call(fetch(at0, { offset: 1, minBytes: 1, maxWaitMs: 10_000 }))
      const writer = await another()
      await writer.call(produce(at0, batch(1)))
      expect(offsets((await poll).records)).toEqual([1])
      const short = await client.call(fetch(at0, { offset: 1, minBytes: 100_000, maxWaitMs: 50 }))
      expect(offsets(short.records)).toEqual([1])
    }))

  test('in a session only news is told, and partitions with data take turns', () =>
    withClient(subject(), async (client) => {
      const [one, two] = [await filled(client, [1]), await filled(client, [1])]
      const wanted = [one, two].map((at0) => ({ ...at0, offset: 0, maxBytes: 1 }))
      const ask = (id: number, epoch: number, some = wanted.slice(0, 0), forgotten: At[] = []) =>
        client.call(fetchInSession({ id, epoch }, some, { forgotten }))
      const first = await ask(0, 0, wanted)
      const id = first.sessionId
      expect(id).toBeGreaterThan(0)
      expect(first.partitions.map(({ topic }) => topic)).toEqual([one.topic, two.topic])
      expect(first.partitions.map(({ records }) => records.length > 0)).toEqual([true, false])
      // Turns are taken from the second fetch on; there is nothing to tell of who gets no data.
      const second = await ask(id, 1)
      expect(second).toMatchObject({ error: 0, sessionId: id })
      expect(second.partitions.map(({ topic }) => topic)).toEqual([one.topic])
      expect((await ask(id, 2)).partitions.map(({ topic }) => topic)).toEqual([two.topic])
      const moved = await ask(id, 3, [{ ...one, offset: 1, maxBytes: 1 }], [two])
      expect(moved.partitions).toEqual([])
      await client.call(produce(one, batch(1)))
      expect((await ask(id, 4)).partitions).toMatchObject([{ topic: one.topic, highWatermark: 2 }])
      expect((await ask(id, 4)).error).toBe(codes.sessionEpoch)
      expect((await ask(id, -1, wanted)).sessionId).toBe(0)
      expect((await ask(id, 5)).error).toBe(codes.sessionUnknown)
    }))

  test('offsets are found by time', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const start = Date.now() - 10_000
      await client.call(produce(at0, batch(10, undefined, start)))
      await client.call(produce(at0, batch(10, undefined, start + 1_000)))
      expect(await client.call(listOffset(at0, start + 3))).toEqual({
        error: 0,
        timestamp: start + 3,
        offset: 3
      })
      expect(await client.call(listOffset(at0, start + 10))).toMatchObject({
        timestamp: start + 1_000,
        offset: 10
      })
      expect(await client.call(listOffset(at0, start + 5_000))).toEqual({
        error: 0,
        timestamp: -1,
        offset: -1
      })
      expect((await client.call(listOffset(at0, -1))).offset).toBe(20)
    }))

  test('another leader epoch than the current one is refused', () =>
    withClient(subject(), async (client) => {
      const at0 = await filled(client, [5])
      const [partition] = (await client.call(metadata(at0.topic))).partitions
      const leaderEpoch = partition?.leaderEpoch ?? -1
      expect((await client.call(fetch(at0, { offset: 0, leaderEpoch }))).error).toBe(0)
      expect((await client.call(fetch(at0, { offset: 0, leaderEpoch: leaderEpoch + 1 }))).error).toBe(
        codes.unknownEpoch
      )
      expect(await client.call(endOfEpoch(at0, leaderEpoch))).toEqual({
        error: 0,
        epoch: leaderEpoch,
        endOffset: 5
      })
      expect(await client.call(endOfEpoch(at0, leaderEpoch + 1))).toEqual({
        error: 0,
        epoch: -1,
        endOffset: -1
      })
    }))

  test('a topic has an id, and another one when it is created again', () =>
    withClient(subject(), async (client) => {
      const at0 = await filled(client, [5])
      const before = await client.call(metadata(at0.topic))
      expect(before).toMatchObject({ error: 0, name: at0.topic })
      expect((await client.call(metadata(null, before.id))).name).toBe(at0.topic)
      expect(await client.call(createTopic(at0.topic, 1))).toBe(codes.exists)
      expect(await client.call(deleteTopic(at0.topic))).toBe(0)
      await until(client, metadata(at0.topic), ({ error }) => error === codes.unknownTopic)
      expect((await client.call(metadata(null, before.id))).error).toBe(codes.unknownTopicId)
      await settled(client, createTopic(at0.topic, 1), (code) => code)
      const after = await until(client, metadata(at0.topic), ({ error }) => error === 0)
      expect(after.id).not.toBe(before.id)
      expect((await until(client, fetch(at0, { offset: 0 }), ({ error }) => error === 0)).highWatermark).toBe(
        0
      )
    }))
}

async function filled(client: RawClient, counts: readonly number[]): Promise<At> {
  const at0 = await newPartition(client)
  for (const count of counts) await client.call(produce(at0, batch(count)))
  return at0
}

function offsets(records: Buffer): number[] {
  return [...batchesOf(records)].map((one) => readHeader(one, 0).baseOffset)
}
