import { expect, test } from 'vitest'
import { readInternal } from '../../../src/actors/kafka/positions.ts'
import { EmbeddedWorld } from './embedded.ts'

test('an empty partition is read at once', async () => {
  const world = await EmbeddedWorld.start()
  expect(await world.read(0)).toEqual([])
})

test('a later read takes only what came since', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await world.write(session, 0, 'a', 'b')
  const { nextOffset } = await readInternal({
    cluster: world.cluster,
    ...world.at(0),
    signal: world.signal,
    transactionTimeoutMs: 1_000,
    onRecord: () => {}
  })
  await world.write(session, 0, 'c')
  expect(await world.read(0, { from: nextOffset })).toEqual(['c'])
})

test('a position in the middle of a batch skips what lies before it', async () => {
  const world = await EmbeddedWorld.start()
  await world.write(world.session(), 0, 'a', 'b', 'c')
  expect(await world.read(0, { from: 1 })).toEqual(['b', 'c'])
})

test('aborted records are not read', async () => {
  const world = await EmbeddedWorld.start()
  const session = world.session()
  await world.write(session, 0, 'a')
  await session.add([world.at(0)], world.signal)
  await session.produce([world.batch(0, 'aborted')], world.signal)
  await session.fence(world.signal)
  await world.write(session, 0, 'b')
  expect(await world.read(0)).toEqual(['a', 'b'])
})

test("another writer's open transaction in front is waited for, so that our own record behind it is seen", async () => {
  const world = await EmbeddedWorld.start()
  const other = world.session({ transactionalId: 'other' })
  const { producerId } = await other.fence(world.signal)
  await other.add([world.at(0)], world.signal)
  await other.produce([world.batch(0, 'theirs')], world.signal)
  await world.write(world.session(), 0, 'ours')
  const values: string[] = []
  let isWaiting: (reason: string) => void = () => {}
  const waiting = new Promise<string>((resolve) => (isWaiting = resolve))
  const reading = readInternal({
    cluster: world.cluster,
    ...world.at(0),
    signal: world.signal,
    transactionTimeoutMs: 60_000,
    onRecord: ({ value }) => values.push(String(value)),
    onWaiting: isWaiting
  })
  expect(await waiting).toContain(`t-0 cannot be read from offset 0 on: producer ${producerId} (epoch 0, `)
  expect(values).toEqual([])
  await other.fence(world.signal)
  await reading
  expect(values).toEqual(['ours'])
})

test('a transaction in front that does not end is a fault that names its producer', async () => {
  const world = await EmbeddedWorld.start()
  const other = world.session({ transactionalId: 'other' })
  const { producerId } = await other.fence(world.signal)
  await other.add([world.at(0)], world.signal)
  await other.produce([world.batch(0, 'theirs')], world.signal)
  // A transaction timeout this far in the past has run out as soon as the read is stuck.
  await expect(world.read(0, { transactionTimeoutMs: -60_000 })).rejects.toMatchObject({
    code: 'hanging-transaction',
    retryable: true,
    message: expect.stringMatching(`producer ${producerId} .*abort --topic t --partition 0 --start-offset 0$`)
  })
})

test('a position beyond the log is refused', async () => {
  const world = await EmbeddedWorld.start()
  await expect(world.read(0, { from: 7 })).rejects.toMatchObject({ code: 'kafka-offset-out-of-range' })
})

test('a leader that is not there yet is asked again', async () => {
  const world = await EmbeddedWorld.start()
  await world.write(world.session(), 0, 'a')
  world.broker.faults.add({ subject: /^ListOffsets /, action: { type: 'answer', code: 5 }, times: 2 })
  world.broker.faults.add({ subject: /^Fetch /, action: { type: 'fail-before' } })
  expect(await world.read(0)).toEqual(['a'])
})
