/** What the config wants to be done with one topic of a mirror. */
export interface TopicRules {
  /** `preserve`: partition p goes to partition p. `hash`: a record goes where the target's producers would put its key. */
  readonly partitioning: 'preserve' | 'hash'
  /** Of `hash`, when the target has another number of partitions than before: `hold` waits, `accept` lets keys move. */
  readonly hashGrowth: 'hold' | 'accept'
  /** A CEL expression over `key`, `value`, `headers`, `timestamp`, `partition` and `offset`; records that it is false for stay behind. */
  readonly filter: string | undefined
  readonly policies: Policies
  /** The topic of the target that keeps what is rejected; `undefined` for that of the mirror. */
  readonly deadLetter: string | undefined
}

/**
 * What becomes of a partition in trouble. `fail`: it stops, alone, and readiness says so. `skip`: it goes on behind what
 * cannot be copied, which is counted and logged with its exact range. `restart`: it is copied from the beginning of what the
 * source has now. `dead-letter`: the record goes to the dead letter topic instead.
 */
export interface Policies {
  readonly dataLoss: 'fail' | 'skip'
  readonly topicReset: 'fail' | 'restart'
  readonly logDiverged: 'fail' | 'skip'
  readonly rejected: 'fail' | 'skip' | 'dead-letter'
  readonly sourceCorrupt: 'fail' | 'skip'
}

export const failing: Policies = {
  dataLoss: 'fail',
  topicReset: 'fail',
  logDiverged: 'fail',
  rejected: 'fail',
  sourceCorrupt: 'fail'
}

/** Of a topic that the config says nothing about. */
export const plainRules: TopicRules = {
  partitioning: 'preserve',
  hashGrowth: 'hold',
  filter: undefined,
  deadLetter: undefined,
  policies: failing
}
