import type { Record } from '../../../records/record.ts'
import { type TopicPartition, tp } from '../../kafka/topic-partition.ts'

/** Whoever has read all before `source` on the source goes on at `target` on the target, exactly. */
export interface Anchor {
  readonly source: number
  readonly target: number
}

/** The topics that an anchor stands for, where the brokers have ids. */
export interface TopicIds {
  readonly sourceId: string | undefined
  readonly targetId: string | undefined
}

/** Anchors that were added (their targets) or dropped (`null`), by source offset. */
export type AnchorChanges = ReadonlyMap<number, number | null>

/** Source offsets between two anchors at least; doubled when there come to be too many. */
const SPACING_MIN = 10_000
const ANCHORS_MAX = 256
/** What is left of them then. */
const ANCHORS_LEFT = 192

/**
 * Points of one partition that are kept for good, in `<prefix>.offsets.internal`: few enough for all partitions to be in
 * memory, however long the log is, and so near to each other that what lies between two of them can be read.
 */
export class Anchors {
  #all: Anchor[] = []
  #spacing = SPACING_MIN
  #changes = new Map<number, number | null>()

  get size(): number {
    return this.#all.length
  }

  /** Adds a point behind all others, unless it is too near to the last one. */
  add(anchor: Anchor): void {
    const last = this.#all.at(-1)
    if (last !== undefined && anchor.source < last.source + this.#spacing) return
    this.#all.push(anchor)
    this.#changes.set(anchor.source, anchor.target)
    this.#thin()
  }

  /** Takes in what the topic has, but for what was dropped here and is still to be dropped there. */
  restore(stored: readonly Anchor[]): void {
    const mine = new Set(this.#all.map(({ source }) => source))
    const others = stored
      .filter(({ source }) => !mine.has(source) && !this.#changes.has(source))
      .map(({ source, target }) => ({ source, target }))
    this.#all = [...this.#all, ...others].sort((a, b) => a.source - b.source)
    this.#thin()
  }

  /** Drops what the topic has and is not true any more. */
  discard(stored: readonly Anchor[]): void {
    const mine = new Set(this.#all.map(({ source }) => source))
    for (const { source } of stored) if (!mine.has(source)) this.#changes.set(source, null)
  }

  /** The last anchor at or before an offset of the source. */
  below(source: number): Anchor | undefined {
    return this.#all.findLast((anchor) => anchor.source <= source)
  }

  /** The first anchor behind an offset of the source. */
  above(source: number): Anchor | undefined {
    return this.#all.find((anchor) => anchor.source > source)
  }

  /** Drops those that nobody needs any more whose source begins at `logStart`: all before it but the last. */
  dropBefore(logStart: number): void {
    const needed = this.below(logStart)
    if (needed !== undefined) this.#keep(({ source }) => source >= needed.source)
  }

  /** Drops those at or behind an offset of the source: it is copied once more, to somewhere else. */
  dropFrom(source: number): void {
    this.#keep((anchor) => anchor.source < source)
  }

  /** What the topic does not have yet; nothing is left of it here. */
  takeChanges(): AnchorChanges {
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  /** They could not be written. */
  giveBack(changes: AnchorChanges): void {
    this.#changes = new Map([...changes, ...this.#changes])
  }

  #thin(): void {
    if (this.#all.length <= ANCHORS_MAX) return
    while (this.#all.length > ANCHORS_LEFT) {
      this.#spacing *= 2
      let last = Number.NEGATIVE_INFINITY
      this.#keep(({ source }) => {
        if (source < last + this.#spacing) return false
        last = source
        return true
      })
    }
  }

  #keep(isKept: (anchor: Anchor) => boolean): void {
    this.#all = this.#all.filter((anchor) => {
      if (isKept(anchor)) return true
      this.#changes.set(anchor.source, null)
      return false
    })
  }
}

/**
 * A record of `<prefix>.offsets.internal`, one partition, compacted, outside of transactions. Key `<topic>-<partition>@<source
 * offset>`, value `{"target":…,"sourceId":"…","targetId":"…"}`, a tombstone for one that was dropped.
 */
export function encodeAnchor(
  { topic, partition }: TopicPartition,
  source: number,
  target: number | null,
  { sourceId, targetId }: TopicIds,
  timestamp: number
): Record {
  const key = Buffer.from(`${tp(topic, partition)}@${source}`)
  const value = target === null ? null : Buffer.from(JSON.stringify({ target, sourceId, targetId }))
  return { key, value, headers: [], timestamp }
}

export interface StoredAnchor extends Anchor, TopicIds {
  /** `tp(topic, partition)` */
  readonly key: string
}

/** What was read back, by the records' keys: the last one counts. What nobody can read helps nobody: it is left out. */
export class StoredAnchors {
  readonly #found = new Map<string, StoredAnchor>()

  add(record: { readonly key: Buffer | null; readonly value: Buffer | null }): void {
    const name = record.key?.toString() ?? ''
    const anchor = decoded(name, record.value)
    if (anchor === undefined) this.#found.delete(name)
    else this.#found.set(name, anchor)
  }

  /** By partition. */
  byPartition(): Map<string, StoredAnchor[]> {
    return Map.groupBy(this.#found.values(), ({ key }) => key)
  }
}

/** Whether an anchor is of the topics that there are now, as far as ids tell. */
export function isOfTopics(anchor: TopicIds, { sourceId, targetId }: TopicIds): boolean {
  const fits = (before: string | undefined, now: string | undefined) =>
    before === undefined || now === undefined || before === now
  return fits(anchor.sourceId, sourceId) && fits(anchor.targetId, targetId)
}

function decoded(name: string, value: Buffer | null): StoredAnchor | undefined {
  const [, key, digits] = /^(.+)@(\d+)$/.exec(name) ?? []
  if (key === undefined || value === null) return undefined
  const { target, sourceId, targetId } = fieldsOf(value)
  if (typeof target !== 'number' || !Number.isSafeInteger(target) || target < 0) return undefined
  const id = (given: unknown) => (typeof given === 'string' ? given : undefined)
  return { key, source: Number(digits), target, sourceId: id(sourceId), targetId: id(targetId) }
}

function fieldsOf(value: Buffer): { readonly [field: string]: unknown } {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}
