import { expect } from 'vitest'
import { setGroupOffsets } from '../../src/actors/kafka/groups.ts'
import { readInternal } from '../../src/actors/kafka/positions.ts'
import { tp } from '../../src/actors/kafka/topic-partition.ts'
import { type Checkpoint, decodeCheckpoint } from '../../src/actors/mirror/offsets/mm2-formats.ts'
import type { MirrorConfig, OffsetsConfig } from '../../src/config.ts'
import type { DecodedRecord } from '../../src/records/record.ts'
import { type KafkaWorld, type RunningRole, type Side, until } from './kafka-world.ts'
import { mirrorConfig, startMirror } from './mirror-world.ts'

/** Nothing is told to anybody by itself. */
export const quiet: OffsetsConfig = {
  groups: ['.*'],
  groupsExclude: ['console-.*'],
  emitCheckpoints: false,
  syncGroupOffsets: false,
  checkpointIntervalMs: 50,
  emitOffsetSyncs: false,
  emitHeartbeats: false,
  heartbeatIntervalMs: 50
}

export const signal = () => AbortSignal.timeout(20_000)

export async function untilAsync(look: () => Promise<void>, fits: () => boolean, seen: () => string) {
  let isLooking = false
  const again = async () => {
    isLooking = true
    await look().finally(() => {
      isLooking = false
    })
  }
  let failure: unknown
  await until(
    () => {
      if (failure !== undefined) throw failure
      if (fits()) return true
      if (!isLooking) {
        again().catch((error: unknown) => {
          failure = error
        })
      }
      return false
    },
    seen,
    40_000
  )
}

export const textOf = ({ key, value }: DecodedRecord) => `${key} ${value}`

/** A mirror whose consumers change to the target, what it tells of their places, and whether that is true. */
export function offsetsWorld(world: () => KafkaWorld) {
  const start = (offsets: Partial<OffsetsConfig>, more: Partial<MirrorConfig> = {}): RunningRole =>
    startMirror(world(), { ...more, offsets: { ...quiet, ...offsets } })

  /** The records of one partition, with their offsets; none where there is no such topic. */
  async function recordsOf(side: Side, topic: string, partition: number): Promise<DecodedRecord[]> {
    const cluster = world().clusters[side]
    const found = (await cluster.metadata(signal(), [topic])).topics.get(topic)
    const records: DecodedRecord[] = []
    if (found?.error !== 0) return records
    const onRecord = (record: DecodedRecord) => records.push(record)
    await readInternal({
      cluster,
      topic,
      partition,
      signal: signal(),
      transactionTimeoutMs: 20_000,
      onRecord
    })
    return records
  }

  /** The last checkpoints of a group, by the target's partitions. */
  async function checkpointsOf(group: string): Promise<Map<string, Checkpoint>> {
    const records = await recordsOf('target', 'source.checkpoints.internal', 0)
    const all = records.map(decodeCheckpoint).filter((one) => one.group === group)
    return new Map(all.map((one) => [tp(one.topic, one.partition), one]))
  }

  /** Checkpoints of a group for all these offsets of the source. */
  async function translated(group: string, offsets: readonly number[]): Promise<Checkpoint[]> {
    let found: Checkpoint[] = []
    const look = async () => {
      found = [...(await checkpointsOf(group)).values()].sort((a, b) => a.partition - b.partition)
    }
    const isThere = () => offsets.every((offset, partition) => found[partition]?.upstream === offset)
    await untilAsync(look, isThere, () => `${group} at ${offsets}: ${JSON.stringify(found)}`)
    return found
  }

  const commit = (side: Side, group: string, topic: string, offsets: readonly number[]) =>
    setGroupOffsets(
      world().clusters[side],
      group,
      offsets.map((offset, partition) => ({ topic, partition, offset })),
      signal()
    )

  /** How many records of the copy, from a checkpoint on, had been read on the source before. Fails when one is skipped. */
  async function repeatedBehind(checkpoint: Checkpoint, topic = checkpoint.topic): Promise<number> {
    const { partition, upstream, downstream } = checkpoint
    const unread = (await recordsOf('source', topic, partition)).filter(({ offset }) => offset >= upstream)
    const behind = (await recordsOf('target', checkpoint.topic, partition)).filter(
      ({ offset }) => offset >= downstream
    )
    const repeated = behind.length - unread.length
    expect(repeated, `${JSON.stringify(checkpoint)} skips none`).toBeGreaterThanOrEqual(0)
    expect(behind.slice(repeated).map(textOf)).toEqual(unread.map(textOf))
    return repeated
  }

  /** What the command line knows of the mirror. */
  function tableOptions() {
    return {
      ...mirrorConfig,
      topics: ['hybrid'],
      ...{ name: 'cloud', source: world().clusters.source, target: world().clusters.target },
      ...{
        prefix: 'test.mirror.cloud',
        positionsTopic: 'test.mirror.cloud.positions.internal',
        partitions: 4
      }
    }
  }

  /** Some offset of each partition: of a record, a marker, what was aborted, or the end. */
  async function somewhere(random: () => number): Promise<number[]> {
    const ends = await world().ends('source', ['hybrid'])
    return [0, 1, 2, 3].map((partition) =>
      Math.floor(random() * ((ends.get(tp('hybrid', partition)) ?? 0) + 1))
    )
  }

  return { start, recordsOf, translated, commit, repeatedBehind, tableOptions, somewhere }
}
