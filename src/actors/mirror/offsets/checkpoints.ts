import { toFault } from '../../../errors.ts'
import { appendRecords } from '../../kafka/append.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { ensureTopic } from '../../kafka/ensure-topic.ts'
import type { GroupOffset } from '../../kafka/group-offsets.ts'
import { describeGroup, groupOffsets, listGroups, setGroupOffsets } from '../../kafka/groups.ts'
import { tp } from '../../kafka/topic-partition.ts'
import type { OffsetBook, Page } from './book.ts'
import type { TargetEnds } from './ends.ts'
import { compacted } from './keeper.ts'
import { type Checkpoint, encodeCheckpoint, mm2Topics } from './mm2-formats.ts'
import type { Translator } from './translator.ts'

export interface CheckpointOptions {
  readonly source: Cluster
  readonly target: Cluster
  readonly book: OffsetBook
  readonly translator: Translator
  readonly ends: TargetEnds
  /** Which of the source's groups are followed. */
  readonly isChosen: (group: string) => boolean
  /** Whether checkpoints are written, and whether groups of the target are given the offsets themselves. */
  readonly emits: boolean
  readonly syncs: boolean
  /** Replication factor of topics on the target. */
  readonly replication: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

interface Found {
  readonly checkpoint: Checkpoint
  readonly isExact: boolean
  readonly page: Page
}

/** Groups that are asked at the same time. */
const ASKED_AT_ONCE = 8
/** Groups that one note names. */
const NAMED_MAX = 3

/**
 * Tells where the source's groups go on on the target, of the partitions that are copied here: as MirrorMaker 2's
 * checkpoints, and, where that is wanted, as the offsets of the target's groups of the same names.
 */
export class Checkpoints {
  readonly #options: CheckpointOptions
  /** The last ones that were written, by group and partition. */
  #written = new Map<string, Checkpoint>()
  /** Those of the last round. */
  #found = new Map<string, Found>()

  constructor(options: CheckpointOptions) {
    this.#options = options
  }

  /** Goes through all groups; returns why some could not be served. */
  async round(signal: AbortSignal): Promise<string[]> {
    const { source, translator, isChosen, emits, syncs } = this.#options
    translator.begin()
    const groups = (await listGroups(source, signal)).filter(isChosen)
    const failed = new Map<string, string[]>()
    const found: Found[] = []
    for (let at = 0; at < groups.length; at += ASKED_AT_ONCE) {
      const asked = groups.slice(at, at + ASKED_AT_ONCE).map(async (group) => {
        try {
          found.push(...(await this.#translated(group, signal)))
        } catch (error) {
          signal.throwIfAborted()
          const { message } = toFault(error)
          failed.set(message, [...(failed.get(message) ?? []), group])
        }
      })
      await Promise.all(asked)
    }
    this.#found = new Map(found.map((one) => [keyOf(one.checkpoint), one]))
    const checkpoints = found.map(({ checkpoint }) => checkpoint)
    const reachable = await this.#fromStart(checkpoints, signal)
    if (emits) await this.#write(reachable, signal)
    if (syncs) await this.#sync(reachable, failed, signal)
    return [...failed].map(([why, which]) => `offsets of ${named(which)} are not translated: ${why}`)
  }

  async #translated(group: string, signal: AbortSignal): Promise<Found[]> {
    const { source, target, book } = this.#options
    const found: Found[] = []
    for (const { topic, partition, offset } of await groupOffsets(source, group, signal)) {
      const page = book.page({ topic, partition })
      // Before its anchors are there, a place might be told that lies far below the one that was told before.
      if (page === undefined || !page.isTracked || !page.isRestored) continue
      // Nobody can tell now where its log begins.
      if (target.leader(page.targetTopic, partition) === undefined) continue
      const one = await this.#find(group, page, offset, signal)
      if (one !== undefined) found.push(one)
    }
    return found
  }

  async #find(group: string, page: Page, upstream: number, signal: AbortSignal): Promise<Found | undefined> {
    const { translator, ends } = this.#options
    const place = { group, topic: page.targetTopic, partition: page.partition }
    const before = this.#found.get(keyOf(place))
    // Of another page it may tell of another topic.
    const known = before?.page === page ? before : undefined
    if (known?.isExact && known.checkpoint.upstream === upstream) return known
    const chart = { ...page, end: () => ends.of(page, signal) }
    const found = await translator.translate(chart, upstream, signal)
    if (found === undefined) return undefined
    // Who has read further goes on no earlier.
    const least =
      known !== undefined && known.checkpoint.upstream <= upstream ? known.checkpoint.downstream : 0
    const downstream = found.isExact ? found.target : Math.max(found.target, least)
    return { checkpoint: { ...place, upstream, downstream, metadata: '' }, isExact: found.isExact, page }
  }

  /** Offsets below where the target's logs begin would send a consumer to wherever it begins by default. */
  async #fromStart(checkpoints: readonly Checkpoint[], signal: AbortSignal): Promise<Checkpoint[]> {
    const queries = new Map(
      checkpoints.map(({ topic, partition }) => [
        tp(topic, partition),
        { topic, partition, timestamp: -2 } as const
      ])
    )
    if (queries.size === 0) return []
    const starts = await this.#options.target.listOffsets([...queries.values()], 0, signal)
    return checkpoints.map((one) => {
      const start = starts.get(tp(one.topic, one.partition)) ?? 0
      return one.downstream < start ? { ...one, downstream: start } : one
    })
  }

  async #write(checkpoints: readonly Checkpoint[], signal: AbortSignal): Promise<void> {
    const { source, target, replication, now } = this.#options
    const current = new Map(checkpoints.map((one) => [keyOf(one), one]))
    const changed = [...current].filter(([key, one]) => {
      const before = this.#written.get(key)
      return before?.upstream !== one.upstream || before.downstream !== one.downstream
    })
    if (changed.length > 0) {
      const topic = mm2Topics.checkpoints(source.name)
      const at = now()
      const records = changed.map(([, one]) => encodeCheckpoint(one, at))
      await ensureTopic(target, topic, { partitions: 1, replication, configs: compacted }, signal)
      await appendRecords(target, { topic, partition: 0 }, records, signal)
    }
    this.#written = current
  }

  async #sync(
    checkpoints: readonly Checkpoint[],
    failed: Map<string, string[]>,
    signal: AbortSignal
  ): Promise<void> {
    for (const [group, mine] of Map.groupBy(checkpoints, (one) => one.group)) {
      try {
        await syncGroup(this.#options.target, group, mine, signal)
      } catch (error) {
        signal.throwIfAborted()
        const { code, message } = toFault(error)
        // It has got members since it was asked.
        if (code === 'kafka-unknown-member-id') continue
        failed.set(message, [...(failed.get(message) ?? []), group])
      }
    }
  }
}

/** A group that somebody reads with keeps its offsets, and none is ever moved back. */
async function syncGroup(
  target: Cluster,
  group: string,
  checkpoints: readonly Checkpoint[],
  signal: AbortSignal
): Promise<void> {
  const { state } = await describeGroup(target, group, signal)
  if (state !== 'Empty' && state !== 'Dead') return
  const known = await groupOffsets(target, group, signal)
  const at = new Map(known.map(({ topic, partition, offset }) => [tp(topic, partition), offset]))
  const ahead = checkpoints.flatMap(({ topic, partition, downstream }): GroupOffset[] =>
    downstream > (at.get(tp(topic, partition)) ?? -1) ? [{ topic, partition, offset: downstream }] : []
  )
  if (ahead.length > 0) await setGroupOffsets(target, group, ahead, signal)
}

function keyOf({ group, topic, partition }: Pick<Checkpoint, 'group' | 'topic' | 'partition'>): string {
  return `${group}\0${tp(topic, partition)}`
}

function named(groups: readonly string[]): string {
  const more = groups.length - NAMED_MAX
  const which = groups.slice(0, NAMED_MAX).join(', ')
  return more > 0 ? `group ${which} and ${more} more` : `group ${which}`
}
