import { type FlowEvent, type FlowState, nextFlow } from '../machines/flow.ts'
import type { FilesReport } from '../machines/sink-events.ts'
import type { ByteBudget } from './budget.ts'
import type { OpenFiles } from './store/open-files.ts'
import { fromTask } from './task.ts'

/** Tells the machine of a budget's use, but only where the flow's state changes: not once per lease. */
export function createMeter(budget: ByteBudget) {
  return fromTask<void, undefined, never, FlowEvent>((io) => metered(budget, io))
}

/** The same for a sink, which is told as well of each file that is open too much. */
export function createSinkMeter(budget: ByteBudget, openFiles: OpenFiles) {
  return fromTask<void, undefined, never, FlowEvent | FilesReport>(async (io) => {
    const end = openFiles.onExceeded(() => io.report({ type: 'files.exceeded' }))
    await metered(budget, io).finally(end)
  })
}

function metered(
  budget: ByteBudget,
  { signal, report }: { readonly signal: AbortSignal; readonly report: (event: FlowEvent) => void }
): Promise<void> {
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
}
