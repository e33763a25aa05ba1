import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'

/** The journal is rewritten when it holds this many entries more than there are live ones. */
const STALE_ENTRIES_MAX = 20_000

export interface CommittedOffset {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface OffsetCommit extends CommittedOffset {
  readonly topic: string
  readonly partition: number
}

type OffsetEntry =
  | { readonly type: 'commit'; readonly group: string; readonly offsets: readonly OffsetCommit[] }
  | {
      readonly type: 'pend'
      readonly producerId: number
      readonly group: string
      readonly offsets: readonly OffsetCommit[]
    }
  | { readonly type: 'end'; readonly producerId: number; readonly group: string; readonly committed: boolean }
  | { readonly type: 'forget'; readonly group: string; readonly topic?: string; readonly partition?: number }

/** What groups have committed, durably. A transaction's offsets are pending until its marker decides. */
export class OffsetStore {
  readonly #journal: Journal<OffsetEntry>
  readonly #disk: Disk
  /** Group to `topic-partition` to offset. */
  readonly #groups = new Map<string, Map<string, OffsetCommit>>()
  /** Group to producer id to the offsets of its open transaction. */
  readonly #pending = new Map<string, Map<number, OffsetCommit[]>>()
  #live = 0

  constructor(path: string, disk: Disk) {
    this.#disk = disk
    this.#journal = new Journal(path, (entry) => this.#apply(entry))
    this.#compact()
  }

  groups(): readonly string[] {
    return [...this.#groups.keys()]
  }

  has(group: string): boolean {
    return this.#groups.has(group) || this.#pending.has(group)
  }

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.get(key(topic, partition))
  }

  all(group: string): readonly OffsetCommit[] {
    return [...(this.#groups.get(group)?.values() ?? [])]
  }

  /** Whether an open transaction may still move this offset (KIP-447's "unstable"). */
  isPending(group: string, topic: string, partition: number): boolean {
    for (const offsets of this.#pending.get(group)?.values() ?? []) {
      if (offsets.some((one) => one.topic === topic && one.partition === partition)) return true
    }
    return false
  }

  commit(group: string, offsets: readonly OffsetCommit[]): void {
    this.#log({ type: 'commit', group, offsets })
  }

  commitInTransaction(producerId: number, group: string, offsets: readonly OffsetCommit[]): void {
    this.#log({ type: 'pend', producerId, group, offsets })
  }

  /** The marker for a group: its pending offsets of this producer become committed, or vanish. */
  endTransaction(producerId: number, group: string, committed: boolean): void {
    if (!this.#pending.get(group)?.has(producerId)) return
    this.#log({ type: 'end', producerId, group, committed })
  }

  /** Forgets a group, or one partition of it. */
  forget(group: string, topic?: string, partition?: number): void {
    if (topic === undefined || partition === undefined) this.#log({ type: 'forget', group })
    else this.#log({ type: 'forget', group, topic, partition })
  }

  /** A deleted topic takes its committed offsets along, as in Kafka. */
  forgetTopic(topic: string): void {
    for (const [group, offsets] of this.#groups) {
      for (const one of offsets.values()) if (one.topic === topic) this.forget(group, topic, one.partition)
    }
  }

  close(): void {
    this.#journal.close()
  }

  #log(entry: OffsetEntry): void {
    this.#disk.append(this.#journal, entry)
    this.#apply(entry)
    if (this.#journal.entries > this.#live + STALE_ENTRIES_MAX) this.#compact()
  }

  #compact(): void {
    const entries: OffsetEntry[] = []
    for (const [group, offsets] of this.#groups) {
      entries.push({ type: 'commit', group, offsets: [...offsets.values()] })
    }
    for (const [group, producers] of this.#pending) {
      for (const [producerId, offsets] of producers)
        entries.push({ type: 'pend', producerId, group, offsets })
    }
    this.#journal.compact(entries)
    this.#live = entries.length
  }

  #apply(entry: OffsetEntry): void {
    switch (entry.type) {
      case 'commit':
        this.#store(entry.group, entry.offsets)
        return
      case 'pend': {
        const producers = this.#pending.get(entry.group) ?? new Map<number, OffsetCommit[]>()
        this.#pending.set(entry.group, producers)
        producers.set(entry.producerId, [...(producers.get(entry.producerId) ?? []), ...entry.offsets])
        return
      }
      case 'end': {
        const producers = this.#pending.get(entry.group)
        if (entry.committed) this.#store(entry.group, producers?.get(entry.producerId) ?? [])
        producers?.delete(entry.producerId)
        if (producers?.size === 0) this.#pending.delete(entry.group)
        return
      }
      case 'forget': {
        const { group, topic, partition } = entry
        if (topic === undefined || partition === undefined) this.#groups.delete(group)
        else this.#groups.get(group)?.delete(key(topic, partition))
        if (this.#groups.get(group)?.size === 0) this.#groups.delete(group)
      }
    }
  }

  #store(group: string, offsets: readonly OffsetCommit[]): void {
    const stored = this.#groups.get(group) ?? new Map<string, OffsetCommit>()
    if (offsets.length > 0) this.#groups.set(group, stored)
    for (const one of offsets) stored.set(key(one.topic, one.partition), one)
  }
}

function key(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
