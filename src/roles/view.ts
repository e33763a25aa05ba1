import type { FlowState, PartitionView } from './role.ts'

/** What role pages say about any machine. */

/** Backpressure as the flow machine has it. */
export function flowOf(children: { readonly flow?: { getSnapshot(): unknown } | undefined }): FlowState {
  const value = (children.flow?.getSnapshot() as { readonly value?: unknown } | undefined)?.value
  return value === 'throttled' || value === 'paused' ? value : 'flowing'
}

/** A state's value as words joined by dots; of parallel regions, the one that works. */
export function stateOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  const entries = Object.entries(value)
  const [name, inner] = entries.find(([region]) => region === 'pipeline') ?? entries[0] ?? ['', '']
  if (entries.length > 1) return stateOf(inner)
  const rest = stateOf(inner)
  return rest === '' ? name : `${name}.${rest}`
}

/** Reasons told at once. */
const REASONS_MAX = 5

/** What is wrong with these partitions: those of one state and reason together, named by the first. */
export function troublesOf(partitions: readonly PartitionView[]): string[] {
  const alike = Map.groupBy(partitions, ({ state, reason = '' }) => `${state}\n${reason}`)
  // What has a reason of its own is told before what merely waits.
  const groups = [...alike.values()].sort((a, b) => rank(a) - rank(b))
  const told = groups.slice(0, REASONS_MAX).map(troubleOf)
  const rest = groups.slice(REASONS_MAX).reduce((sum, { length }) => sum + length, 0)
  return rest === 0 ? told : [...told, `and ${rest} more`]
}

function rank([first]: readonly PartitionView[]): number {
  return first?.reason === undefined ? 1 : 0
}

function troubleOf(alike: readonly PartitionView[]): string {
  const [{ topic, partition, state, reason } = { topic: '', partition: 0, state: '' }] = alike
  const others = alike.length === 1 ? 'is' : `and ${alike.length - 1} more are`
  return `${topic}-${partition} ${others} ${state}${reason === undefined ? '' : `: ${reason}`}`
}
