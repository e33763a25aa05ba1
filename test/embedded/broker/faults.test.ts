import { expect, test } from 'vitest'
import { fresh, newPartition, newProducer, until } from '../../conformance/broker/bench.ts'
import { commitOffset, fetchOffset } from '../../conformance/broker/group-requests.ts'
import { batch, fetch, fetchInSession, listOffset, produce } from '../../conformance/broker/requests.ts'
import { addPartitions, endTxn } from '../../conformance/broker/transaction-requests.ts'
import { brokerIn, clientOf, temporaryDirectory } from './support.ts'

const storageError = 56

test('fail-before closes the connection and changes nothing', async () => {
  const { client, again, at0, faults } = await started()
  faults.add({ subject: new RegExp(`^Produce ${at0.topic}-0$`), action: { type: 'fail-before' } })
  await expect(client.call(produce(at0, batch(1)))).rejects.toThrow('closed')
  expect((await (await again()).call(listOffset(at0, -1))).offset).toBe(0)
})

test('lose-reply closes the connection, but the request was served', async () => {
  const { client, again, at0, faults } = await started()
  const producer = await newProducer(client, null)
  faults.add({ subject: /^Produce/, action: { type: 'lose-reply' }, after: 1 })
  const send = (from: typeof client, sequence: number) =>
    from.call(produce(at0, batch(2, { ...producer, sequence })))
  expect((await send(client, 0)).baseOffset).toBe(0)
  await expect(send(client, 2)).rejects.toThrow('closed')
  const other = await again()
  expect((await other.call(listOffset(at0, -1))).offset).toBe(4)
  // The sender repeats what it does not know the outcome of, and is told the truth.
  expect((await send(other, 2)).baseOffset).toBe(2)
  expect((await other.call(listOffset(at0, -1))).offset).toBe(4)
})

test('answer refuses with a code, in the shape of the API', async () => {
  const { client, at0, faults } = await started()
  faults.add({ subject: /^Produce/, action: { type: 'answer', code: 6 }, times: 2 })
  expect((await client.call(produce(at0, batch(1)))).error).toBe(6)
  expect((await client.call(produce(at0, batch(1)))).error).toBe(6)
  expect((await client.call(produce(at0, batch(1)))).baseOffset).toBe(0)
  faults.add({ subject: /^Fetch/, action: { type: 'answer', code: 6 } })
  expect((await client.call(fetch(at0, { offset: 0 }))).error).toBe(6)
  faults.add({ subject: /^EndTxn mine/, action: { type: 'answer', code: 51 } })
  const producer = await newProducer(client, 'mine')
  await client.call(addPartitions('mine', producer, [at0]))
  expect(await client.call(endTxn('mine', producer, true))).toBe(51)
  expect(await client.call(endTxn('mine', producer, true))).toBe(0)
})

test('a fetch in a session that was refused goes on in the session', async () => {
  const { client, at0, faults } = await started()
  const { sessionId: id } = await client.call(fetchInSession({ id: 0, epoch: 0 }, [{ ...at0, offset: 0 }]))
  faults.add({ subject: new RegExp(`^Fetch ${at0.topic}-0$`), action: { type: 'answer', code: 6 } })
  const refused = await client.call(fetchInSession({ id, epoch: 1 }, []))
  expect(refused).toMatchObject({ error: 0, sessionId: id, partitions: [{ error: 6 }] })
  await client.call(produce(at0, batch(1)))
  const next = await client.call(fetchInSession({ id, epoch: 2 }, []))
  expect(next.partitions).toMatchObject([{ error: 0, highWatermark: 1 }])
})

test('one partition of a request can be refused alone', async () => {
  const { client, at0, faults } = await started()
  faults.add({ subject: new RegExp(`^Append ${at0.topic}-0$`), action: { type: 'answer', code: 19 } })
  expect((await client.call(produce({ ...at0, partition: 1 }, batch(1)))).error).toBe(0)
  expect((await client.call(produce(at0, batch(1)))).error).toBe(19)
  expect((await client.call(produce(at0, batch(1)))).error).toBe(0)
})

test('delay answers late, and in order', async () => {
  const { client, at0, faults } = await started()
  faults.add({ subject: /^Produce/, action: { type: 'delay', ms: 50 } })
  const answers: number[] = []
  const since = Date.now()
  await Promise.all([
    client.call(produce(at0, batch(1))).then(({ baseOffset }) => answers.push(baseOffset)),
    client.call(produce(at0, batch(1))).then(({ baseOffset }) => answers.push(baseOffset))
  ])
  expect(answers).toEqual([0, 1])
  expect(Date.now() - since).toBeGreaterThanOrEqual(45)
})

test('hang never answers and keeps the connection; others are served', async () => {
  const { client, again, at0, faults } = await started()
  faults.add({ subject: /^Produce/, action: { type: 'hang' } })
  let answered = false
  client.call(produce(at0, batch(1))).then(
    () => {
      answered = true
    },
    () => {}
  )
  const other = await again()
  expect((await other.call(produce(at0, batch(1)))).baseOffset).toBe(0)
  expect((await other.call(listOffset(at0, -1))).offset).toBe(1)
  expect(answered).toBe(false)
})

test('a full disk is a storage error that loses nothing', async () => {
  const dataDir = temporaryDirectory()
  const broker = await brokerIn(dataDir)
  const client = await clientOf(broker)
  const at0 = await newPartition(client)
  await client.call(produce(at0, batch(3)))
  broker.faults.add({ subject: /^Produce/, action: { type: 'disk-full' }, times: 2 })
  expect((await client.call(produce(at0, batch(3)))).error).toBe(storageError)
  expect((await client.call(produce(at0, batch(3)))).error).toBe(storageError)
  expect((await client.call(produce(at0, batch(3)))).baseOffset).toBe(3)
  broker.kill()
  const after = await clientOf(await brokerIn(dataDir))
  expect((await after.call(listOffset(at0, -1))).offset).toBe(6)
})

test('a coordinator whose disk is full is not there: nothing is decided, nothing committed', async () => {
  const { client, at0, faults } = await started()
  const id = fresh('txn')
  const producer = await newProducer(client, id)
  await client.call(addPartitions(id, producer, [at0]))
  faults.add({ subject: new RegExp(`^EndTxn ${id}`), action: { type: 'disk-full' } })
  expect(await client.call(endTxn(id, producer, true))).toBe(16)
  expect(await client.call(endTxn(id, producer, true))).toBe(0)
  faults.add({ subject: /^OffsetCommit g$/, action: { type: 'disk-full' } })
  expect(await client.call(commitOffset('g', -1, { memberId: '' }, at0, 1))).toBe(16)
  expect((await client.call(fetchOffset('g', at0))).offset).toBe(-1)
})

test('markers that are held back keep the id busy until they are written', async () => {
  const { client, at0, faults } = await started()
  const producer = await newProducer(client, 'slow')
  await client.call(addPartitions('slow', producer, [at0]))
  faults.add({ subject: /^WriteTxnMarkers slow/, action: { type: 'delay', ms: 60 } })
  expect(await client.call(endTxn('slow', producer, true))).toBe(0)
  expect(await client.call(addPartitions('slow', producer, [at0]))).toEqual([51])
  expect(
    (await client.call(produce(at0, batch(1, { ...producer, sequence: 0, transactional: true }), 'slow')))
      .error
  ).toBe(19)
  await until(client, addPartitions('slow', producer, [at0]), ([code]) => code === 0)
})

async function started() {
  const broker = await brokerIn(temporaryDirectory())
  const client = await clientOf(broker)
  const at0 = await newPartition(client, {}, 2)
  return { client, at0, faults: broker.faults, again: () => clientOf(broker) }
}
