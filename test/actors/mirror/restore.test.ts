import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { appendRecord } from '../../../src/actors/kafka/append.ts'
import { type Claim, encodeClaim, encodePosition } from '../../../src/actors/mirror/position-records.ts'
import { Restorer } from '../../../src/actors/mirror/restore.ts'
import { encodeBatch } from '../../../src/records/record.ts'
import { EmbeddedWorld } from '../kafka/embedded.ts'

const SHARD = 0

const ours: Claim = { source: 's', target: 't', shards: 2, hash: 1, naming: 'identity' }

function restorerOf(world: EmbeddedWorld): Restorer {
  return new Restorer({
    target: world.cluster,
    positionsTopic: world.topic,
    transactionTimeoutMs: 1_000,
    claim: () => ours
  })
}

/** Commits positions of partitions of topic `a`. */
async function commit(world: EmbeddedWorld, positions: Readonly<Record<number, number>>): Promise<void> {
  const session = world.session({ transactionalId: 'shard' })
  await session.fence(world.signal)
  await session.add([world.at(SHARD)], world.signal)
  const records = Object.entries(positions).map(([partition, next]) =>
    encodePosition(
      {
        ...{ topic: 'a', partition: Number(partition) },
        position: { next, leaderEpoch: -1, sourceId: undefined, targetId: undefined }
      },
      0
    )
  )
  await session.produce([{ ...world.at(SHARD), batch: encodeBatch(records, { codec: 0 }) }], world.signal)
  await session.commit(world.signal)
  session.destroy()
}

async function restored(restorer: Restorer, { signal }: EmbeddedWorld): Promise<Record<string, number>> {
  const { positions } = await restorer.restore(SHARD, signal, () => {})
  return Object.fromEntries(Object.entries(positions).map(([key, { next }]) => [key, next]))
}

async function createAnew(world: EmbeddedWorld): Promise<void> {
  const kafka = new Kafka({ brokers: world.broker.brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [world.topic] })
  await admin.disconnect()
  await world.cluster.createTopic(world.topic, { partitions: 2, replication: 1, configs: {} }, world.signal)
}

test('positions that are known are kept, and what was written since, by whomever, is read', async () => {
  const world = await EmbeddedWorld.start()
  const restorer = restorerOf(world)
  await commit(world, { 0: 5, 1: 7 })
  expect(await restored(restorer, world)).toEqual({ 'a-0': 5, 'a-1': 7 })
  await commit(world, { 1: 9 })
  expect(await restored(restorer, world)).toEqual({ 'a-0': 5, 'a-1': 9 })
})

test('of another log under the same name nothing is known, whether it is shorter or longer', async () => {
  for (const commits of [1, 6]) {
    const world = await EmbeddedWorld.start()
    const restorer = restorerOf(world)
    await commit(world, { 0: 5, 1: 7 })
    await commit(world, { 0: 6 })
    expect(await restored(restorer, world)).toEqual({ 'a-0': 6, 'a-1': 7 })
    await createAnew(world)
    for (let next = 1; next <= commits; next++) await commit(world, { 0: next })
    expect(await restored(restorer, world)).toEqual({ 'a-0': commits })
  }
})

test('the last claim counts: who was prepared before a reshard or a handback is refused, until it is undone', async () => {
  const world = await EmbeddedWorld.start()
  const restorer = restorerOf(world)
  const claims = async (claim: Claim) => {
    await appendRecord(world.cluster, world.at(SHARD), encodeClaim(claim, 0), world.signal)
    return restorer.restore(SHARD, world.signal, () => {})
  }
  await commit(world, { 0: 5 })
  expect(await claims(ours)).toMatchObject({ isClaimed: true, positions: { 'a-0': { next: 5 } } })
  await expect(claims({ ...ours, moved: 'u' })).rejects.toMatchObject({ code: 'positions-moved' })
  await expect(claims({ ...ours, handedBack: 'A' })).rejects.toMatchObject({ code: 'mirror-handed-back' })
  await expect(claims({ ...ours, naming: 'map' })).rejects.toMatchObject({ code: 'claim-mismatch' })
  expect(await claims(ours)).toMatchObject({ isClaimed: true, positions: { 'a-0': { next: 5 } } })
})
