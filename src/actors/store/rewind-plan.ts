import { randomBytes } from 'node:crypto'
import { Fault } from '../../errors.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { tp } from '../kafka/topic-partition.ts'
import type { OpenedChain } from './chain.ts'
import { parseTopicId } from './entry.ts'
import { topicIdPath } from './names.ts'
import { inParallel } from './parallel.ts'
import { chainEnd, rewindChain } from './rewind.ts'
import type { Store } from './store.ts'

export interface Wanted {
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly topic: string
  /** Undefined: all of them. */
  readonly partition: number | undefined
  readonly to: 'earliest' | 'latest' | number
  readonly ttlMs: number | undefined
  readonly now: () => number
}

/** What a rewind of one partition comes to. */
export interface RewindPlan {
  /** What readers will see. */
  readonly text: string
  /** Does it, and tells what became of it. */
  readonly apply: (abandon: boolean, signal: AbortSignal) => Promise<string>
}

interface Place {
  readonly cluster: Cluster
  readonly store: Store
}

const PARALLEL = 8
const EARLIEST = -2
const LATEST = -1

/**
 * Looks at what there is, before anything is changed. Rejects with `arguments-invalid` for a topic, partition or offset
 * that Kafka does not have, and when the sink has never carried any of it.
 */
export async function planRewind(place: Place, wanted: Wanted, signal: AbortSignal): Promise<RewindPlan[]> {
  const { cluster, store } = place
  const { topic, sink, partition: only } = wanted
  const metadata = await cluster.metadata(signal, [topic])
  const found = metadata.topics.get(topic)
  if (found === undefined || found.error !== 0) throw unusable(`there is no topic ${topic}`)
  const partitions = found.partitions.map(({ partition }) => partition)
  const chosen = partitions.filter((partition) => only === undefined || partition === only)
  if (chosen.length === 0)
    throw unusable(`${topic} has no partition ${only}, but ${partitions.length} of them`)
  const topicId = found.id ?? (await recordedId(store, sink, topic, signal))
  const plans = await inParallel(chosen, PARALLEL, async (partition) => {
    const chain = { sink, topic, topicId, partition }
    const options = { chain, clusterId: metadata.clusterId ?? '', ttlMs: wanted.ttlMs, now: wanted.now }
    const opened = await chainEnd(store, options, signal)
    if (opened === undefined) return []
    const to = await targetOf(cluster, { topic, partition, to: wanted.to }, signal)
    return [planOf({ store, options, opened, to })]
  })
  if (plans.flat().length > 0) return plans.flat()
  throw unusable(
    `the sink has no log of ${topic}${only === undefined ? '' : ` ${only}`} yet: there is nothing to rewind`
  )
}

interface Found {
  readonly store: Store
  readonly options: Parameters<typeof chainEnd>[1]
  readonly opened: OpenedChain
  readonly to: number
}

function planOf({ store, options, opened, to }: Found): RewindPlan {
  const name = tp(options.chain.topic, options.chain.partition)
  return {
    text: `${name} is at ${opened.end}, in generation ${opened.chain.generation}; ${consequence(opened.end, to)}`,
    apply: async (abandon, signal) => {
      const nonce = randomBytes(8).toString('hex')
      const { generation, end, start } = await rewindChain(store, { ...options, to, nonce, abandon }, signal)
      return `${name} goes on at ${start}, in generation ${generation}, and was at ${end}; ${consequence(end, start)}`
    }
  }
}

/** What readers of the files, and loaders, will see. */
function consequence(end: number, to: number): string {
  if (to === end) return 'nothing comes twice and nothing is left out'
  if (to > end) return `offsets [${end}, ${to}) will be in no file`
  const twice = `records at offsets [${to}, ${end}) will be there a second time, in new files beside the old ones`
  return `${twice}, and a loader loads them again: remove the old ones first where that must not be`
}

async function targetOf(
  cluster: Cluster,
  { topic, partition, to }: Pick<Wanted, 'topic' | 'to'> & { readonly partition: number },
  signal: AbortSignal
): Promise<number> {
  const at = async (timestamp: -1 | -2) => {
    const offset = (await cluster.listOffsets([{ topic, partition, timestamp }], 1, signal)).get(
      tp(topic, partition)
    )
    if (offset !== undefined && offset >= 0) return offset
    throw new Fault('kafka-offset-unknown', `${tp(topic, partition)}: the leader told no offset`, {
      retryable: true
    })
  }
  if (to === 'earliest') return at(EARLIEST)
  if (to === 'latest') return at(LATEST)
  const [start, end] = [await at(EARLIEST), await at(LATEST)]
  if (to >= start && to <= end) return to
  throw unusable(`${tp(topic, partition)} has the offsets [${start}, ${end}), not ${to}`)
}

/** The id under which the sink carries a topic whose brokers give none. */
async function recordedId(store: Store, sink: string, topic: string, signal: AbortSignal): Promise<string> {
  const path = topicIdPath(sink, topic)
  const content = await store.read(path, signal)
  if (content !== undefined) return parseTopicId(content, path).topicId
  throw unusable(`the sink has no log of ${topic} yet: there is nothing to rewind`)
}

const unusable = (what: string) => new Fault('arguments-invalid', what)
