/**
 * The ids of the events that were written lately, so that what the source replays is dropped.
 *
 * Each transaction leaves one slot: its ids and when they came. Slots are dropped by age against the newest slot, on a
 * clock that runs only while events come and stops while nobody listens: after a day's pause the source may replay what
 * came in the minutes before it, and those ids must still be here. The clock is carried by the slots themselves.
 */
export interface Slot {
  readonly number: number
  /** On the window's own clock, in milliseconds. */
  readonly at: number
  readonly ids: readonly string[]
}

export interface RecentIdsOptions {
  /** How long ids are kept, in milliseconds. */
  readonly keepMs: number
  /** Most ids kept, whatever their age: the limit on memory. */
  readonly idsMax?: number
}

export interface WindowStep {
  readonly slot: Slot
  /** Numbers of the slots that are dropped with this one. */
  readonly dropped: readonly number[]
}

/** About 100 MB of ids. */
const IDS_MAX = 1_000_000
/** The most that the clock advances between two transactions: a longer wait was a pause of ours or of the source's. */
const ADVANCE_MAX_MS = 30_000

export class RecentIds {
  readonly #keepMs: number
  readonly #idsMax: number
  readonly #ids = new Set<string>()
  #slots: Slot[]
  #clock: number
  #lastMs: number

  /**
   * @param slots the durable ones, in any order
   * @param nowMs wall clock, like that of `next`
   */
  constructor(options: RecentIdsOptions, slots: readonly Slot[], nowMs: number) {
    this.#keepMs = options.keepMs
    this.#idsMax = options.idsMax ?? IDS_MAX
    this.#slots = [...slots].sort((a, b) => a.number - b.number)
    for (const { ids } of slots) for (const id of ids) this.#ids.add(id)
    this.#clock = this.#slots.at(-1)?.at ?? 0
    this.#lastMs = nowMs
  }

  get size(): number {
    return this.#ids.size
  }

  /** Takes the id in and says so, or says that it is known already. */
  admit(id: string): boolean {
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    return true
  }

  /** Makes the slot of a transaction from the ids that it admitted, and drops what is too old beside it. */
  next(ids: readonly string[], nowMs: number): WindowStep {
    this.#clock += Math.min(Math.max(nowMs - this.#lastMs, 0), ADVANCE_MAX_MS)
    this.#lastMs = nowMs
    const slot: Slot = { number: (this.#slots.at(-1)?.number ?? -1) + 1, at: this.#clock, ids }
    this.#slots.push(slot)
    const dropped: number[] = []
    for (
      let oldest = this.#slots[0];
      oldest !== undefined && this.#isOver(oldest, slot);
      oldest = this.#slots[0]
    ) {
      this.#slots.shift()
      for (const id of oldest.ids) this.#ids.delete(id)
      dropped.push(oldest.number)
    }
    return { slot, dropped }
  }

  #isOver(oldest: Slot, newest: Slot): boolean {
    if (oldest === newest) return false
    return newest.at - oldest.at > this.#keepMs || this.#ids.size > this.#idsMax
  }
}
