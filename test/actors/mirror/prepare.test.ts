import { expect, test } from 'vitest'
import type { Cluster, Metadata } from '../../../src/actors/kafka/cluster.ts'
import { ensureTopic } from '../../../src/actors/kafka/ensure-topic.ts'

/** A cluster that answers one look after the other with these leaders; no leaders mean no topic. */
function clusterWith(looks: readonly (readonly number[])[]) {
  const created: string[] = []
  let look = 0
  const metadata = async (): Promise<Metadata> => {
    const leaders = looks[Math.min(look++, looks.length - 1)] ?? []
    const partitions = leaders.map((leader, partition) => ({ partition, leader, leaderEpoch: 0, error: 0 }))
    const topic = { id: 'i', internal: false, error: leaders.length === 0 ? 3 : 0, partitions }
    return { clusterId: 'c', controllerId: 1, brokers: new Map(), topics: new Map([['t', topic]]) }
  }
  const createTopic = async (name: string) => {
    created.push(name)
    return 'created' as const
  }
  return { cluster: { metadata, createTopic } as unknown as Cluster, created, looks: () => look }
}

const ensure = (cluster: Cluster) =>
  ensureTopic(cluster, 't', { partitions: 2, replication: 1, configs: {} }, AbortSignal.timeout(5_000))

test('a partition without a leader holds up only those who need it', async () => {
  const { cluster, created } = clusterWith([[1, -1]])
  await ensure(cluster)
  expect(created).toEqual([])
})

test('a new topic is ready when each of its partitions has a leader', async () => {
  const { cluster, created, looks } = clusterWith([[], [], [1, -1], [1, 2]])
  await ensure(cluster)
  expect(created).toEqual(['t'])
  expect(looks()).toBe(4)
})
