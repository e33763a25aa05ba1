import type { FlowState } from './role.ts'

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
