import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import type { Marks } from './marks.ts'
import { counted, growthHold, hashedOver, placedUnder } from './placement.ts'
import { behind, both, type Refused } from './refused.ts'
import type { PartitionFailure, PositionRecord, Taken } from './shard-protocol.ts'
import type { TopicRules } from './topic-rules.ts'

/**
 * What a shard knows of its partitions: which may be copied, from where, and why the others may not. Plain data and
 * total functions; the shard machine calls them, and nothing here knows a clock.
 */

/** A partition as the last look at both clusters told it. */
export interface PartitionSpec extends TopicPartition {
  /** Topic ids, where the brokers have such. */
  readonly sourceId: string | undefined
  readonly targetId: string | undefined
  /** First offset the source still keeps: where copying starts when no position is known. */
  readonly logStart: number
  /** Its last stable offset, -1 when unknown. */
  readonly end: number
  /** The topic of the target that it is copied to, and how many partitions that one has. */
  readonly targetTopic: string
  readonly targetPartitions: number
  /** Of its own topic. */
  readonly sourcePartitions: number
  /** The target topic's limit on a batch, in bytes. */
  readonly targetMaxBytes: number
  readonly rules: TopicRules
  /** Why it cannot be copied now, for example because the target lacks the partition. */
  readonly hold?: string
}

/** The value of a position record. */
export interface Position {
  /** Next offset to copy. */
  readonly next: number
  /** Leader epoch of the last batch before `next`, -1 when unknown. */
  readonly leaderEpoch: number
  readonly sourceId: string | undefined
  readonly targetId: string | undefined
  /** Of the target's topic, where records are placed by the hash of their keys. */
  readonly targetPartitions?: number
}

/** Positions by `tp(topic, partition)`. */
export type Positions = Readonly<Record<string, Position>>

/**
 * `waiting`: its shard is not copying. `copying`: fetched and produced. `held`: the target has no place for it.
 * `quarantined`: the target failed it; it is tried again by itself. `rejected`: the target refuses a record for good.
 * `source-corrupt`, `log-diverged`, `data-loss`, `topic-reset`: what the source has is not what the position stands for;
 * never skipped silently.
 */
export type Standing =
  | 'waiting'
  | 'copying'
  | 'held'
  | 'quarantined'
  | 'rejected'
  | 'source-corrupt'
  | 'log-diverged'
  | 'data-loss'
  | 'topic-reset'

export interface Entry {
  readonly spec: PartitionSpec
  readonly standing: Standing
  readonly reason?: string
  /** Failures in a row on the target: they decide how long the next quarantine is. */
  readonly failures: number
  /** The offset up to which the writer has taken batches, or -1 when it has taken none since the last restore. */
  readonly taken: number
  /** Last stable offset of the source as last seen, -1 when unknown. */
  readonly end: number
  /** Counts the assignments to the fetcher: what came for an older one is void. */
  readonly generation: number
  /** The target has called a batch corrupt, and the rules let damaged ones be left out: they have to be found. */
  readonly isCareful?: boolean
  /** Records that the target refuses, and where more of them are looked for. */
  readonly refused?: Refused
  /** Set where copying begins elsewhere than the position says, because the rules allow that. */
  readonly jump?: Jump
}

/** From a position that cannot be gone on from to the first offset that the source has. */
export interface Jump {
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** Entries by `tp(topic, partition)`. */
export type Ledger = Readonly<Record<string, Entry>>

/** Why a partition stopped, as the writer, the fetcher or the target told it. */
export interface Stop {
  readonly standing: Exclude<Standing, 'waiting' | 'copying'>
  readonly reason: string
}

export interface KeyedStop {
  readonly key: string
  readonly stop: Stop
}

/** The offset that a partition's next fetch asks for. */
export function nextOffset(entry: Entry, positions: Positions, key: string): number {
  return entry.taken >= 0 ? entry.taken : (entry.jump?.to ?? positions[key]?.next ?? entry.spec.logStart)
}

/** Whether what both clusters have still is what the position stands for, and there is a place to copy to. */
export function examine(spec: PartitionSpec, position: Position | undefined): Stop | undefined {
  if (position !== undefined) {
    const reset =
      differs('source', position.sourceId, spec.sourceId) ??
      differs('target', position.targetId, spec.targetId)
    if (reset !== undefined) return { standing: 'topic-reset', reason: reset }
    if (position.next < spec.logStart) {
      return {
        standing: 'data-loss',
        reason: `offsets ${position.next} to ${spec.logStart - 1} left the source before they were copied`
      }
    }
  }
  const hold = spec.hold ?? growthHold(spec, position)
  return hold === undefined ? undefined : { standing: 'held', reason: hold }
}

/** Lets every waiting partition be copied from its position, or from where the rules say, or says why it may not. */
export function begin(ledger: Ledger, positions: Positions): Ledger {
  return mapEntries(ledger, (entry, key) => {
    if (entry.standing !== 'waiting') return entry
    const { spec } = entry
    const stop = examine(spec, positions[key])
    const jump = stop === undefined ? entry.jump : allowedJump(spec, positions[key], stop)
    if (stop !== undefined && jump === undefined) return stopped(entry, stop)
    const hold = spec.hold ?? growthHold(spec, positions[key])
    if (hold !== undefined) return stopped(entry, { standing: 'held', reason: hold })
    return { ...entry, standing: 'copying', generation: entry.generation + 1, ...(jump && { jump }) }
  })
}

function allowedJump(
  { rules, logStart }: PartitionSpec,
  position: Position | undefined,
  stop: Stop
): Jump | undefined {
  const { policies } = rules
  if (position === undefined) return undefined
  const isAllowed =
    (stop.standing === 'data-loss' && policies.dataLoss === 'skip') ||
    (stop.standing === 'topic-reset' && policies.topicReset === 'restart')
  return isAllowed ? { from: position.next, to: logStart, reason: stop.reason } : undefined
}

/**
 * When copying ends: what was copied waits for the next restore, everything else keeps its reason.
 *
 * @param kept what is on the target for good although no position says so yet: it is gone on from there
 */
export function close(ledger: Ledger, kept: Marks): Ledger {
  return mapEntries(ledger, (entry, key) => ({
    ...(entry.standing === 'copying' ? waiting(entry) : entry),
    taken: kept[key]?.next ?? -1
  }))
}

/**
 * Takes over a new look at the clusters. A partition that is gone stays, held, while `uncommitted` says that the open
 * transaction holds some of it: its position must go with its data.
 */
export function reconcile(
  ledger: Ledger,
  specs: readonly PartitionSpec[],
  positions: Positions,
  uncommitted: (key: string) => boolean
): Ledger {
  const next: Record<string, Entry> = {}
  for (const spec of specs) {
    const key = tp(spec.topic, spec.partition)
    const known = ledger[key]
    if (known === undefined) next[key] = admitted(spec)
    else if (mayBeginAnew(known, spec, positions[key]) && !uncommitted(key)) {
      next[key] = anew(known, spec, positions[key])
    } else next[key] = refreshed(known, spec, positions[key])
  }
  for (const [key, entry] of Object.entries(ledger)) {
    if (next[key] !== undefined || !uncommitted(key)) continue
    next[key] = refreshed(entry, { ...entry.spec, hold: 'the source no longer lists it' }, positions[key])
  }
  return next
}

/** Ends the copying of partitions, with the reasons. */
export function halt(ledger: Ledger, stops: readonly KeyedStop[]): Ledger {
  const next: Record<string, Entry> = { ...ledger }
  for (const { key, stop } of stops) {
    const entry = next[key]
    if (entry === undefined) continue
    const isCareful = stop.standing === 'source-corrupt' && mayFindDamage(entry)
    const verdict: Stop = isCareful ? { ...stop, standing: 'quarantined' } : stop
    const failures = verdict.standing === 'quarantined' ? entry.failures + 1 : entry.failures
    next[key] = { ...stopped(entry, verdict), failures, ...(isCareful && { isCareful }) }
  }
  return next
}

/** Keeps what the target refused, for the next try. */
export function learn(ledger: Ledger, failures: readonly PartitionFailure[]): Ledger {
  const next: Record<string, Entry> = { ...ledger }
  for (const { topic, partition, refused } of failures) {
    const key = tp(topic, partition)
    const entry = next[key]
    if (entry !== undefined && refused !== undefined) {
      next[key] = { ...entry, refused: both(entry.refused, refused) }
    }
  }
  return next
}

/** Once more and with care, when that was not tried yet: then the damaged batch is found and left out. */
function mayFindDamage({ spec, isCareful }: Entry): boolean {
  return isCareful !== true && spec.rules.policies.sourceCorrupt === 'skip'
}

/** Gives a quarantined partition another try. */
export function retry(ledger: Ledger, key: string): Ledger {
  const entry = ledger[key]
  return entry?.standing === 'quarantined' ? { ...ledger, [key]: waiting(entry) } : ledger
}

/** Keeps how far the writer has taken each partition, and where its source ends. */
export function advance(ledger: Ledger, taken: readonly Taken[]): Ledger {
  const next: Record<string, Entry> = { ...ledger }
  for (const { topic, partition, next: offset, end } of taken) {
    const key = tp(topic, partition)
    const entry = next[key]
    if (entry !== undefined) next[key] = { ...entry, taken: offset, end }
  }
  return next
}

/** The positions that commit with these marks, in full. */
export function positionsOf(ledger: Ledger, acked: Marks): PositionRecord[] {
  return Object.entries(acked).map(([key, { topic, partition, next, leaderEpoch }]) => {
    const spec = ledger[key]?.spec
    return {
      topic,
      partition,
      position: {
        ...{ next, leaderEpoch, sourceId: spec?.sourceId, targetId: spec?.targetId },
        ...(spec && placedUnder(spec))
      }
    }
  })
}

export function withPositions(positions: Positions, records: readonly PositionRecord[]): Positions {
  const next: Record<string, Position> = { ...positions }
  for (const { topic, partition, position } of records) next[tp(topic, partition)] = position
  return next
}

/** A committed partition has no failures in a row, and what was refused behind its position is dealt with. */
export function forgive(ledger: Ledger, acked: Marks): Ledger {
  const next: Record<string, Entry> = { ...ledger }
  for (const [key, { next: position }] of Object.entries(acked)) {
    const entry = next[key]
    if (entry !== undefined && entry.failures > 0) next[key] = { ...entry, failures: 0, isCareful: false }
    if (entry?.refused !== undefined)
      next[key] = withoutRefused(next[key] ?? entry, behind(entry.refused, position))
  }
  return next
}

function withoutRefused({ refused: _, ...entry }: Entry, refused: Refused | undefined): Entry {
  return refused === undefined ? entry : { ...entry, refused }
}

/** Which partitions began and which ceased to be copied between two ledgers; one that is assigned anew did both. */
export function difference(before: Ledger, after: Ledger): Difference {
  const isIn = (ledger: Ledger, key: string, { generation }: Entry) =>
    ledger[key]?.standing === 'copying' && ledger[key].generation === generation
  const isStarted = ([key, entry]: [string, Entry]) =>
    entry.standing === 'copying' && !isIn(before, key, entry)
  const isEnded = ([key, entry]: [string, Entry]) => entry.standing === 'copying' && !isIn(after, key, entry)
  return {
    started: Object.entries(after).filter(isStarted),
    ended: Object.entries(before)
      .filter(isEnded)
      .map(([, { spec }]) => ({ topic: spec.topic, partition: spec.partition }))
  }
}

export interface Difference {
  readonly started: readonly (readonly [key: string, entry: Entry])[]
  readonly ended: readonly TopicPartition[]
}

function mapEntries(ledger: Ledger, change: (entry: Entry, key: string) => Entry): Ledger {
  return Object.fromEntries(Object.entries(ledger).map(([key, entry]) => [key, change(entry, key)]))
}

function admitted(spec: PartitionSpec): Entry {
  return { spec, standing: 'waiting', failures: 0, taken: -1, end: spec.end, generation: 0 }
}

/** Stopped, but the rules let it go on with what the source has now. */
function mayBeginAnew(
  { standing }: Entry,
  { rules, logStart }: PartitionSpec,
  position: Position | undefined
) {
  if (standing === 'topic-reset') return rules.policies.topicReset === 'restart'
  if (standing === 'log-diverged') return rules.policies.logDiverged === 'skip'
  const isBehind = position !== undefined && position.next < logStart
  return standing === 'data-loss' && rules.policies.dataLoss === 'skip' && isBehind
}

/** Of a log that diverged, what took the place of the records that were copied is what is skipped. */
function anew(
  { standing, reason = '', generation }: Entry,
  spec: PartitionSpec,
  position: Position | undefined
): Entry {
  const entry = { ...admitted(spec), generation }
  if (standing !== 'log-diverged' || position === undefined) return entry
  return { ...entry, jump: { from: position.next, to: position.next, reason } }
}

/** A known partition looked at again. Ids are compared with those it was copied under, not only with its position. */
function refreshed(entry: Entry, spec: PartitionSpec, position: Position | undefined): Entry {
  const isOtherLimit = entry.spec.targetMaxBytes !== spec.targetMaxBytes
  const known = isOtherLimit ? withoutRefused(entry, undefined) : entry
  const next: Entry = { ...known, spec: counted(spec, entry.spec), end: Math.max(entry.end, spec.end) }
  const reset =
    differs('source', entry.spec.sourceId, spec.sourceId) ??
    differs('target', entry.spec.targetId, spec.targetId)
  if (reset !== undefined && (entry.taken >= 0 || position !== undefined)) {
    // What is still to be committed was copied under the ids of before: the position must not name the new ones.
    const { sourceId, targetId } = entry.spec
    return stopped(
      { ...next, spec: { ...spec, sourceId, targetId } },
      { standing: 'topic-reset', reason: reset }
    )
  }
  const hold = spec.hold ?? growthHold(spec, entry.spec)
  if (entry.standing === 'copying') {
    if (hold !== undefined) return stopped(next, { standing: 'held', reason: hold })
    const isPlacedAnew = hashedOver(entry.spec) !== hashedOver(next.spec)
    return isPlacedAnew ? { ...next, generation: entry.generation + 1 } : next
  }
  if (entry.standing === 'rejected' && isOtherLimit) return waiting(next)
  if (entry.standing !== 'held') return next
  const changed = entry.spec.hold !== spec.hold || isOtherLimit
  if (!changed) return next
  return hold === undefined ? waiting(next) : stopped(next, { standing: 'held', reason: hold })
}

function differs(side: string, before: string | undefined, now: string | undefined): string | undefined {
  if (before === undefined || now === undefined || before === now) return undefined
  return `the ${side} topic was created anew: it had id ${before}, now it has ${now}`
}

function waiting({ reason: _reason, jump: _jump, ...entry }: Entry): Entry {
  return { ...entry, standing: 'waiting' }
}

function stopped(entry: Entry, stop: Stop): Entry {
  return { ...entry, standing: stop.standing, reason: stop.reason }
}
