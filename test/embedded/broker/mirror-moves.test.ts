import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startBroker } from '../../../src/embedded/broker/broker.ts'
import { KafkaWorld, type Side } from '../../support/kafka-world.ts'
import {
  copied,
  expectEqual,
  produceTransactions,
  produceUntil,
  startMirror
} from '../../support/mirror-world.ts'
import { seededRandom } from '../../support/random.ts'

/** The group of the mirror, and what its transactional ids begin with. */
const PREFIX = 'test.mirror.cloud'

/** Our own client on clusters of three nodes whose leaders and coordinators move under it. */

let world: KafkaWorld
beforeEach(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-world-'))
  const open = (side: Side) =>
    startBroker({
      dataDir: join(directory, side),
      nodes: 3,
      topics: { replication: 3 },
      groups: { initialRebalanceDelayMs: 0, minSessionTimeoutMs: 100 }
    })
  world = new KafkaWorld(directory, { source: await open('source'), target: await open('target') })
  for (const side of ['source', 'target'] as const) {
    const signal = AbortSignal.timeout(10_000)
    await world.clusters[side].createTopic('hybrid', { partitions: 4, replication: 3, configs: {} }, signal)
  }
})
afterEach(() => world.stop())

test('a mirror copies everything once and in order while leaders, coordinators and nodes move', async () => {
  const random = seededRandom()
  const node = () => 1 + Math.floor(random() * 3)
  const disturbances = [
    (side: Side) => world.brokers[side].moveLeader('hybrid', Math.floor(random() * 4), node()),
    (side: Side) => world.brokers[side].moveCoordinator('group', PREFIX, node()),
    (side: Side) => world.brokers[side].moveCoordinator('transaction', `${PREFIX}-${node()}`, node()),
    async (side: Side) => {
      const down = node()
      await world.brokers[side].stopNode(down)
      await pause(50)
      await world.brokers[side].startNode(down)
    }
  ]
  const mirror = startMirror(world)
  await mirror.until((view) => view.ready)
  let rounds = 0
  const disturbed = (async () => {
    for (; rounds < 24; rounds++) {
      const disturb = disturbances[Math.floor(random() * disturbances.length)]
      await disturb?.(rounds % 2 === 0 ? 'source' : 'target')
      await pause(40)
    }
  })()
  await Promise.all([disturbed, produceUntil(world, 'hybrid', () => rounds >= 24)])
  await produceTransactions(world, 'hybrid', 6, 5)
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
  expect(mirror.failure()).toBeUndefined()
})
