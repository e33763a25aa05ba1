import { Fault } from '../../errors.ts'

/** How many dead letters a partition may have before somebody has to look. */
export interface DeadLetterRate {
  /** More dead letters than this … */
  readonly max: number
  /** … among so many consecutive records stop the partition. */
  readonly among: number
}

/**
 * Counts the dead letters of one chain by records and not by time: the same records stop it at the same place however fast
 * they are read, and reading them again does not let them through little by little. Costs nothing while there are none.
 */
export class DeadLetterLimit {
  readonly #rate: DeadLetterRate
  /** Ordinals of the last `max + 1` dead letters, as a ring. */
  #ordinals: Float64Array | undefined
  #dead = 0
  #records = 0

  constructor(rate: DeadLetterRate) {
    this.#rate = rate
  }

  /** What was read until now no longer counts: reading goes on at another place. */
  reset(): void {
    this.#ordinals = undefined
    this.#dead = 0
    this.#records = 0
  }

  countRow(): void {
    this.#records++
  }

  /** Throws `dead-letters-exceeded` for the one that is too many. */
  countDead(offset: number, reason: string): void {
    const { max, among } = this.#rate
    this.#ordinals ??= new Float64Array(max + 1)
    const place = this.#dead % (max + 1)
    this.#ordinals[place] = this.#records++
    this.#dead++
    if (this.#dead <= max) return
    const oldest = this.#ordinals[this.#dead % (max + 1)] as number
    if (this.#records - oldest > among) return
    const what = `more than ${max} of ${among} records are dead letters, the last at offset ${offset}: ${reason}`
    throw new Fault('dead-letters-exceeded', what)
  }
}
