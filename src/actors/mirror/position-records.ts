import type { Naming } from '../../config/naming.ts'
import { Fault } from '../../errors.ts'
import type { Position } from '../../machines/ledger.ts'
import type { PositionRecord } from '../../machines/shard-protocol.ts'
import type { Record } from '../../records/record.ts'
import { tp } from '../kafka/topic-partition.ts'

/**
 * The records of `<prefix>.positions.internal`, one partition per shard, compacted. Keys and values are UTF-8.
 *
 *     key                  value
 *     <topic>-<partition>  {"next":1234,"leaderEpoch":5,"sourceId":"…","targetId":"…"}
 *     claim                {"source":"…","target":"…","shards":32,"hash":1,"naming":"identity"}
 *     scope                which topics are copied under which names: see topics/scope-records.ts
 *
 * `next` is the next offset to copy, `leaderEpoch` that of the last batch before it (-1: unknown); topic and cluster ids
 * are absent where the brokers have none.
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
  if (name === SCOPE_KEY) return { type: 'scope' }
  if (value === null) return { type: 'tombstone', key: name }
  const fields = parse(name, value)
  if (name === CLAIM_KEY) return { type: 'claim', claim: fields as unknown as Claim }
  const { next, leaderEpoch, sourceId, targetId } = fields
  if (typeof next !== 'number' || !Number.isSafeInteger(next) || next < 0) throw unreadable(name, 'no offset')
  const position: Position = {
    next,
    leaderEpoch: typeof leaderEpoch === 'number' ? leaderEpoch : -1,
    sourceId: typeof sourceId === 'string' ? sourceId : undefined,
    targetId: typeof targetId === 'string' ? targetId : undefined
  }
  return { type: 'position', key: name, position }
}

export type Decoded =
  | { readonly type: 'position'; readonly key: string; readonly position: Position }
  | { readonly type: 'claim'; readonly claim: Claim }
  | { readonly type: 'tombstone'; readonly key: string }
  | { readonly type: 'scope' }

/** Throws `claim-mismatch`, naming both sides, unless the positions were written by a mirror like this one. */
export function checkClaim(found: Claim, ours: Claim, topic: string): void {
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

/** What a claim calls a naming. The names of a map may grow: what they did to a topic shows in its ids. */
export function claimedNaming(naming: Naming): string {
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
