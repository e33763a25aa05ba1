import { expect, test } from 'vitest'
import type { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { Leaders } from '../../../src/actors/kafka/leaders.ts'
import { ScriptedCluster } from './scripted-cluster.ts'

const METADATA = 3

const leadersOf = (cluster: Cluster) =>
  new Leaders({
    cluster,
    transactionalId: 'id',
    requestTimeoutMs: 2_000,
    isHalted: () => false,
    onFault: () => {}
  })

test('a new session asks where the leaders are, whatever the cluster remembers, and only once', async () => {
  const { world, cluster } = await ScriptedCluster.start()
  const signal = AbortSignal.timeout(5_000)
  const asked = () => world.brokers.reduce((sum, broker) => sum + broker.count(METADATA), 0)
  world.topic.leaders = [{ node: 0, epoch: 1 }]
  const before = leadersOf(cluster)
  expect(await before.reach([{ topic: 't', partition: 0 }], signal)).toEqual(new Map())
  await before.destroy()

  world.topic.leaders = [{ node: 1, epoch: 2 }]
  const leaders = leadersOf(cluster)
  expect(await leaders.reach([{ topic: 't', partition: 0 }], signal)).toEqual(new Map())
  expect(cluster.leader('t', 0)).toBe(1)
  const soFar = asked()
  await leaders.reach([{ topic: 't', partition: 0 }], signal)
  expect(asked()).toBe(soFar)
  await leaders.destroy()
})
