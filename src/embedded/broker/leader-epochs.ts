/** Which leader epoch began where in a partition (Kafka's `LeaderEpochFileCache`). */
export class LeaderEpochs {
  /** Both rise. */
  #entries: { readonly epoch: number; readonly startOffset: number }[] = []

  /** A new epoch replaces those in which nothing was written. */
  enter(epoch: number, startOffset: number): void {
    if ((this.#entries.at(-1)?.epoch ?? -1) >= epoch) return
    this.#entries = this.#entries.filter((entry) => entry.startOffset < startOffset)
    this.#entries.push({ epoch, startOffset })
  }

  /** Forgets what ended before the log's new start. */
  truncateFront(startOffset: number): void {
    const floor = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset)
    const first = this.#entries[floor]
    if (first) this.#entries.splice(0, floor + 1, { epoch: first.epoch, startOffset })
  }

  /**
   * Where an epoch ended (KIP-101, KIP-279): the largest epoch up to it, and the offset after its last; -1 and -1 if
   * it is newer than all that is known.
   */
  endOf(epoch: number, logEndOffset: number): { readonly epoch: number; readonly endOffset: number } {
    if (epoch === this.#entries.at(-1)?.epoch) return { epoch, endOffset: logEndOffset }
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch)
    const higher = this.#entries[next]
    if (higher === undefined) return { epoch: -1, endOffset: -1 }
    return { epoch: this.#entries[next - 1]?.epoch ?? epoch, endOffset: higher.startOffset }
  }
}
