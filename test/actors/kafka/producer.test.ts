import { expect, test } from 'vitest'
import { batchOf, EmbeddedWorld } from './embedded.ts'

test('what is committed is read in order, also from several batches of one partition at once', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0), world.at(1)], world.signal)
  const results = await session.produce(
    [world.batch(0, 'a', 'b'), world.batch(1, 'x'), world.batch(0, 'c'), world.batch(0, 'd')],
    world.signal
  )
  expect(results.map(({ partition, baseOffset, error }) => [partition, baseOffset, error])).toEqual([
    [0, 0, 0],
    [1, 0, 0],
    [0, 2, 0],
    [0, 3, 0]
  ])
  await session.commit(world.signal)
  expect([await world.read(0), await world.read(1)]).toEqual([['a', 'b', 'c', 'd'], ['x']])
})

test('sequences run on over commits of one epoch', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await world.write(session, 0, 'a', 'b')
  await world.write(session, 0, 'c')
  await world.write(session, 0, 'd')
  expect(await world.read(0)).toEqual(['a', 'b', 'c', 'd'])
})

test('fencing aborts what is open and starts again with a new epoch', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  const first = await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  await session.produce([world.batch(0, 'lost')], world.signal)
  const second = await session.fence(world.signal)
  expect(second.epoch).toBeGreaterThan(first.epoch)
  expect(session.isOpen).toBe(false)
  await world.write(session, 0, 'kept')
  expect(await world.read(0)).toEqual(['kept'])
})

test('a fenced session can write and commit nothing', async () => {
  const world = await EmbeddedWorld.start()
  const zombie = world.session()
  await zombie.fence(world.signal)
  await zombie.add([world.at(0)], world.signal)
  await world.session().fence(world.signal)
  const [result] = await zombie.produce([world.batch(0, 'late')], world.signal)
  expect(result).toMatchObject({ error: 47, fault: { code: 'kafka-invalid-producer-epoch' } })
  expect(zombie.state).toBe('doubtful')
  await expect(zombie.commit(world.signal)).rejects.toMatchObject({ code: 'session-not-ready' })
  expect(await world.read(0)).toEqual([])
})

test('a produce whose reply is lost makes the session doubtful, and fencing takes the batch back', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  world.broker.faults.add({ subject: /^Produce /, action: { type: 'lose-reply' } })
  const [result] = await session.produce([world.batch(0, 'doubtful')], world.signal)
  expect(result).toMatchObject({ error: -1, baseOffset: -1, fault: { retryable: true } })
  await expect(session.commit(world.signal)).rejects.toMatchObject({ code: 'session-not-ready' })
  await world.write(session, 0, 'again')
  expect(await world.read(0)).toEqual(['again'])
})

test('after a refused batch nothing more is sent, and what was under way is never committed', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0), world.at(1)], world.signal)
  world.broker.faults.add({ subject: /^Append t-0/, action: { type: 'answer', code: 19 } })
  const batches = Array.from({ length: 12 }, (_, index) => world.batch(0, `v${index}`))
  const results = await session.produce(batches, world.signal)
  expect(results[0]).toMatchObject({ error: 19, fault: { code: 'kafka-not-enough-replicas' } })
  // Five may be in flight, and a broker without state for the partition accepts them after the gap.
  expect(results.slice(5).map(({ fault }) => fault?.code)).toEqual(new Array(7).fill('not-sent'))
  await expect(session.commit(world.signal)).rejects.toMatchObject({ code: 'session-not-ready' })
  await session.fence(world.signal)
  expect(await world.read(0)).toEqual([])
})

test('a commit whose reply is lost is unknown to us and decided at the coordinator', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  await session.produce([world.batch(0, 'a')], world.signal)
  world.broker.faults.add({ subject: /^EndTxn /, action: { type: 'lose-reply' } })
  await expect(session.commit(world.signal)).rejects.toMatchObject({ retryable: true })
  expect(session.state).toBe('doubtful')
  await session.fence(world.signal)
  expect(await world.read(0)).toEqual(['a'])
})

test('a commit that the coordinator refuses is none', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  await session.produce([world.batch(0, 'lost')], world.signal)
  world.broker.faults.add({ subject: /^EndTxn /, action: { type: 'answer', code: 47 } })
  await expect(session.commit(world.signal)).rejects.toMatchObject({ code: 'kafka-invalid-producer-epoch' })
  expect(session.state).toBe('doubtful')
  await world.write(session, 0, 'kept')
  expect(await world.read(0)).toEqual(['kept'])
})

test('a request without an answer in time ends its socket, and the session goes on after fencing', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session({ requestTimeoutMs: 150 })
  await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  world.broker.faults.add({ subject: /^Produce /, action: { type: 'hang' } })
  const [result] = await session.produce([world.batch(0, 'a')], world.signal)
  expect(result?.fault).toMatchObject({ code: 'request-timed-out', retryable: true })
  await world.write(session, 0, 'b')
  expect(await world.read(0)).toEqual(['b'])
})

test('a partition that cannot take part stays out and the others go in', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  const results = await session.add([world.at(0), { topic: 'missing', partition: 0 }], world.signal)
  expect(results.map(({ fault }) => fault?.code)).toEqual([undefined, 'kafka-unknown-topic-or-partition'])
  await session.produce([world.batch(0, 'a')], world.signal)
  await session.commit(world.signal)
  expect(await world.read(0)).toEqual(['a'])
})

test('nothing is sent for a transaction without partitions', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  world.broker.faults.add({ subject: /^EndTxn /, action: { type: 'answer', code: 48 } })
  await session.commit(world.signal)
  expect(session.state).toBe('ready')
})

test('a batch for a partition outside the transaction is refused before it is sent', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await expect(session.produce([world.batch(1, 'a')], world.signal)).rejects.toMatchObject({
    code: 'partition-not-added'
  })
})

test('markers that are not written yet are a state of their own, and fencing waits for them', async () => {
  const world = await EmbeddedWorld.start()
  const states: string[] = []
  const session = world.session({ onState: (state) => states.push(state) })
  await world.write(session, 0, 'a')
  await session.add([world.at(0)], world.signal)
  await session.produce([world.batch(0, 'b')], world.signal)
  world.broker.faults.add({ subject: /^WriteTxnMarkers /, action: { type: 'delay', ms: 400 } })
  await session.fence(world.signal)
  expect(states).toContain('markersPending')
  expect(session.state).toBe('ready')
  await world.write(session, 0, 'c')
  expect(await world.read(0)).toEqual(['a', 'c'])
})

test('an aborted produce comes back only after its socket is closed', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  world.broker.faults.add({ subject: /^Produce /, action: { type: 'hang' } })
  const abort = new AbortController()
  const producing = session.produce([world.batch(0, 'a')], abort.signal)
  const reason = new Error('shard lost')
  abort.abort(reason)
  await expect(producing).rejects.toBe(reason)
  expect(session.state).toBe('doubtful')
})

test('a batch is stamped in place: producer, sequence, transactional bit', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  const { producerId, epoch } = await session.fence(world.signal)
  await session.add([world.at(0)], world.signal)
  const [first, second] = [batchOf('a', 'b', 'c'), batchOf('d')]
  await session.produce(
    [
      { ...world.at(0), batch: first },
      { ...world.at(0), batch: second }
    ],
    world.signal
  )
  expect(Number(first.readBigInt64BE(43))).toBe(producerId)
  expect([first.readInt16BE(51), first.readInt32BE(53), second.readInt32BE(53)]).toEqual([epoch, 0, 3])
  expect(first.readInt16BE(21)).toBe(0x10)
})
