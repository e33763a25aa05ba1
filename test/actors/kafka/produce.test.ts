import { expect, test } from 'vitest'
import { openLink } from '../../../src/actors/kafka/link.ts'
import { produceApi } from '../../../src/actors/kafka/produce.ts'
import { Sender } from '../../../src/actors/kafka/sender.ts'
import { Reader, Writer } from '../../../src/actors/kafka/wire.ts'
import type { Fault } from '../../../src/errors.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const PRODUCE = 0
const batches = [
  { topic: 't', partition: 0, batch: Buffer.from('first') },
  { topic: 't', partition: 1, batch: Buffer.from('second') }
]

const knowing = (version: number) => ({ version: () => version })

/** An answer that speaks of these partitions only. */
function appended(...partitions: readonly number[]): Buffer {
  const writer = new Writer().int32(1).string('t').int32(partitions.length)
  for (const partition of partitions) {
    writer.int32(partition).int16(0).int64(40).int64(-1).int64(0)
  }
  return writer.int32(0).take()
}

test('a batch counts as written only when every replica in sync has it', () => {
  const { encode } = produceApi({ transactionalId: 'tx', timeoutMs: 1_500, batches }, knowing(9))
  const reader = new Reader(Buffer.concat(encode()))
  expect([reader.string(), reader.int16(), reader.int32()]).toEqual(['tx', -1, 1_500])
  const topics = reader.array(() => ({
    topic: reader.string(),
    partitions: reader.array(() => ({
      partition: reader.int32(),
      batch: reader.raw(reader.int32()).toString()
    }))
  }))
  expect(topics).toEqual([
    {
      topic: 't',
      partitions: [
        { partition: 0, batch: 'first' },
        { partition: 1, batch: 'second' }
      ]
    }
  ])
})

test('a broker that can name the records to blame is asked to, and one before Kafka 2.4 is not', async () => {
  const request = { transactionalId: null, timeoutMs: 1, batches }
  expect([3, 7, 8, 13].map((offered) => produceApi(request, knowing(offered)).version)).toEqual([7, 7, 8, 8])
  const writer = new Writer().int32(1).string('t').int32(2)
  const begin = (partition: number, error: number) =>
    writer.int32(partition).int16(error).int64(-1).int64(-1).int64(-1)
  begin(0, 87).int32(2).int32(3).string('no key').int32(5).string(null).string('refused')
  begin(1, 0).int32(0).string(null)
  const answers = await produceApi(request, knowing(8)).decode(writer.int32(0).take())
  expect(answers).toMatchObject([
    { partition: 0, error: 87, recordErrors: [{ index: 3, message: 'no key' }, { index: 5 }] },
    { partition: 1, error: 0, recordErrors: [] }
  ])
})

test('a partition that the answer says nothing about was not written', async () => {
  const broker = await ScriptedBroker.start({
    scripts: { [PRODUCE]: () => appended(1) },
    versions: { [PRODUCE]: 7 }
  })
  const options = { host: '127.0.0.1', port: broker.port, clientId: 'test' }
  const timeouts = { connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
  const link = await openLink({ ...options, ...timeouts }, new AbortController().signal)
  const faults: Fault[] = []
  const sender = new Sender({
    ...{ transactionalId: 'tx', link, requestTimeoutMs: 5_000 },
    isHalted: () => faults.length > 0,
    onFault: (fault) => faults.push(fault)
  })
  const outcomes = await sender.send(batches)
  expect(outcomes).toMatchObject([
    { baseOffset: -1, error: -1, fault: { code: 'not-answered', retryable: true } },
    { baseOffset: 40, error: 0, fault: undefined }
  ])
  expect(faults.map(({ code }) => code)).toEqual(['not-answered'])
  const [later] = await sender.send(batches.slice(0, 1))
  expect(later?.fault?.code).toBe('not-sent')
  expect(broker.count(PRODUCE)).toBe(1)
  link.destroy()
})
