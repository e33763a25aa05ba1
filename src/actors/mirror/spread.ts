import { partitionOf } from '../../records/murmur2.ts'
import type { Rebatched, Rebatcher } from '../../records/rebatch.ts'
import { keyBytes, type RecordCursor } from '../../records/record.ts'

/** A batch for one partition of the target; without one it keeps that of its records. */
export interface Placed extends Rebatched {
  readonly target?: number
}

export interface SpreadOptions {
  /** So many partitions of the target; without, all records stay together. */
  readonly hashedOver?: number | undefined
  /** Of the source. */
  readonly partition: number
}

/**
 * New batches of the records of one partition. Over several partitions of the target each record goes where Kafka's
 * producers put its key (murmur2), and one without a key where all of its partition go that have none: so the
 * order of each key is kept, and that of the records without one.
 */
export class Spread {
  readonly #options: SpreadOptions
  readonly #make: (share: number) => Rebatcher
  readonly #together: Rebatcher | undefined
  readonly #byTarget = new Map<number, Rebatcher>()

  /** @param make a rebatcher that takes about so large a share of the records */
  constructor(options: SpreadOptions, make: (share: number) => Rebatcher) {
    this.#options = options
    this.#make = make
    this.#together = options.hashedOver === undefined ? make(1) : undefined
  }

  /** @param register raw CRC of the record's body, where it is known */
  add(record: RecordCursor, register?: number): void {
    const rebatcher = this.#together ?? this.#towards(record)
    rebatcher.add(record, register)
  }

  /** All batches, of each partition in order; it is empty afterwards. */
  take(): Placed[] {
    if (this.#together !== undefined) return this.#together.take()
    return [...this.#byTarget].flatMap(([target, rebatcher]) =>
      rebatcher.take().map((made) => ({ ...made, target }))
    )
  }

  #towards(record: RecordCursor): Rebatcher {
    const { hashedOver = 1, partition } = this.#options
    const key = keyBytes(record)
    const target = key === null ? partition % hashedOver : partitionOf(key, hashedOver)
    const known = this.#byTarget.get(target) ?? this.#make(1 / hashedOver)
    this.#byTarget.set(target, known)
    return known
  }
}
