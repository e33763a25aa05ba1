import { expect, test } from 'vitest'
import { at, bit, type Codec, readHeader } from '../../../src/records/batch.ts'
import { crc32c } from '../../../src/records/crc32c.ts'
import { decodeRecords, encodeBatch } from '../../../src/records/record.ts'
import { newPartition, newProducer, type Subject, until, withClient } from './bench.ts'
import { batch, fetch, type Produced, produce, produceBlaming } from './requests.ts'

const codes = {
  corrupt: 2,
  unknownPartition: 3,
  tooLarge: 10,
  timestamp: 32,
  sequence: 45,
  epoch: 47,
  invalidRecord: 87
}
const HOUR_MS = 3_600_000
const SEQUENCE_MAX = 0x7fffffff

/** What a broker accepts of a producer, and what it answers to the rest. */
export function producing(subject: () => Subject): void {
  const answerTo = async (records: Buffer, config = {}): Promise<Produced> => {
    let answer: Produced | undefined
    await withClient(subject(), async (client) => {
      answer = await client.call(produce(await newPartition(client, config), records))
    })
    return answer ?? { error: -1, baseOffset: -1, appendTime: -1 }
  }

  test('batches get consecutive offsets and come back as they were sent', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      expect(await client.call(produce(at0, batch(3)))).toEqual({ error: 0, baseOffset: 0, appendTime: -1 })
      expect((await client.call(produce(at0, batch(2)))).baseOffset).toBe(3)
      const { records, highWatermark, lastStableOffset } = await client.call(fetch(at0, { offset: 0 }))
      expect([highWatermark, lastStableOffset]).toEqual([5, 5])
      const first = records.subarray(0, readHeader(records, 0).length)
      expect(decodeRecords(first).map(({ value }) => value?.toString())).toEqual(['v0', 'v1', 'v2'])
      expect(readHeader(records, first.length).baseOffset).toBe(3)
    }))

  test('a partition that does not exist is unknown', () =>
    withClient(subject(), async (client) => {
      const { topic } = await newPartition(client)
      expect((await client.call(produce({ topic, partition: 1 }, batch(1)))).error).toBe(
        codes.unknownPartition
      )
    }))

  test.each<[string, number, (records: Buffer) => Buffer]>([
    [
      'a base offset other than 0',
      codes.invalidRecord,
      (records) => patched(records, () => records.writeInt32BE(7, 4))
    ],
    [
      'a flipped bit',
      codes.corrupt,
      (records) => patched(records, () => flip(records, records.length - 3), false)
    ],
    [
      'a control batch',
      codes.invalidRecord,
      (records) => patched(records, () => records.writeInt16BE(bit.control, at.attributes))
    ],
    [
      'a count above its offsets',
      codes.invalidRecord,
      (records) => patched(records, () => records.writeInt32BE(4, at.count))
    ],
    [
      'offsets above its count',
      codes.invalidRecord,
      (records) => patched(records, () => records.writeInt32BE(5, at.lastOffsetDelta))
    ],
    ['two batches', codes.invalidRecord, (records) => Buffer.concat([records, batch(1)])],
    ['no batch', codes.invalidRecord, () => Buffer.alloc(0)],
    [
      'magic 1',
      codes.invalidRecord,
      (records) => patched(records, () => records.writeInt8(1, at.magic), false)
    ],
    [
      'a producer without sequence',
      codes.invalidRecord,
      () => batch(1, { producerId: 1, producerEpoch: 0, sequence: -1 })
    ],
    ['a timestamp two hours ahead', codes.timestamp, () => batch(1, undefined, Date.now() + 2 * HOUR_MS)]
  ])('%s is refused', async (_, error, damage) => {
    expect((await answerTo(damage(batch(3)))).error).toBe(error)
  })

  test('a batch above max.message.bytes is refused, one at it accepted', async () => {
    const records = batch(10)
    expect((await answerTo(records, { 'max.message.bytes': String(records.length) })).error).toBe(0)
    expect((await answerTo(records, { 'max.message.bytes': String(records.length - 1) })).error).toBe(
      codes.tooLarge
    )
  })

  test('a compacted topic wants keys', async () => {
    const record = { key: null, value: Buffer.from('v'), headers: [], timestamp: Date.now() }
    const config = { 'cleanup.policy': 'compact' }
    expect((await answerTo(encodeBatch([record], { codec: 0 }), config)).error).toBe(codes.invalidRecord)
    expect(
      (await answerTo(encodeBatch([{ ...record, key: Buffer.from('k') }], { codec: 1 }), config)).error
    ).toBe(0)
  })

  test('of a batch that is refused, every record to blame is named', () =>
    withClient(subject(), async (client) => {
      const compacted = await newPartition(client, { 'cleanup.policy': 'compact' })
      const [now, late] = [Date.now(), Date.now() + 2 * HOUR_MS]
      const answerTo = (codec: Codec, ...records: readonly (readonly [string | null, number])[]) => {
        const all = records.map(([key, timestamp]) => ({
          ...{ key: key === null ? null : Buffer.from(key), timestamp },
          ...{ value: Buffer.from('v'), headers: [] }
        }))
        return client.call(produceBlaming(compacted, encodeBatch(all, { codec })))
      }
      const keyless = [
        ['a', now],
        [null, now],
        ['b', now],
        [null, now]
      ] as const
      expect(await answerTo(0, ...keyless)).toEqual({ error: codes.invalidRecord, blamed: [1, 3] })
      const both = [
        ['a', late],
        ['b', now],
        [null, late]
      ] as const
      expect(await answerTo(4, ...both)).toEqual({ error: codes.timestamp, blamed: [0, 2] })
      const large = encodeBatch([{ key: null, value: Buffer.alloc(2 << 20), headers: [], timestamp: now }], {
        codec: 0
      })
      expect(await client.call(produceBlaming(compacted, large))).toEqual({
        error: codes.tooLarge,
        blamed: []
      })
      expect(await answerTo(0, ['a', now])).toEqual({ error: 0, blamed: [] })
    }))

  test('LogAppendTime replaces the timestamps', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client, { 'message.timestamp.type': 'LogAppendTime' })
      const before = Date.now()
      const { appendTime } = await client.call(produce(at0, batch(2, undefined, 1_000)))
      expect(appendTime).toBeGreaterThanOrEqual(before)
      const { records } = await client.call(fetch(at0, { offset: 0 }))
      expect(readHeader(records, 0)).toMatchObject({ logAppendTime: true, maxTimestamp: appendTime })
      expect(decodeRecords(records).map(({ timestamp }) => timestamp)).toEqual([appendTime, appendTime])
    }))

  test('a repeated batch is answered with its first offset and not appended again', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const producer = await newProducer(client, null)
      const send = (sequence: number) => client.call(produce(at0, batch(10, { ...producer, sequence })))
      for (let index = 0; index < 6; index++) expect((await send(index * 10)).baseOffset).toBe(index * 10)
      expect(await send(50)).toMatchObject({ error: 0, baseOffset: 50 })
      expect(await send(10)).toMatchObject({ error: 0, baseOffset: 10 })
      // Only the last five batches are remembered.
      expect((await send(0)).error).toBe(codes.sequence)
      expect((await client.call(fetch(at0, { offset: 60 }))).highWatermark).toBe(60)
    }))

  test('batches whose replies were lost are sent again on another connection, and are there once, in order', () =>
    withClient(subject(), async (client, another) => {
      const at0 = await newPartition(client)
      const producer = await newProducer(client, null)
      const send = (sequence: number) => produce(at0, batch(10, { ...producer, sequence }))
      const lost = subject().loseReplies('Produce', 1)
      const lossy = await another()
      const [first, second] = await Promise.allSettled([lossy.call(send(0)), lossy.call(send(10))])
      expect([first.status, second.status, lost.hits]).toEqual(['rejected', 'rejected', 1])
      await until(client, fetch(at0, { offset: 0 }), ({ highWatermark }) => highWatermark >= 10)
      expect(await client.call(send(0))).toMatchObject({ error: 0, baseOffset: 0 })
      expect(await client.call(send(10))).toMatchObject({ error: 0, baseOffset: 10 })
      expect((await client.call(fetch(at0, { offset: 0 }))).highWatermark).toBe(20)
    }))

  test('of batches in flight behind one that failed, none is taken before it', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const producer = await newProducer(client, null)
      const send = (sequence: number, records = batch(10, { ...producer, sequence })) =>
        client.call(produce(at0, records))
      const damaged = batch(10, { ...producer, sequence: 10 })
      flip(damaged, damaged.length - 3)
      expect((await send(0)).error).toBe(0)
      const answers = await Promise.all([send(10, damaged), send(20), send(30)])
      expect(answers.map(({ error }) => error)).toEqual([codes.corrupt, codes.sequence, codes.sequence])
      for (const sequence of [10, 20, 30]) {
        expect(await send(sequence)).toMatchObject({ error: 0, baseOffset: sequence })
      }
    }))

  test('sequences have no gaps, except that a partition may first hear of a producer at any', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const producer = await newProducer(client, null)
      const send = (sequence: number, epoch = 0) =>
        client.call(produce(at0, batch(10, { ...producer, producerEpoch: epoch, sequence })))
      expect((await send(700)).error).toBe(0)
      expect((await send(711)).error).toBe(codes.sequence)
      expect((await send(705)).error).toBe(codes.sequence)
      expect((await send(710)).error).toBe(0)
      expect((await send(720, 1)).error).toBe(codes.sequence)
      expect((await send(0, 1)).error).toBe(0)
      expect((await send(720, 0)).error).toBe(codes.epoch)
    }))

  test('sequences wrap to 0 after the greatest int32, in mid-batch too', () =>
    withClient(subject(), async (client) => {
      const at0 = await newPartition(client)
      const producer = await newProducer(client, null)
      const send = (sequence: number) => client.call(produce(at0, batch(10, { ...producer, sequence })))
      expect((await send(SEQUENCE_MAX - 4)).error).toBe(0)
      expect((await send(0)).error).toBe(codes.sequence)
      expect((await send(5)).error).toBe(0)
      expect(await send(SEQUENCE_MAX - 4)).toMatchObject({ error: 0, baseOffset: 0 })
      expect((await send(15)).baseOffset).toBe(20)
    }))
}

/** Changes a batch in place, by default with the CRC made right again. */
function patched(records: Buffer, change: () => void, seal = true): Buffer {
  change()
  if (seal) records.writeUInt32BE(crc32c(records, at.attributes), at.crc)
  return records
}

function flip(records: Buffer, position: number): void {
  records[position] = (records[position] ?? 0) ^ 4
}
