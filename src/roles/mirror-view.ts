import type { SnapshotFrom } from 'xstate'
import { tp } from '../actors/kafka/topic-partition.ts'
import type { MirrorStats } from '../actors/mirror/stats.ts'
import { type PlacedPartition, shardId } from '../machines/mirror.ts'
import type { shardMachine } from '../machines/shard.ts'
import type { MirrorSnapshot } from './mirror.ts'
import type { PartitionView, RoleView } from './role.ts'
import { flowOf, stateOf } from './view.ts'

type ShardSnapshot = SnapshotFrom<typeof shardMachine>

/** What a mirror's snapshot says to people and monitors. */
export function describeMirror(snapshot: MirrorSnapshot, stats: MirrorStats): RoleView {
  const { context } = snapshot
  const shards = new Map(
    context.shards.flatMap((shard) => {
      const child = snapshot.children[shardId(shard)]?.getSnapshot() as ShardSnapshot | undefined
      return child === undefined ? [] : [[shard, child] as const]
    })
  )
  const partitions = context.partitions
    .filter(({ shard }) => shards.has(shard))
    .map((placed) => partitionOf(placed, shards.get(placed.shard)))
  const isCopying = snapshot.matches({ running: 'copying' }) && context.hasLooked
  return {
    state: stateOf(snapshot.value),
    ready: isCopying && partitions.every(({ state }) => state === 'copying'),
    flow: flowOf(snapshot.children),
    partitions,
    counters: stats.counters,
    notes: notesOf(snapshot, shards)
  }
}

function partitionOf(placed: PlacedPartition, shard: ShardSnapshot | undefined): PartitionView {
  const { topic, partition } = placed
  const key = tp(topic, partition)
  const entry = shard?.context.ledger[key]
  const position = shard?.context.positions[key]?.next ?? placed.logStart
  const isWaiting = entry === undefined || entry.standing === 'waiting'
  const standing = isWaiting && shard !== undefined ? shardState(shard) : (entry?.standing ?? 'waiting')
  const isStalled = standing === 'copying' && placed.stall !== undefined
  const state = isStalled ? 'source-lso-stuck' : standing
  const reason = isStalled ? placed.stall : (entry?.reason ?? (isWaiting ? reasonOf(shard) : undefined))
  return {
    topic,
    partition,
    state,
    position,
    end: entry?.end ?? placed.end,
    ...(reason === undefined ? {} : { reason })
  }
}

/** The state of a shard that is not copying: what its partitions wait for. */
function shardState(shard: ShardSnapshot): string {
  if (shard.matches({ live: { fencing: 'markersPending' } })) return 'markers-pending'
  if (shard.matches({ live: { restoring: 'hangingTransaction' } })) return 'hanging-transaction'
  if (shard.matches({ live: 'fencing' })) return 'fencing'
  if (shard.matches({ live: 'restoring' })) return 'restoring'
  return shard.matches('backoff') ? 'backing-off' : 'waiting'
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
  return [...own, ...faults, ...context.notes]
}
