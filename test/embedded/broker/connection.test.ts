import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { type Reader, Writer } from '../../../src/embedded/broker/wire.ts'
import { newPartition } from '../../conformance/broker/bench.ts'
import { RawClient } from '../../conformance/broker/raw-client.ts'
import { batch, fetch, listOffset, produce } from '../../conformance/broker/requests.ts'
import { seededRandom } from '../../support/random.ts'
import { brokerIn, clientOf, temporaryDirectory } from './support.ts'

test('requests on one connection are answered in order, also behind one that waits', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const client = await clientOf(broker)
  const at0 = await newPartition(client)
  const order: string[] = []
  const waiting = client
    .call(fetch(at0, { offset: 0, minBytes: 1, maxWaitMs: 60 }))
    .then(() => order.push('fetch'))
  const behind = client.call(listOffset(at0, -1)).then(() => order.push('offset'))
  await Promise.all([waiting, behind])
  expect(order).toEqual(['fetch', 'offset'])
})

test('an ApiVersions request from the future is answered in version 0, with what there is', async () => {
  const client = await clientOf(await brokerIn(temporaryDirectory()))
  const apis = await client.call({
    key: 18,
    version: 99,
    encode: () => {},
    decode: (reader) => {
      expect(reader.int16()).toBe(35)
      return reader.array(() => [reader.int16(), reader.int16(), reader.int16()])
    }
  })
  expect(apis).toContainEqual([3, 0, 12])
})

test('what is not served closes the connection', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const none = { encode: () => {}, decode: () => undefined }
  await expect((await clientOf(broker)).call({ key: 0, version: 99, ...none })).rejects.toThrow('closed')
  await expect((await clientOf(broker)).call({ key: 777, version: 0, ...none })).rejects.toThrow('closed')
})

test('a client that stops reading holds up nobody but itself', async () => {
  const broker = await brokerIn(temporaryDirectory())
  const client = await clientOf(broker)
  const at0 = await newPartition(client)
  for (let index = 0; index < 20; index++) await client.call(produce(at0, batch(8_000)))
  const deaf = connect(broker.port, '127.0.0.1')
  const body = new Writer(false)
  fetch(at0, { offset: 0, maxBytes: 1 << 20 }).encode(body)
  const request = new Writer(false).int16(1).int16(11).int32(1).string('deaf').finish()
  const frame = Buffer.concat([...request, ...body.finish()])
  const length = Buffer.alloc(4)
  length.writeInt32BE(frame.length)
  deaf.pause()
  for (let index = 0; index < 40; index++) deaf.write(Buffer.concat([length, frame]))
  expect((await client.call(listOffset(at0, -1))).offset).toBe(160_000)
  // It gets all its answers once it reads.
  let received = 0
  const wanted = 40 * (await client.call(fetch(at0, { offset: 0, maxBytes: 1 << 20 }))).records.length
  await new Promise<void>((resolve) => {
    deaf.on('data', (chunk) => {
      received += chunk.length
      if (received >= wanted) resolve()
    })
    deaf.resume()
  })
  deaf.destroy()
})

test('garbage in well-known requests ends a connection at worst', async () => {
  const random = seededRandom()
  const errors: unknown[] = []
  const log = { info: () => {}, warn: (fields: object) => errors.push(fields) }
  const broker = await brokerIn(temporaryDirectory(), { log })
  const client = await clientOf(broker)
  const at0 = await newPartition(client)
  const versions = await client.call({
    key: 18,
    version: 0,
    encode: () => {},
    decode: (reader) => {
      reader.int16()
      return reader.array(() => [reader.int16(), reader.int16(), reader.int16()] as const)
    }
  })
  for (let round = 0; round < 600; round++) {
    const [key, first, last] = versions[Math.floor(random() * versions.length)] ?? [0, 0, 0]
    const version = first + Math.floor(random() * (last - first + 1))
    const garbage = Buffer.from(
      Array.from({ length: Math.floor(random() * 120) }, () => Math.floor(random() * 256))
    )
    // Small numbers are likelier to be lengths that fit.
    for (let at = 0; at < garbage.length; at++) if (random() < 0.7) garbage[at] = Math.floor(random() * 3)
    const fuzzed = await RawClient.connect(broker.brokers[0] ?? '')
    const encode = (writer: Writer) => {
      for (const byte of garbage) writer.int8((byte << 24) >> 24)
    }
    const decode = (reader: Reader) => reader.position
    const answer = fuzzed.call({ key, version, encode, decode }).catch(() => 'closed')
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 20))])
    fuzzed.close()
  }
  expect((await client.call(produce(at0, batch(1)))).error).toBe(0)
  expect(errors.length).toBeGreaterThan(50)
}, 60_000)
