import type { ActorLogic, EventObject, Snapshot } from 'xstate'

/** What a task sees of the machine that invoked it. */
export interface TaskScope<Input, Command extends EventObject, Report extends EventObject> {
  readonly input: Input
  /** Aborted when the machine leaves the invoking state. It belongs in every call that waits. */
  readonly signal: AbortSignal
  /** Sends an event to the machine; nothing happens once the task has ended. */
  readonly report: (event: Report) => void
  /** Takes the machine's commands, those that came earlier first, in order. */
  readonly receive: (listener: (command: Command) => void) => void
}

export type TaskSnapshot<Output, Input> = Snapshot<Output> & { readonly input: Input }

export type TaskLogic<Output, Input, Command extends EventObject> = ActorLogic<
  TaskSnapshot<Output, Input>,
  Command | Settled<Output>,
  Input
>

type Settled<Output> =
  | { readonly type: 'task.done'; readonly output: Output }
  | { readonly type: 'task.failed'; readonly error: unknown }

interface Running<Command extends EventObject> {
  readonly abort: AbortController
  readonly early: Command[]
  listener?: (command: Command) => void
}

/**
 * A long-lived, abortable actor: a promise with a mailbox.
 *
 * Every actor that holds a connection is a task. `fromCallback` would lose asynchronous errors and never await its
 * cleanup; what a task throws, whenever it throws, reaches the invoking state's `onError`.
 */
export function fromTask<
  Output,
  Input = undefined,
  Command extends EventObject = never,
  Report extends EventObject = never
>(run: (scope: TaskScope<Input, Command, Report>) => Promise<Output>): TaskLogic<Output, Input, Command> {
  const running = new WeakMap<object, Running<Command>>()

  return {
    getInitialSnapshot: (_scope, input) => ({ status: 'active', output: undefined, error: undefined, input }),
    getPersistedSnapshot: (snapshot) => snapshot,

    start: (snapshot, { self }) => {
      const state: Running<Command> = { abort: new AbortController(), early: [] }
      running.set(self, state)
      const isActive = () => self.getSnapshot().status === 'active'
      const settle = (event: Settled<Output>) => {
        if (isActive()) self.send(event)
      }
      const scope: TaskScope<Input, Command, Report> = {
        input: snapshot.input,
        signal: state.abort.signal,
        report: (event) => {
          if (isActive()) self._parent?.send(event)
        },
        receive: (listener) => {
          state.listener = listener
          for (const command of state.early.splice(0)) listener(command)
        }
      }
      Promise.resolve()
        .then(() => run(scope))
        .then(
          (output) => settle({ type: 'task.done', output }),
          (error: unknown) => settle({ type: 'task.failed', error })
        )
    },

    transition: (snapshot, event, { self }) => {
      if (snapshot.status !== 'active') return snapshot
      const state = running.get(self)
      if (isSettled<Output>(event)) {
        running.delete(self)
        return event.type === 'task.done'
          ? { ...snapshot, status: 'done', output: event.output, error: undefined }
          : { ...snapshot, status: 'error', output: undefined, error: event.error }
      }
      if ((event as EventObject).type === 'xstate.stop') {
        running.delete(self)
        state?.abort.abort()
        return { ...snapshot, status: 'stopped', output: undefined, error: undefined }
      }
      try {
        if (state?.listener) state.listener(event)
        else state?.early.push(event)
        return snapshot
      } catch (error) {
        running.delete(self)
        state?.abort.abort(error)
        return { ...snapshot, status: 'error', output: undefined, error }
      }
    }
  }
}

function isSettled<Output>(event: EventObject): event is Settled<Output> {
  return event.type === 'task.done' || event.type === 'task.failed'
}
