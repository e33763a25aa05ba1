import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaNode } from '../../real/kafka.ts'
import { kafkajs } from '../../real/kafka-mirror.ts'
import type { ProxyRule } from '../../tools/proxy.ts'
import { choose, type Disturbance, hasMet } from '../torture.ts'
import type { SoakWorker } from '../worker.ts'
import { killWorker, zombie } from '../workers.ts'
import type { MirrorPair } from './pair.ts'

type MirrorDisturbance = Disturbance<MirrorPair>

const DOWN_MS = { min: 300, max: 4_000 }

const REJOIN_MS_MAX = 60_000

/** Resolves when the worker's mirrors have shards again. */
async function rejoined(worker: SoakWorker): Promise<void> {
  for (const deadline = Date.now() + REJOIN_MS_MAX; ; await delay(100)) {
    const state = await worker.state()
    if (state?.unready.length === 0) return
    if (Date.now() > deadline) throw new Error(`it did not rejoin: ${worker.said()}`)
  }
}

const nodesOf = ({ many, one }: MirrorPair): readonly KafkaNode[] => [...many.nodes, one.node]

function toNode(name: string, verb: (node: KafkaNode, downMs: number) => Promise<void>): MirrorDisturbance {
  return {
    name,
    times: 20,
    run: async (pair, random) => {
      const met = await pair.isBusy()
      // The single broker as often as one of the three.
      const node = random() < 0.5 ? pair.one.node : choose(pair.many.nodes, random)
      const downMs = DOWN_MS.min + random() * (DOWN_MS.max - DOWN_MS.min)
      await verb(node, downMs)
      const what = `${node === pair.one.node ? 'the single broker' : `broker ${node.id} of three`}, ${Math.round(downMs)} ms`
      const recoveredMs = await pair.flowing(`${name}: ${what}`)
      await allInSync(pair)
      return { met, recoveredMs, what }
    }
  }
}

const killNode = toNode('kill -9 of a broker', async (node, downMs) => {
  await node.kill()
  await delay(downMs)
  await node.start()
})

const restartNode = toNode('restart of a broker, in order', async (node) => {
  await node.stop()
  await node.start()
})

const freezeNode = toNode('a broker stands still', async (node, downMs) => {
  node.signal('SIGSTOP')
  await delay(2 * downMs)
  node.signal('SIGCONT')
})

const IN_SYNC_MS_MAX = 60_000

/** The next broker may only go when the others have everything. */
async function allInSync({ many }: MirrorPair): Promise<void> {
  const admin = kafkajs(many.direct).admin()
  await admin.connect()
  try {
    for (const deadline = Date.now() + IN_SYNC_MS_MAX; ; await delay(200)) {
      const { topics } = await admin.fetchTopicMetadata()
      const partitions = topics.flatMap((topic) => topic.partitions)
      if (partitions.every(({ replicas, isr, leader }) => isr.length === replicas.length && leader >= 0))
        return
      if (Date.now() > deadline) throw new Error('the three brokers did not come into sync')
    }
  } finally {
    await admin.disconnect()
  }
}

/** The replicas of every partition of the topics change their places, so that another one leads; nothing is down. */
const moveLeaders: MirrorDisturbance = {
  name: 'leaders move',
  times: 20,
  run: async (pair) => {
    const met = await pair.isBusy()
    const admin = kafkajs(pair.many.direct).admin()
    await admin.connect()
    try {
      const described = await admin.fetchTopicMetadata({ topics: ['out', 'in'] })
      for (const { name, partitions } of described.topics) {
        await admin.alterPartitionReassignments({
          topics: [
            {
              topic: name,
              partitionAssignment: partitions.map(({ partitionId, leader }) => ({
                partition: partitionId,
                replicas: rotated(leader)
              }))
            }
          ]
        })
      }
    } finally {
      await admin.disconnect()
    }
    const recoveredMs = await pair.flowing('leaders move')
    await allInSync(pair)
    return { met, recoveredMs, what: 'every partition of both topics on the three brokers' }
  }
}

/** Two of the three brokers, without the present leader: the one after it leads. */
function rotated(leader: number): number[] {
  return [1, 2].map((step) => ((leader - 1 + step) % 3) + 1)
}

/** Requests of a mirror that flows. */
const USUAL = [
  'Produce',
  'Fetch',
  'EndTxn',
  'AddPartitionsToTxn',
  'Heartbeat',
  'Metadata',
  'ListOffsets'
] as const
/** Requests of one that starts or recovers. */
const RARE = [
  ...['InitProducerId', 'FindCoordinator', 'JoinGroup', 'SyncGroup', 'ApiVersions'],
  ...['Fetch', 'ListOffsets', 'Metadata']
] as const

/** Requests meet a fault at whichever broker they come to; the rare ones while a worker that was killed starts again. */
function toRequests(name: string, fault: (random: () => number) => ProxyRule['fault']): MirrorDisturbance {
  return {
    name,
    times: 20,
    run: async (pair, random) => {
      const isStarting = random() < 0.5
      const request = choose<string>(isStarting ? RARE : USUAL, random)
      const times = 1 + Math.floor(random() * 3)
      const rule = { fault: fault(random), match: new RegExp(`^${request}$`), times }
      const set = nodesOf(pair).flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy.set(rule)]))
      if (isStarting) await choose(pair.workers, random).killAndStart()
      const met = await hasMet(() => set.some(({ hits }) => hits > 0))
      for (const one of set) one.remove()
      const what = `${request}${isStarting ? ' of a worker that starts' : ''}, ${times} at each broker`
      return { met, recoveredMs: await pair.flowing(`${name}: ${what}`), what }
    }
  }
}

export const disturbances: readonly MirrorDisturbance[] = [
  killWorker,
  zombie(40, rejoined),
  killNode,
  restartNode,
  freezeNode,
  moveLeaders,
  toRequests('requests failed before their effect', () => 'fail-before'),
  toRequests('requests cut in the middle (reset)', () => 'reset'),
  toRequests('replies lost', () => 'lose-reply'),
  toRequests('requests delayed beyond their timeout', (random) => ({ delayMs: 5_500 + random() * 4_000 })),
  toRequests('connections hang, half open', () => 'hang')
]
