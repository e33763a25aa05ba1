import { Fault } from '../../errors.ts'
import type { SessionCommand, SessionReport } from '../../machines/loader.ts'
import type { Batch } from '../../machines/loader-chains.ts'
import type { ByteBudget } from '../budget.ts'
import type { Store } from '../store/store.ts'
import { fromTask, type TaskScope } from '../task.ts'
import { copySources } from './files.ts'
import { type SessionOptions, WarehouseSession } from './session.ts'

export interface LoadingOptions {
  readonly store: Store
  readonly budget: ByteBudget
  readonly session: SessionOptions
}

/** Faults that blame the batch: the transaction was rolled back, and the session is sound. */
const BLAMES_BATCH: ReadonlySet<string> = new Set(['rows-refused', 'file-missing', 'file-corrupt'])

/**
 * The loader's connection to its warehouse, as an actor: it lives as long as its session and ends with the session's
 * fault. Commands are answered one by one, in order.
 */
export function createLoading(options: LoadingOptions) {
  return fromTask<void, undefined, SessionCommand, SessionReport>(async (scope) => {
    const session = await WarehouseSession.open(options.session, scope.signal)
    try {
      scope.report({ type: 'session.ready' })
      for await (const command of commandsOf(scope)) {
        scope.report(await obey(command, session, options, scope))
      }
    } finally {
      session.destroy()
    }
  })
}

type Scope = TaskScope<undefined, SessionCommand, SessionReport>

/** The mailbox as a sequence; it ends by throwing when the task is aborted. */
async function* commandsOf({ receive, signal }: Scope): AsyncGenerator<SessionCommand, never> {
  const queue: SessionCommand[] = []
  let wake = () => {}
  signal.addEventListener('abort', () => wake(), { once: true })
  receive((command) => {
    queue.push(command)
    wake()
  })
  for (;;) {
    signal.throwIfAborted()
    const next = queue.shift()
    if (next === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    } else {
      yield next
    }
  }
}

async function obey(
  command: SessionCommand,
  session: WarehouseSession,
  options: LoadingOptions,
  scope: Scope
): Promise<SessionReport> {
  if (command.type === 'read.positions') {
    return { type: 'positions.read', positions: await session.positions(command.chains) }
  }
  try {
    return await load(command.batch, session, options, scope)
  } catch (error) {
    if (error instanceof Fault && BLAMES_BATCH.has(error.code)) return { type: 'batch.refused', fault: error }
    throw error
  }
}

async function load(
  batch: Batch,
  session: WarehouseSession,
  { store, budget, session: { requiredColumns } }: LoadingOptions,
  { signal, report }: Scope
): Promise<SessionReport> {
  const totals = { rowsLoaded: 0, filesLoaded: 0, bytesLoaded: 0, nulReplaced: 0, invalidUtf8Replaced: 0 }
  const sources = copySources(
    batch.entries,
    {
      store,
      budget,
      columns: new Set(requiredColumns),
      onFlow: (flow) => report({ type: 'flow.changed', flow }),
      onFile: ({ bytes }, { nul, invalidUtf8 }) => {
        totals.filesLoaded++
        totals.bytesLoaded += bytes
        totals.nulReplaced += nul
        totals.invalidUtf8Replaced += invalidUtf8
      }
    },
    signal
  )
  const result = await session.load(batch, sources)
  if (result.outcome === 'busy') return { type: 'batch.busy' }
  if (result.outcome === 'moved') return { type: 'batch.moved', position: result.position }
  return { type: 'batch.loaded', totals: { ...totals, rowsLoaded: result.rows } }
}
