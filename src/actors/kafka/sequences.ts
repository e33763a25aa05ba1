import { tp } from './topic-partition.ts'

const SEQUENCE_MODULUS = 2 ** 31

/**
 * The next sequence number of each partition under one producer epoch. They run on over commits, start at 0 with every
 * new epoch, and wrap as the protocol says: after 2³¹ − 1 comes 0, also in the middle of a batch.
 */
export class Sequences {
  readonly #next = new Map<string, number>()

  /** The base sequence for a batch of `count` records, which are thereby used up. */
  take(topic: string, partition: number, count: number): number {
    const key = tp(topic, partition)
    const base = this.#next.get(key) ?? 0
    this.#next.set(key, (base + count) % SEQUENCE_MODULUS)
    return base
  }

  restart(): void {
    this.#next.clear()
  }
}
