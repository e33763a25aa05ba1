import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { joined } from '../../src/roles/mirror-lanes.ts'
import type { RoleView } from '../../src/roles/role.ts'
import { KafkaWorld } from '../support/kafka-world.ts'
import {
  copied,
  expectEqual,
  produceSome,
  produceTransactions,
  startMirror
} from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

// Each thread loads its sources anew.
vi.setConfig({ testTimeout: 120_000 })

const sum = (shards: Readonly<Record<string, number>> = {}) =>
  Object.values(shards).reduce((total, count) => total + count, 0)

test('lanes are members of one group that share the shards, and together they copy everything', async () => {
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('source', 'other', 4)
  await produceTransactions(world, 'hybrid', 4, 100)
  const mirror = startMirror(world, { lanes: 2 })
  await produceSome(world, 'other', 40)
  await copied(world, mirror, 'hybrid', 'other')
  await expectEqual(world, 'hybrid', 'other')
  await mirror.until(({ ready, partitions, shards }) => ready && partitions.length === 8 && sum(shards) === 4)
  const admin = world.kafka('source').admin()
  await admin.connect()
  const { groups } = await admin.describeGroups(['test.mirror.cloud'])
  expect(groups[0]?.members.length).toBe(2)
  await admin.disconnect()
  await mirror.drain()
  expect(mirror.failure()).toBeUndefined()
  expect(mirror.view().counters.recordsWritten).toBe(
    (await world.read('target', 'hybrid')).flat().length + 40
  )
})

test('lanes that are killed give way to those of the next start, and nothing is lost or repeated', async () => {
  await world.createTopic('source', 'hybrid', 4)
  const first = startMirror(world, { lanes: 2 })
  await produceSome(world, 'hybrid', 40)
  await first.until(({ counters }) => (counters.recordsWritten ?? 0) > 0)
  first.kill()
  await produceSome(world, 'hybrid', 40)
  const second = startMirror(world, { lanes: 2 })
  await copied(world, second, 'hybrid')
  await expectEqual(world, 'hybrid')
  await second.drain()
  expect(second.failure()).toBeUndefined()
})

test('the fault of a lane is the fault of its mirror, code intact', async () => {
  const mirror = startMirror(world, { lanes: 2, from: 'target' })
  await mirror.until(() => mirror.failure() !== undefined)
  expect(mirror.failure()).toMatchObject({ name: 'Fault', code: 'mirror-onto-itself', retryable: false })
})

test('a lane that cannot even begin is a fault, too', async () => {
  const mirror = startMirror(world, { lanes: 2, from: 'nowhere' })
  await mirror.until(() => mirror.failure() !== undefined)
  expect(mirror.failure()).toMatchObject({
    code: 'config-invalid',
    message: 'the config has no [cluster.nowhere]'
  })
})

test('what lanes say is put together: sums, the worst state, notes once', () => {
  const view = (more: Partial<RoleView>): RoleView => ({
    state: 'running.copying',
    ready: true,
    flow: 'flowing',
    partitions: [],
    counters: { recordsRead: 2 },
    notes: ['recompresses'],
    ...more
  })
  expect(joined([view({}), undefined])).toMatchObject({ state: 'starting', ready: false, reasons: [] })
  const held = {
    state: 'running.joining',
    ready: false,
    reasons: ['a-0 is held'],
    notes: ['b', 'recompresses']
  }
  const one = view({ shards: { copying: 3 }, counters: { recordsRead: 1, jumps: 1 } })
  const other = view({ ...held, flow: 'paused', shards: { copying: 1, fencing: 2 } })
  expect(joined([one, other])).toMatchObject({
    ...held,
    flow: 'paused',
    shards: { copying: 4, fencing: 2 },
    counters: { recordsRead: 3, jumps: 1 },
    notes: ['recompresses', 'b']
  })
})
