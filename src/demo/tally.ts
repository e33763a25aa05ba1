/** What one store holds, compared with what was sent. */
export interface TallyResult {
  /** Records found. */
  readonly count: number
  readonly missing: number
  /** Records more than were sent, strangers included. */
  readonly repeated: number
  /** Records that stand behind one that was sent later, within their partition. */
  readonly outOfOrder: number
}

/** The events that were sent, by id. An input file may hold the same id several times. */
export class Expected {
  readonly #indexById = new Map<string, number>()
  readonly #sent: number[] = []

  add(id: string): void {
    const index = this.#indexById.get(id)
    if (index !== undefined) {
      this.#sent[index] = (this.#sent[index] ?? 0) + 1
      return
    }
    this.#indexById.set(id, this.#sent.length)
    this.#sent.push(1)
  }

  get size(): number {
    return this.#sent.reduce((sum, times) => sum + times, 0)
  }

  /** Compares one store's records, given partition by partition in the order in which the store keeps them. */
  tally(records: Iterable<{ readonly partition: number; readonly id: string }>): TallyResult {
    const seen = new Uint32Array(this.#sent.length)
    const lastIndex = new Map<number, number>()
    let count = 0
    let strangers = 0
    let outOfOrder = 0
    for (const { partition, id } of records) {
      count++
      const index = this.#indexById.get(id)
      if (index === undefined) {
        strangers++
        continue
      }
      seen[index] = (seen[index] ?? 0) + 1
      if (index < (lastIndex.get(partition) ?? -1)) outOfOrder++
      else lastIndex.set(partition, index)
    }
    let missing = 0
    let repeated = strangers
    for (const [index, sent] of this.#sent.entries()) {
      const found = seen[index] ?? 0
      missing += Math.max(0, sent - found)
      repeated += Math.max(0, found - sent)
    }
    return { count, missing, repeated, outOfOrder }
  }
}
