/** A moment by a logical type of Avro: milliseconds since 1970, and what was written. */
export class Instant {
  readonly ms: number
  readonly count: bigint

  constructor(ms: number, count: bigint) {
    this.ms = ms
    this.count = count
  }
}
