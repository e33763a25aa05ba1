import type { SnapshotFrom } from 'xstate'
import { tp } from '../actors/kafka/topic-partition.ts'
import type { Lags } from '../actors/mirror/lags.ts'
import type { MirrorStats } from '../actors/mirror/stats.ts'
import { shardId } from '../machines/mirror.ts'
import type { PlacedPartition } from '../machines/mirror-protocol.ts'
import type { shardMachine } from '../machines/shard.ts'
import type { MirrorSnapshot } from './mirror.ts'
import type { PartitionView, RoleView } from './role.ts'
import { flowOf, stateOf, troublesOf } from './view.ts'

type ShardSnapshot = SnapshotFrom<typeof shardMachine>

/** What is known of a mirror besides its snapshot. */
export interface MirrorRecord {
  readonly stats: MirrorStats
  readonly lags: Lags
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** What a mirror's snapshot says to people and monitors. */
export function describeMirror(snapshot: MirrorSnapshot, record: MirrorRecord): RoleView {
  const { context } = snapshot
  const shards = new Map(
    context.shards.flatMap((shard) => {
      const child = snapshot.children[shardId(shard)]?.getSnapshot() as ShardSnapshot | undefined
      return child === undefined ? [] : [[shard, child] as const]
    })
  )
  const partitions = context.partitions
    .filter(({ shard }) => shards.has(shard))
    .map((placed) => partitionOf(placed, shards.get(placed.shard), record))
  const isCopying = snapshot.matches({ running: 'copying' }) && context.hasLooked
  const stopped = partitions.filter(({ state }) => state !== 'copying')
  return {
    state: stateOf(snapshot.value),
    ready: isCopying && stopped.length === 0,
    reasons: isCopying ? troublesOf(stopped) : [],
    flow: flowOf(snapshot.children),
    partitions,
    shards: countBy([...shards.values()].map(shardState)),
    counters: record.stats.counters,
    notes: notesOf(snapshot, shards)
  }
}

function partitionOf(
  placed: PlacedPartition,
  shard: ShardSnapshot | undefined,
  { lags, now }: MirrorRecord
): PartitionView {
  const { topic, partition } = placed
  const key = tp(topic, partition)
  const entry = shard?.context.ledger[key]
  const position = shard?.context.positions[key]?.next ?? placed.logStart
  const isWaiting = entry === undefined || entry.standing === 'waiting'
  const standing = isWaiting ? waitingFor(shard) : entry.standing
  const end = entry?.end ?? placed.end
  // Whether it still is so the next look tells; what was copied from behind it tells sooner.
  const isStuck = standing === 'copying' && placed.stuck !== undefined && position <= placed.stuck.offset
  const stuck = isStuck ? placed.stuck : undefined
  const reason = stuck?.reason ?? entry?.reason ?? (isWaiting ? reasonOf(shard) : undefined)
  const ageMs = lags.ageMs(key, position, end)
  const lagMs = stuck === undefined ? ageMs : Math.max(ageMs ?? 0, now() - stuck.since)
  return {
    topic,
    partition,
    state: stuck === undefined ? standing : 'source-lso-stuck',
    position,
    end,
    highWatermark: Math.max(end, placed.highWatermark),
    ...(lagMs === undefined ? {} : { lagMs }),
    ...(reason === undefined ? {} : { reason })
  }
}

/** What a shard does; where it is not copying, its partitions wait for that. */
function shardState(shard: ShardSnapshot): string {
  if (shard.matches({ live: { fencing: 'markersPending' } })) return 'markers-pending'
  if (shard.matches({ live: { restoring: 'hangingTransaction' } })) return 'hanging-transaction'
  if (shard.matches({ live: 'fencing' })) return 'fencing'
  if (shard.matches({ live: 'restoring' })) return 'restoring'
  if (shard.matches('live')) return 'copying'
  if (shard.matches('backoff')) return 'backing-off'
  return shard.matches('vacant') ? 'vacant' : 'drained'
}

function countBy(states: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(states, (state) => state)].map(([state, { length }]) => [state, length])
  )
}

/** The state of a partition that waits for its shard. */
function waitingFor(shard: ShardSnapshot | undefined): string {
  const state = shard === undefined ? 'waiting' : shardState(shard)
  return state === 'copying' || state === 'vacant' ? 'waiting' : state
}

function reasonOf(shard: ShardSnapshot | undefined): string | undefined {
  const { waitingFor = '', fault } = shard?.context ?? {}
  return waitingFor === '' ? fault?.message : waitingFor
}

function notesOf({ context }: MirrorSnapshot, shards: ReadonlyMap<number, ShardSnapshot>): string[] {
  const faults = [...shards].flatMap(
    ([
      shard,
      {
        context: { fault }
      }
    ]) => (fault === undefined ? [] : [`shard ${shard}: ${fault.message} (${fault.code})`])
  )
  const own = [context.fault, context.lookFault].flatMap((fault) =>
    fault === undefined ? [] : [`${fault.message} (${fault.code})`]
  )
  return [...own, ...faults, ...context.notes, ...context.offsetNotes]
}
