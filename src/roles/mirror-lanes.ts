import type { Lease } from '../actors/budget.ts'
import type { MirrorConfig } from '../config.ts'
import { createLanes } from '../lanes/lanes.ts'
import { type LaneConfig, revealed } from '../lanes/order.ts'
import { lanesMachine } from '../machines/lanes.ts'
import type { FlowState, Role, RoleContext, RoleView } from './role.ts'

/**
 * A mirror in several threads. Each lane is a whole mirror, a member of the group with a part of the shards: what makes several
 * processes safe makes lanes safe, and nothing is shared between them but the process. Here they are started, and
 * what they tell of themselves is put together.
 */
export function createMirrorLanes(context: RoleContext, instance: string, { lanes }: MirrorConfig): Role {
  const { config, budget, workerId } = context
  const { name, clusters, mirror, log }: LaneConfig = config
  const plain = revealed({ name, clusters, mirror, log })
  const budgetBytes = Math.floor(budget.limitBytes / lanes)
  const views: (RoleView | undefined)[] = Array.from({ length: lanes }, () => undefined)
  const leases: (Lease | undefined)[] = []
  const orders = views.map((_, lane) => ({ config: plain, instance, lane, workerId, budgetBytes }))
  const logic = lanesMachine.provide({
    actors: {
      lanes: createLanes({
        orders,
        onBegin: () => views.fill(undefined),
        onSeen: (lane, { view, usedBytes }) => {
          views[lane] = view
          leases[lane]?.release()
          leases[lane] = budget.takeNow(usedBytes)
        },
        onGone: () => {
          for (const lease of leases) lease?.release()
        }
      })
    }
  })
  return { role: 'mirror', instance, logic, input: undefined, describe: () => joined(views) }
}

const FLOWS: readonly FlowState[] = ['flowing', 'throttled', 'paused']

/** What several lanes are together. One that has not told of itself yet is starting. */
export function joined(views: readonly (RoleView | undefined)[]): RoleView {
  const told = views.filter((view) => view !== undefined)
  const behind = told.find(({ ready }) => !ready)
  const state = told.length < views.length ? 'starting' : (behind ?? told[0])?.state
  return {
    state: state ?? 'starting',
    ready: told.length === views.length && behind === undefined,
    reasons: told.flatMap(({ reasons = [] }) => reasons),
    flow: FLOWS[Math.max(0, ...told.map(({ flow }) => FLOWS.indexOf(flow)))] ?? 'flowing',
    partitions: told.flatMap(({ partitions }) => partitions),
    shards: sums(told.map(({ shards = {} }) => shards)),
    counters: sums(told.map(({ counters }) => counters)),
    // All lanes look at the same topics.
    notes: [...new Set(told.flatMap(({ notes }) => notes))]
  }
}

function sums(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const one of all) {
    for (const [name, value] of Object.entries(one)) total[name] = (total[name] ?? 0) + value
  }
  return total
}
