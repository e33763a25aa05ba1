import { setTimeout as pause } from 'node:timers/promises'
import { Fault } from '../../errors.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { Scopes } from './topics/scopes.ts'

export interface PrepareOptions {
  readonly source: Cluster
  readonly target: Cluster
  readonly positionsTopic: string
  readonly shards: number
  readonly replication: number
  readonly scopes: Pick<Scopes, 'check' | 'tell'>
}

export interface ClusterIds {
  readonly source: string | undefined
  readonly target: string | undefined
}

const SEGMENT_BYTES = 16 * 1024 * 1024
const LOOK_AGAIN_MS = 50

/**
 * Creates the position topic where it is missing. Rejects with `mirror-onto-itself` when both names lead to one cluster,
 * with `mirror-circle` when records would come back by other mirrors, with `claim-mismatch` when the topic has another
 * number of shards.
 */
export async function prepareMirror(options: PrepareOptions, signal: AbortSignal): Promise<ClusterIds> {
  const { source, target, positionsTopic, shards, replication, scopes } = options
  const [{ clusterId: sourceId }, { clusterId: targetId }] = await Promise.all([
    source.metadata(signal, []),
    target.metadata(signal, [])
  ])
  if (sourceId !== undefined && sourceId === targetId) {
    const names = `clusters ${source.name} and ${target.name} are one (${sourceId})`
    throw new Fault('mirror-onto-itself', `${names}: its topics would be copied onto themselves`)
  }
  await scopes.check(signal)
  const configs = { 'cleanup.policy': 'compact', 'segment.bytes': String(SEGMENT_BYTES) }
  await ensureTopic(target, positionsTopic, { partitions: shards, replication, configs }, signal)
  const found = target.cached()?.topics.get(positionsTopic)?.partitions.length
  if (found !== shards) {
    throw new Fault('claim-mismatch', `${positionsTopic} has ${found} shards, the config asks for ${shards}`)
  }
  await scopes.tell(signal)
  return { source: sourceId, target: targetId }
}

/**
 * Creates a topic unless it exists, and then resolves when each of its partitions has a leader. One that existed may have
 * partitions without: they hold up nobody but those who need them.
 */
export async function ensureTopic(
  cluster: Cluster,
  name: string,
  topic: Parameters<Cluster['createTopic']>[1],
  signal: AbortSignal
): Promise<void> {
  const look = async () => {
    const found = (await cluster.metadata(signal, [name])).topics.get(name)
    return found?.error === 0 ? found.partitions : []
  }
  if ((await look()).length > 0) return
  await cluster.createTopic(name, topic, signal)
  for (;;) {
    const partitions = await look()
    if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) return
    await pause(LOOK_AGAIN_MS, undefined, { signal })
  }
}
