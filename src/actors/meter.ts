import { type FlowEvent, type FlowState, nextFlow } from '../machines/flow.ts'
import type { ByteBudget } from './budget.ts'
import { fromTask } from './task.ts'

/** Tells the machine of a budget's use, but only where the flow's state changes: not once per lease. */
export function createMeter(budget: ByteBudget) {
  return fromTask<void, undefined, never, FlowEvent>(({ signal, report }) => {
    let state: FlowState = 'flowing'
    const look = (usedBytes: number) => {
      const next = nextFlow(state, usedBytes, budget.limitBytes)
      if (next === state) return
      state = next
      report({ type: 'budget.changed', usedBytes })
    }
    return new Promise((resolve) => {
      const end = budget.onChange(look)
      signal.addEventListener('abort', () => {
        end()
        resolve()
      })
      look(budget.usedBytes)
    })
  })
}
