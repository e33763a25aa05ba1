import type { SnapshotFrom } from 'xstate'
import type { loaderMachine } from '../machines/loader.ts'
import type { Chain, ChainStatus } from '../machines/loader-chains.ts'
import type { PartitionView, RoleView } from './role.ts'

/** What a loader's snapshot says to people and monitors. Pure and total. */
export function describeLoader(snapshot: SnapshotFrom<typeof loaderMachine>): RoleView {
  const { chains, counters, fault, flow } = snapshot.context
  const troubles = chains.flatMap(({ chain, status }) =>
    status.type === 'held' || status.type === 'data-loss' ? [`${chain}: ${reasonOf(status)}`] : []
  )
  const isWorking = snapshot.matches('working') && !snapshot.matches({ working: 'connecting' })
  const isRestored = chains.every(({ position }) => position !== undefined)
  const hasLooked = chains.length > 0 || snapshot.matches({ working: 'idle' })
  return {
    state: wordsOf(snapshot.value),
    ready: isWorking && isRestored && hasLooked && troubles.length === 0,
    flow,
    partitions: onePerPartition(chains).map(partitionView),
    counters: { ...counters },
    notes: [...(fault === undefined ? [] : [`${fault.code}: ${fault.message}`]), ...troubles]
  }
}

function wordsOf(value: SnapshotFrom<typeof loaderMachine>['value']): string {
  return typeof value === 'string' ? value : Object.entries(value).flat().join('.')
}

/** The most urgent first. */
const URGENCY: readonly ChainStatus['type'][] = ['data-loss', 'held', 'waiting', 'following', 'closed']

/**
 * A partition has a chain per generation and per incarnation of its topic. Shown is the one in most trouble, among equals
 * the newest generation.
 */
function onePerPartition(chains: readonly Chain[]): readonly Chain[] {
  const shown = new Map<string, Chain>()
  for (const chain of chains) {
    const place = `${chain.id.topic} ${chain.id.partition}`
    const other = shown.get(place)
    if (other === undefined || isMoreUrgent(chain, other)) shown.set(place, chain)
  }
  return [...shown.values()]
}

function isMoreUrgent(chain: Chain, other: Chain): boolean {
  const difference = URGENCY.indexOf(chain.status.type) - URGENCY.indexOf(other.status.type)
  return difference === 0 ? chain.id.generation > other.id.generation : difference < 0
}

function partitionView({ id, status, position, end }: Chain): PartitionView {
  const reason = reasonOf(status)
  return {
    topic: id.topic,
    partition: id.partition,
    state: status.type,
    position: position ?? -1,
    end,
    ...(reason === undefined ? {} : { reason })
  }
}

function reasonOf(status: ChainStatus): string | undefined {
  if (status.type === 'waiting' || status.type === 'held') return status.reason
  if (status.type === 'data-loss') return `offsets [${status.from}, ${status.to}) are lost: ${status.reason}`
  return undefined
}
