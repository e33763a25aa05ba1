import { expect, test } from 'vitest'
import { createActor, setup } from 'xstate'
import type { Cluster, Metadata, OffsetQuery, TopicMetadata } from '../../../src/actors/kafka/cluster.ts'
import { tp } from '../../../src/actors/kafka/topic-partition.ts'
import { Planner } from '../../../src/actors/mirror/topics/plan.ts'
import { createTopology } from '../../../src/actors/mirror/topology.ts'
import { type ClusterRef, legOf } from '../../../src/config/circles.ts'
import type { TopologyReport, TopologySeen } from '../../../src/machines/mirror-protocol.ts'
import { plainRules } from '../../../src/machines/topic-rules.ts'

const topic = (id: string | undefined): TopicMetadata => ({
  id,
  internal: false,
  error: 0,
  partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, error: 0 }]
})

const described = { errorCode: 0, errorMessage: null }
const verifying = { configName: 'transaction.partition.verification.enable', configValue: 'true' }
const [from, to] = ['source', 'target'].map((name) => ({ key: name, name })) as [ClusterRef, ClusterRef]
const naming = { type: 'identity' } as const
const mirror = legOf({ name: 'm', from, to, topics: ['.*'], exclude: [], naming, origins: [] })

interface Moment {
  readonly lastStable: number
  readonly highWatermark: number
  /** When the look is taken, in milliseconds. */
  readonly at: number
}

/** What the looks at topic `t`, one after the other, report. */
async function looksAt(moments: readonly Moment[], ids = { source: 'a', target: 'b' } as Ids) {
  let look = -1
  const noted: number[] = []
  const now = () => moments[Math.min(look, moments.length - 1)] ?? { lastStable: 0, highWatermark: 0, at: 0 }
  const cluster = (name: 'source' | 'target', parts: Partial<Cluster> = {}) =>
    ({
      name,
      bootstrap: 'kafka:9092',
      leader: () => undefined,
      metadata: async (): Promise<Metadata> => {
        if (name === 'source') look++
        const topics = new Map([['t', topic(ids[name])]])
        return { clusterId: name, controllerId: 1, brokers: new Map([[1, { host: 'a', port: 1 }]]), topics }
      },
      // Every topic has Kafka's defaults, and the brokers verify transactions.
      ask: async () => ({ resources: [{ ...described, resourceName: 't', configEntries: [] }] }),
      askNode: async () => ({ resources: [{ ...described, configEntries: [verifying] }] }),
      ...parts
    }) as unknown as Cluster
  const listOffsets = async (queries: readonly OffsetQuery[], isolation: 0 | 1) => {
    const end = isolation === 1 ? now().lastStable : now().highWatermark
    return new Map(queries.map((one) => [tp(one.topic, one.partition), one.timestamp === -2 ? 0 : end]))
  }
  const topology = createTopology({
    source: cluster('source', { listOffsets }),
    target: cluster('target'),
    planner: async () => new Planner(mirror, [mirror]),
    shards: 4,
    replication: 1,
    createTopics: true,
    syncConfigs: true,
    configExclude: [],
    syncAcls: false,
    rulesOf: (name) => ({ ...plainRules, filter: `${name} in key` }),
    refreshIntervalMs: 1,
    lsoStuckAfterMs: 60_000,
    onSeen: (partitions) => noted.push(partitions.length),
    now: () => now().at
  })
  const seen: TopologySeen[] = []
  const machine = setup({ types: { events: {} as TopologyReport }, actors: { topology } }).createMachine({
    invoke: { src: 'topology' },
    on: { 'topology.seen': { actions: ({ event }) => seen.push(event) } }
  })
  const actor = createActor(machine).start()
  while (seen.length < moments.length) await new Promise((resolve) => setImmediate(resolve))
  actor.stop()
  expect(noted.slice(0, seen.length)).toEqual(seen.map(({ partitions }) => partitions.length))
  return seen.slice(0, moments.length)
}

type Ids = Readonly<Record<'source' | 'target', string | undefined>>

test('a transaction that holds the last stable offset back for a minute is told, until it moves', async () => {
  const looks = await looksAt([
    { lastStable: 5, highWatermark: 9, at: 0 },
    { lastStable: 5, highWatermark: 12, at: 59_000 },
    { lastStable: 5, highWatermark: 12, at: 75_000 },
    { lastStable: 7, highWatermark: 12, at: 80_000 },
    { lastStable: 12, highWatermark: 12, at: 200_000 }
  ])
  expect(looks.map(({ partitions }) => partitions[0]?.stuck)).toEqual([
    undefined,
    undefined,
    {
      offset: 5,
      since: 0,
      reason: expect.stringMatching(
        /^nothing from offset 5 on can be copied since 75 s: an unknown producer .* abort --topic t --partition 0 --start-offset 5$/
      )
    },
    undefined,
    undefined
  ])
})

test('a cluster without topic ids is told: there a topic that is created anew goes unnoticed', async () => {
  const quiet = { lastStable: 0, highWatermark: 0, at: 0 }
  expect((await looksAt([quiet]))[0]?.notes).toEqual([])
  expect((await looksAt([quiet], { source: 'a', target: undefined }))[0]?.notes).toEqual([
    'cluster target has no topic ids: a topic that is created anew there goes unnoticed'
  ])
})

test('a partition carries the rules of its topic', async () => {
  const [look] = await looksAt([{ lastStable: 0, highWatermark: 0, at: 0 }])
  expect(look?.partitions.map(({ rules }) => rules.filter)).toEqual(['t in key'])
})
