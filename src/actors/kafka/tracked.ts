import type { WantedPartition } from './fetch-session.ts'
import type { FetchAssignment } from './fetcher.ts'
import { tp } from './topic-partition.ts'

/** One assigned partition as the fetcher sees it. A new assignment of the same partition is a new object. */
export class Tracked {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly generation: number
  /** The next offset to fetch. */
  position: number
  /** Epoch of the leader that wrote the last batch before `position`; -1 when unknown. */
  lastEpoch: number
  /** `undefined` until metadata told it, or where brokers have no ids. */
  topicId: string | undefined
  /** Node id of the leader to fetch from; `undefined` while it has to be found. */
  node: number | undefined
  /** The leader's epoch; -1 when brokers tell none. */
  leaderEpoch = -1
  /** A new leader's log has to be compared with what the old one gave us before anything is fetched. */
  mustValidate: boolean
  isPaused = false
  /** Failures in a row, for the back-off. */
  failures = 0
  /** How many answers in a row brought nothing although data is waiting. */
  starved = 0
  /** Slices with bytes that nobody has released yet. */
  held = 0
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  #request: WantedPartition | undefined

  constructor(assignment: FetchAssignment) {
    this.topic = assignment.topic
    this.partition = assignment.partition
    this.key = tp(assignment.topic, assignment.partition)
    this.generation = assignment.generation ?? 0
    this.position = assignment.position
    this.lastEpoch = assignment.leaderEpoch ?? -1
    this.topicId = assignment.topicId
    this.mustValidate = this.lastEpoch >= 0
  }

  /**
   * Takes a leader from metadata; false when there is none to fetch from. Metadata older than what we know changes
   * nothing, unless the topic may be another one by now (brokers without topic ids). A newer epoch means that the log
   * may have been cut behind our back.
   */
  place(leader: number, leaderEpoch: number): boolean {
    if (leader < 0) return false
    if (leaderEpoch < this.leaderEpoch && this.topicId !== undefined) return this.node !== undefined
    if (this.leaderEpoch >= 0 && leaderEpoch > this.leaderEpoch) this.mustValidate = true
    if (this.lastEpoch < 0 || leaderEpoch < 0) this.mustValidate = false
    this.leaderEpoch = leaderEpoch
    this.node = leader
    return true
  }

  /** The leader is not, or no longer, the one we knew. */
  displace(): void {
    this.node = undefined
    this.failures++
  }

  /** The same object as long as nothing of it has changed: most partitions have nothing new at most fetches. */
  request(maxBytes: number): WantedPartition {
    const { key, topic, partition, position: fetchOffset, leaderEpoch } = this
    const last = this.#request
    if (last?.fetchOffset === fetchOffset && last.leaderEpoch === leaderEpoch && last.maxBytes === maxBytes) {
      return last
    }
    this.#request = { key, topic, partition, fetchOffset, leaderEpoch, maxBytes }
    return this.#request
  }
}
