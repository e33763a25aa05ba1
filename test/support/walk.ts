import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
  initialTransition,
  transition
} from 'xstate'

export interface Walk<Machine extends AnyStateMachine> {
  readonly machine: Machine
  readonly input: unknown
  /** The events to try in a state. `doneOf` and `failedOf` make those of invoked children. */
  readonly events: (snapshot: AnyMachineSnapshot) => readonly EventObject[]
  /** States with the same key are the same state; keep it finite. */
  readonly key: (snapshot: AnyMachineSnapshot) => string
  /** Called for every edge, and once for the first state without event. */
  readonly check: (next: AnyMachineSnapshot, before?: AnyMachineSnapshot, event?: EventObject) => void
}

/**
 * Visits every reachable state of a machine by the pure `transition()` and checks each edge. Returns the keys of all
 * states and the number of edges; fails when there are more than 20,000 states.
 */
export function walk<Machine extends AnyStateMachine>(
  options: Walk<Machine>
): {
  readonly states: ReadonlySet<string>
  readonly edges: number
} {
  const [first] = initialTransition(options.machine, options.input as never)
  options.check(first)
  const seen = new Map([[options.key(first), first as AnyMachineSnapshot]])
  let edges = 0
  for (const state of seen.values()) {
    if (state.status !== 'active') continue
    for (const event of options.events(state)) {
      const [next] = transition(options.machine, state as never, event as never)
      edges++
      options.check(next, state, event)
      const key = options.key(next)
      if (!seen.has(key)) seen.set(key, next)
      if (seen.size > 20_000) throw new Error('too many states: the key is not finite')
    }
  }
  return { states: new Set(seen.keys()), edges }
}

export function doneOf(actorId: string, output: unknown): EventObject & Record<string, unknown> {
  return { type: `xstate.done.actor.${actorId}`, actorId, output }
}

export function failedOf(actorId: string, error: unknown): EventObject & Record<string, unknown> {
  return { type: `xstate.error.actor.${actorId}`, actorId, error }
}
