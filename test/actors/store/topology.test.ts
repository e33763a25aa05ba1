import { expect, test } from 'vitest'
import { createActor, setup } from 'xstate'
import type { Cluster, Metadata, TopicMetadata } from '../../../src/actors/kafka/cluster.ts'
import { createTopology } from '../../../src/actors/store/topology.ts'
import { Fault } from '../../../src/errors.ts'
import type { TopologyReport } from '../../../src/machines/sink-events.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const topic = (partitions: number, more: Partial<TopicMetadata> = {}): TopicMetadata => ({
  ...{ id: 'id-1', internal: false, error: 0, ...more },
  partitions: Array.from({ length: partitions }, (_, partition) => ({
    ...{ partition, leader: 1, leaderEpoch: 0, error: 0 }
  }))
})

/** What the looks at these clusters, one after the other, report. */
async function reportsOf(
  topics: readonly string[],
  looks: readonly (Record<string, TopicMetadata> | Fault)[],
  store = new MemoryStore()
): Promise<{ reports: TopologyReport[]; failures: unknown[] }> {
  const reports: TopologyReport[] = []
  const failures: unknown[] = []
  let look = 0
  const metadata = async (): Promise<Metadata> => {
    const seen = looks[Math.min(look++, looks.length - 1)]
    if (seen instanceof Fault) throw seen
    return {
      clusterId: 'c',
      controllerId: 1,
      brokers: new Map(),
      topics: new Map(Object.entries(seen ?? {}))
    }
  }
  const topology = createTopology({
    ...{ cluster: { metadata } as unknown as Cluster, store, sink: 's', topics, shards: 4 },
    ...{ refreshIntervalMs: 1, newTopicId: () => 'made-up', onFailure: (error) => failures.push(error) }
  })
  const machine = setup({ types: { events: {} as TopologyReport }, actors: { topology } }).createMachine({
    invoke: { src: 'topology' },
    on: { 'topology.seen': { actions: ({ event }) => reports.push(event) } }
  })
  const actor = createActor(machine).start()
  while (reports.length + failures.length < looks.length)
    await new Promise((resolve) => setImmediate(resolve))
  actor.stop()
  return { reports, failures }
}
const namesOf = (report: TopologyReport | undefined) => [
  ...new Set(report?.partitions.map((one) => one.topic))
]

test('a pattern means the topics of others; own and internal ones are carried by their names only', async () => {
  const all = {
    a: topic(2),
    'a.b': topic(1),
    'x.internal': topic(1),
    __own: topic(1),
    off: topic(1, { internal: true })
  }
  expect(namesOf((await reportsOf(['.*'], [all])).reports[0])).toEqual(['a', 'a.b'])
  expect(namesOf((await reportsOf(['a', 'x.internal'], [all])).reports[0])).toEqual(['a', 'x.internal'])
})

test('a named topic that does not exist is told, and appears when it does', async () => {
  const { reports } = await reportsOf(['a'], [{}, { a: topic(3) }])
  expect(reports[0]).toMatchObject({ partitions: [], notes: ['topic a does not exist yet'] })
  expect(reports[1]?.partitions).toHaveLength(3)
  expect(reports[1]?.partitions[0]).toMatchObject({ topicId: 'id-1', idSource: 'kafka' })
})

test('a topic that the broker cannot tell about is not gone; one that it does not know is', async () => {
  const { reports } = await reportsOf(
    ['.*'],
    [{ a: topic(2) }, { a: topic(0, { error: 5 }) }, { a: topic(0, { error: 3 }) }]
  )
  expect(reports.map(({ partitions }) => partitions.length)).toEqual([2, 2, 0])
})

test('a topic without an id keeps the one that was recorded first', async () => {
  const store = new MemoryStore()
  const nameless = { a: topic(1, { id: undefined }) }
  const first = await reportsOf(['a'], [nameless], store)
  expect(first.reports[0]?.partitions[0]).toMatchObject({ topicId: 'made-up', idSource: 'recorded' })
  expect([...store.files.visible.keys()]).toEqual(['log/v1/s/a/topic-id.json'])
})

test('a look that fails is told and tried again', async () => {
  const fault = new Fault('unreachable', 'x', { retryable: true })
  const { reports, failures } = await reportsOf(['a'], [fault, { a: topic(1) }])
  expect([failures, reports.length]).toEqual([[fault], 1])
})
