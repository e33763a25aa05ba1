import type { Naming } from '../../config/naming.ts'
import type { MirrorConfig } from '../../config.ts'
import { Fault } from '../../errors.ts'
import type { Position } from '../../machines/ledger.ts'
import type { PositionRecord } from '../../machines/shard-protocol.ts'
import type { Record } from '../../records/record.ts'
import { hashVersion } from '../kafka/assignor.ts'
import { type TopicPartition, tp } from '../kafka/topic-partition.ts'

/**
 * The records of `<prefix>.positions.internal`, one partition per shard, compacted. Keys and values are UTF-8.
 *
 *     key                  value
 *     <topic>-<partition>  {"next":1234,"leaderEpoch":5,"sourceId":"…","targetId":"…"}
 *     claim                {"source":"…","target":"…","shards":32,"hash":1,"naming":"identity"}
 *     scope                which topics are copied under which names: see topics/scope-records.ts
 *
 * `next` is the next offset to copy, `leaderEpoch` that of the last batch before it (-1: unknown); topic and cluster ids
 * are absent where the brokers have none. A claim with `moved` or `handedBack` ends what the partition is good for.
 */
export interface Claim {
  /** Cluster ids. */
  readonly source: string | undefined
  readonly target: string | undefined
  readonly shards: number
  /** Version of the hash that maps partitions to shards. */
  readonly hash: number
  /** How topics are named: `identity`, `prefix …` or `map`. */
  readonly naming: string
  /** The topic that the positions are in now. */
  readonly moved?: string
  /** The alias by which MirrorMaker 2 knows the source: it copies now. */
  readonly handedBack?: string
}

const CLAIM_KEY = 'claim'
/** Of the record that tells other mirrors what this one copies; it says nothing about positions. */
export const SCOPE_KEY = 'scope'

export function encodePosition({ topic, partition, position }: PositionRecord, timestamp: number): Record {
  return recordOf(tp(topic, partition), position, timestamp)
}

export function encodeClaim(claim: Claim, timestamp: number): Record {
  return recordOf(CLAIM_KEY, claim, timestamp)
}

/** One record of the topic, read back. Throws `positions-unreadable`: going on without it would repeat or lose data. */
export function decodeRecord(key: Buffer | null, value: Buffer | null): Decoded {
  const name = key?.toString() ?? ''
  if (name === SCOPE_KEY) return { type: 'scope', value }
  if (value === null) return { type: 'tombstone', key: name }
  const fields = parse(name, value)
  if (name === CLAIM_KEY) return { type: 'claim', claim: fields as unknown as Claim }
  const { next, leaderEpoch, sourceId, targetId, targetPartitions } = fields
  if (typeof next !== 'number' || !Number.isSafeInteger(next) || next < 0) throw unreadable(name, 'no offset')
  const position: Position = {
    next,
    leaderEpoch: typeof leaderEpoch === 'number' ? leaderEpoch : -1,
    sourceId: typeof sourceId === 'string' ? sourceId : undefined,
    targetId: typeof targetId === 'string' ? targetId : undefined,
    ...(typeof targetPartitions === 'number' && { targetPartitions })
  }
  return { type: 'position', key: name, position }
}

export type Decoded =
  | { readonly type: 'position'; readonly key: string; readonly position: Position }
  | { readonly type: 'claim'; readonly claim: Claim }
  | { readonly type: 'tombstone'; readonly key: string }
  | { readonly type: 'scope'; readonly value: Buffer | null }

/** The record of a topic of our own without a value: its key means nothing any more. */
export function tombstone(key: string, timestamp: number): Record {
  return { key: Buffer.from(key), value: null, headers: [], timestamp }
}

/**
 * Throws unless the positions are there to be gone on from by a mirror like this one: `claim-mismatch` names both sides,
 * `mirror-handed-back` and `positions-moved` say what to do.
 */
export function checkClaim(found: Claim, ours: Claim, topic: string): void {
  if (found.moved !== undefined) {
    const undone = 'if that goes on, a reshard has not ended: run it again'
    throw new Fault('positions-moved', `the positions of ${topic} are in ${found.moved} now; ${undone}`)
  }
  if (found.handedBack !== undefined) {
    const whom = `MirrorMaker 2, which knows the source as ${found.handedBack}`
    const undo = 'to copy here again, stop it and run `causeway mirror takeover`'
    throw new Fault('mirror-handed-back', `the mirror of ${topic} was handed back to ${whom}; ${undo}`)
  }
  checkLikeness(found, ours, topic)
}

/** Throws `claim-mismatch`, naming both sides, unless the positions were written by a mirror like this one. */
export function checkLikeness(found: Claim, ours: Claim, topic: string): void {
  const differs = (['source', 'target', 'shards', 'hash', 'naming'] as const).filter(
    (field) => found[field] !== undefined && ours[field] !== undefined && found[field] !== ours[field]
  )
  if (differs.length === 0) return
  const side = (claim: Claim) => differs.map((field) => `${field} ${claim[field]}`).join(', ')
  throw new Fault(
    'claim-mismatch',
    `${topic} belongs to a mirror with ${side(found)}; this one has ${side(ours)}`
  )
}

/** The topic-partition of a position's key. */
export function partitionOfKey(key: string): TopicPartition {
  const dash = key.lastIndexOf('-')
  return { topic: key.slice(0, dash), partition: Number(key.slice(dash + 1)) }
}

/** The claim of a mirror with this config between these clusters. */
export function claimOf(
  { shards, naming }: Pick<MirrorConfig, 'shards' | 'naming'>,
  { source, target }: Pick<Claim, 'source' | 'target'>
): Claim {
  return { source, target, shards, hash: hashVersion, naming: claimedNaming(naming) }
}

/** What a claim calls a naming. The names of a map may grow: what they did to a topic shows in its ids. */
function claimedNaming(naming: Naming): string {
  return naming.type === 'prefix' ? `prefix ${naming.prefix}` : naming.type
}

function recordOf(key: string, value: object, timestamp: number): Record {
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), headers: [], timestamp }
}

function parse(key: string, value: Buffer): { readonly [field: string]: unknown } {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    if (typeof parsed === 'object' && parsed !== null) return parsed as { readonly [field: string]: unknown }
  } catch {
    // Said below.
  }
  throw unreadable(key, 'no JSON object')
}

function unreadable(key: string, why: string): Fault {
  return new Fault('positions-unreadable', `the position record of ${key} cannot be read: ${why}`)
}
