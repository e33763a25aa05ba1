import type { Positions } from '../../machines/ledger.ts'
import type { PlacedPartition } from '../../machines/mirror-protocol.ts'
import type { PositionRecord } from '../../machines/shard-protocol.ts'
import { at, bit } from '../../records/batch.ts'
import { tp } from '../kafka/topic-partition.ts'

/** What a mirror has done since its start, counted where it happens. */
export class MirrorStats {
  readonly counters = {
    recordsRead: 0,
    batchesPassed: 0,
    batchesMerged: 0,
    batchesDecoded: 0,
    /** Of those written, whichever way they went: the target keeps its topic in another codec. */
    batchesRecompressed: 0,
    recordsFiltered: 0,
    /** Left out of partitions, as their rules want. */
    offsetsSkipped: 0,
    /** Records that went to a topic for dead letters instead. */
    deadLetters: 0,
    /** Partitions that went on elsewhere than at their position, as their rules want. */
    jumps: 0,
    recordsWritten: 0,
    bytesWritten: 0,
    transactionsCommitted: 0,
    /** Opened, and taken back by the next fence. */
    transactionsAborted: 0,
    fences: 0,
    restores: 0
  }
  /** Commits whose answer has not come, by shard. */
  readonly #open = new Map<number, Commit>()
  /** Shards with an open transaction. */
  readonly #opened = new Set<number>()
  /** The codecs that topics of the target are kept in, where that is not the producer's choice. */
  #codecs: ReadonlyMap<string, number> = new Map()
  readonly #onCommitted: (positions: readonly PositionRecord[]) => void

  /** @param onCommitted told of positions that have become durable */
  constructor(onCommitted: (positions: readonly PositionRecord[]) => void = () => {}) {
    this.#onCommitted = onCommitted
  }

  reset(): void {
    for (const name of Object.keys(this.counters) as (keyof typeof this.counters)[]) this.counters[name] = 0
    this.#open.clear()
    this.#opened.clear()
  }

  looked(partitions: readonly Pick<PlacedPartition, 'targetTopic' | 'targetCodec'>[]): void {
    this.#codecs = new Map(
      partitions.flatMap(({ targetTopic, targetCodec }) =>
        targetCodec === undefined ? [] : [[targetTopic, targetCodec] as const]
      )
    )
  }

  /** A transaction is open, perhaps since earlier. */
  opened(shard: number): void {
    this.#opened.add(shard)
  }

  /** The target has acknowledged these, under its own names. */
  written(batches: readonly { readonly topic: string; readonly batch: Buffer }[]): void {
    if (this.#codecs.size === 0) return
    for (const { topic, batch } of batches) {
      const kept = this.#codecs.get(topic)
      const sent = batch.readInt16BE(at.attributes) & bit.codec
      if (kept !== undefined && kept !== sent) this.counters.batchesRecompressed++
    }
  }

  committing(shard: number, commit: Commit): void {
    this.#open.set(shard, commit)
  }

  committed(shard: number): void {
    const commit = this.#open.get(shard)
    this.#open.delete(shard)
    this.#opened.delete(shard)
    if (commit === undefined) return
    this.counters.transactionsCommitted++
    this.counters.recordsWritten += commit.records
    this.counters.bytesWritten += commit.bytes
    this.#onCommitted(commit.positions)
  }

  /** After a restore the positions say whether the last commit, whose answer was lost, took place. */
  restored(shard: number, positions: Positions): void {
    this.counters.restores++
    const first = this.#open.get(shard)?.positions[0]
    if (first !== undefined && positions[tp(first.topic, first.partition)]?.next === first.position.next) {
      this.committed(shard)
    }
    this.#open.delete(shard)
    if (this.#opened.delete(shard)) this.counters.transactionsAborted++
  }
}

export interface Commit {
  readonly positions: readonly PositionRecord[]
  readonly records: number
  readonly bytes: number
}
