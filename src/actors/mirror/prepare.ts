import type { MirrorConfig } from '../../config.ts'
import { Fault } from '../../errors.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { ensureTopic } from '../kafka/ensure-topic.ts'
import { claimOf } from './position-records.ts'
import { type TakeOverOptions, takeOver } from './takeover.ts'
import type { Scopes } from './topics/scopes.ts'

export interface PrepareOptions
  extends Omit<TakeOverOptions, 'ids' | 'mm2' | 'claim' | 'again'>,
    Pick<MirrorConfig, 'replication' | 'takeOver'> {
  readonly scopes: Pick<Scopes, 'check' | 'tell'>
}

export interface ClusterIds {
  readonly source: string | undefined
  readonly target: string | undefined
}

const SEGMENT_BYTES = 16 * 1024 * 1024

/**
 * Creates the position topic where it is missing, and takes positions over where the config says so. Rejects with
 * `mirror-onto-itself` when both names lead to one cluster, with `mirror-circle` when records would come back by other
 * mirrors, with `claim-mismatch` when the topic has another number of shards, and as `takeOver` does.
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
  await ensurePositionsTopic(target, positionsTopic, { shards, replication }, signal)
  const found = target.cached()?.topics.get(positionsTopic)?.partitions.length
  if (found !== shards) {
    throw new Fault('claim-mismatch', `${positionsTopic} has ${found} shards, the config asks for ${shards}`)
  }
  const ids = { source: sourceId, target: targetId }
  const { takeOver: from } = options
  if (from !== undefined)
    await takeOver({ ...options, ...from, claim: claimOf(options, ids), again: false }, signal)
  await scopes.tell(signal)
  return ids
}

/** Creates a position topic unless it exists. */
export async function ensurePositionsTopic(
  target: Cluster,
  topic: string,
  { shards, replication }: Pick<PrepareOptions, 'shards' | 'replication'>,
  signal: AbortSignal
): Promise<void> {
  const configs = { 'cleanup.policy': 'compact', 'segment.bytes': String(SEGMENT_BYTES) }
  await ensureTopic(target, topic, { partitions: shards, replication, configs }, signal)
}
