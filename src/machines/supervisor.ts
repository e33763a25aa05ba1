import { type AnyActorLogic, assign, fromPromise, raise, sendTo, setup, stateIn } from 'xstate'
import type { RestartConfig } from '../config.ts'
import { exitCodeOf, exitCodes, type Fault, toFault } from '../errors.ts'

/**
 * One role instance: it runs, and after a fault it runs again, a little later each time. Other roles do not notice.
 *
 * More than `restartsMax` restarts within `windowMs` end it with the fault that caused the last one; so does, at once, a
 * fault that no restart can cure because the configuration or a place is unusable. A fault while draining ends it too:
 * nothing is lost by that, since positions move only after their bytes are durable.
 */
export interface SupervisorInput {
  readonly restart: RestartConfig
  /** The input of the role's own logic, the same at each start. */
  readonly role: unknown
  /** A uniform number in [0, 1), for jitter. */
  readonly random: () => number
}

export type SupervisorEvent = { readonly type: 'drain' } | { readonly type: 'restart.forgotten' }

export interface SupervisorOutput {
  /** Why it ended; absent when the role ended of itself or drained. */
  readonly fault?: Fault
}

interface SupervisorContext extends SupervisorInput {
  /** Restarts within the last `windowMs`. */
  readonly recentRestarts: number
  readonly restarts: number
  readonly backoffMs: number
  /** The newest fault. */
  readonly fault?: Fault
  /** The fault that ended it. */
  readonly fatal?: Fault
}

const unbound: AnyActorLogic = fromPromise<unknown, unknown>(() =>
  Promise.reject(new Error('role not provided'))
)

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
    output: {} as SupervisorOutput
  },
  actors: { role: unbound },
  guards: {
    isUnusable: (_, fault: Fault) => exitCodeOf(fault) === exitCodes.unusable,
    isDraining: stateIn({ active: 'draining' }),
    isExhausted: ({ context }: { readonly context: SupervisorContext }) =>
      context.recentRestarts >= context.restart.restartsMax
  },
  actions: {
    keepFault: assign((_, fault: Fault) => ({ fault })),
    fail: assign((_, fault: Fault) => ({ fault, fatal: fault })),
    countRestart: assign({
      restarts: ({ context }) => context.restarts + 1,
      recentRestarts: ({ context }) => context.recentRestarts + 1,
      backoffMs: ({ context }) => backoff(context.restart, context.recentRestarts, context.random())
    }),
    forgetRestart: assign({ recentRestarts: ({ context }) => Math.max(0, context.recentRestarts - 1) }),
    drainRole: sendTo('role', { type: 'drain' })
  },
  delays: {
    backoff: ({ context }) => context.backoffMs,
    window: ({ context }) => context.restart.windowMs
  }
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ ...input, recentRestarts: 0, restarts: 0, backoffMs: 0 }),
  initial: 'active',
  on: { 'restart.forgotten': { actions: 'forgetRestart' } },
  states: {
    active: {
      invoke: {
        id: 'role',
        src: 'role',
        input: ({ context }: { readonly context: SupervisorContext }) => context.role,
        onDone: 'finished',
        onError: [
          {
            guard: { type: 'isUnusable', params: faultOf },
            target: 'failed',
            actions: { type: 'fail', params: faultOf }
          },
          { guard: 'isDraining', target: 'failed', actions: { type: 'fail', params: faultOf } },
          { guard: 'isExhausted', target: 'failed', actions: { type: 'fail', params: faultOf } },
          { target: 'backing-off', actions: { type: 'keepFault', params: faultOf } }
        ]
      },
      initial: 'running',
      states: {
        running: { on: { drain: 'draining' } },
        draining: {
          entry: 'drainRole'
        }
      }
    },
    'backing-off': {
      entry: ['countRestart', raise({ type: 'restart.forgotten' }, { delay: 'window' })],
      on: { drain: 'finished' },
      after: { backoff: 'active' }
    },
    finished: { type: 'final' },
    failed: { type: 'final' }
  },
  output: ({ context }) => (context.fatal === undefined ? {} : { fault: context.fatal })
})

function faultOf({ event }: { readonly event: { readonly error: unknown } }): Fault {
  return toFault(event.error)
}

/** Exponential with equal jitter: between half of the step and the whole of it. */
export function backoff(restart: RestartConfig, earlier: number, random: number): number {
  const step = Math.min(restart.backoffMaxMs, restart.backoffMinMs * 2 ** Math.min(earlier, 30))
  return Math.round(step / 2 + (step / 2) * random)
}
