import { Fault } from '../../errors.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { tp } from '../kafka/topic-partition.ts'
import { emptyRecords, readShard, type ShardRecords } from './shard-records.ts'

/** Group on the source, and the beginning of every other name: `<name>.mirror.<instance>`. */
export function mirrorPrefix(name: string, instance: string): string {
  return `${name}.mirror.${instance}`
}

/** The topic that positions are in after so many reshards. */
export function positionsTopicOf(prefix: string, generation: number): string {
  return generation === 0 ? `${prefix}.positions.internal` : `${prefix}.positions-${generation}.internal`
}

export interface CurrentTopic {
  readonly topic: string
  /** How many reshards lie behind it. */
  readonly generation: number
  /** 0 when it does not exist yet. */
  readonly partitions: number
}

/** No mirror is resharded more often than that. */
const GENERATIONS_MAX = 10_000

/**
 * The topic that a mirror's positions are in: each reshard leaves a claim in partition 0 that names the next one. Only
 * where a next topic exists the claim is read; one that nothing leads to was left by a reshard that has not ended.
 */
export async function currentTopic(
  target: Cluster,
  prefix: string,
  signal: AbortSignal
): Promise<CurrentTopic> {
  const partitionsOf = async (topic: string) => {
    const found = (await target.metadata(signal, [topic])).topics.get(topic)
    return found?.error === 0 ? found.partitions.length : 0
  }
  let generation = 0
  for (;;) {
    const topic = positionsTopicOf(prefix, generation)
    const partitions = await partitionsOf(topic)
    const isLast = (await partitionsOf(positionsTopicOf(prefix, generation + 1))) === 0
    if (partitions === 0 || isLast) return { topic, generation, partitions }
    const { claim } = await readFirst(target, topic, signal)
    if (claim?.moved === undefined) return { topic, generation, partitions }
    generation = generationOf(prefix, claim.moved, generation)
  }
}

/** What is committed in partition 0. It does not wait for open transactions: what they will say is not said yet. */
export async function readFirst(target: Cluster, topic: string, signal: AbortSignal): Promise<ShardRecords> {
  const partition = 0
  const records = emptyRecords()
  const committed = await target.listOffsets([{ topic, partition, timestamp: -1 }], 1, signal)
  const until = committed.get(tp(topic, partition)) ?? 0
  await readShard({ cluster: target, topic, partition, signal, transactionTimeoutMs: 0, until }, records)
  return records
}

function generationOf(prefix: string, topic: string, before: number): number {
  const found = Number(/\.positions-(\d+)\.internal$/.exec(topic)?.[1])
  if (found > before && found <= GENERATIONS_MAX && positionsTopicOf(prefix, found) === topic) return found
  throw new Fault(
    'positions-unreadable',
    `the positions of ${prefix} moved to ${topic}, which is no topic of theirs`
  )
}
