import { type AnyActorLogic, and, assign, enqueueActions, setup } from 'xstate'
import { Fault, toFault } from '../errors.ts'
import type { SupervisorInput, SupervisorOutput } from './supervisor.ts'

/** A role instance to supervise: `logic` is a supervisor machine with the role bound to it. */
export interface Supervised {
  readonly id: string
  readonly logic: AnyActorLogic
  readonly input: SupervisorInput
}

export interface WorkerInput {
  readonly drainTimeoutMs: number
}

export type WorkerEvent =
  /** The server of metrics and page answers; roles may start. */
  | { readonly type: 'http.listening' }
  /** SIGTERM, SIGINT, or the demo being done. The first one drains, a second one ends at once. */
  | { readonly type: 'stop' }

export interface WorkerOutput {
  /** Why the worker failed; absent when it stopped as it was told. */
  readonly fault?: Fault
}

export interface WorkerContext extends WorkerInput {
  /** Roles that ended. */
  readonly ended: readonly string[]
  /** The first fault; later ones are only its consequences. */
  readonly fault?: Fault
}

type Scope = { readonly context: WorkerContext }
type Done = { readonly event: { readonly output: SupervisorOutput } }
type Failed = { readonly event: { readonly error: unknown } }

/**
 * The root of a process: `starting → running → draining → stopped` or `failed`.
 *
 * When a role ends with a fault the others drain, and then the worker fails with it; when all have ended of themselves
 * the worker stops. Server and roles are invoked by states around those, because draining must not end them.
 */
export function workerMachine(http: AnyActorLogic, roles: readonly Supervised[]) {
  return setup({
    types: {
      context: {} as WorkerContext,
      events: {} as WorkerEvent,
      input: {} as WorkerInput,
      output: {} as WorkerOutput
    },
    actors: logics(http, roles),
    guards: {
      isFaulted: ({ context }: Scope) => context.fault !== undefined,
      isOver: ({ context }: Scope) => context.ended.length >= roles.length
    },
    actions: {
      end: assign(({ context }, { id, fault }: { readonly id: string } & SupervisorOutput) => ({
        ended: [...context.ended, id],
        ...firstOf(context.fault, fault)
      })),
      fail: assign(({ context }, fault: Fault) => firstOf(context.fault, fault)),
      failInterrupted: assign(({ context }) => firstOf(context.fault, interrupted(context, roles))),
      failLate: assign(({ context }) => firstOf(context.fault, drainTimedOut(context, roles))),
      drainRoles: enqueueActions(({ enqueue, context }) => {
        // A message to a child that has ended would put this machine into error.
        for (const id of remaining(context, roles)) enqueue.sendTo(id, { type: 'drain' })
      })
    },
    delays: { drainTimeout: ({ context }) => context.drainTimeoutMs }
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ ...input, ended: [] }),
    initial: 'serving',
    states: {
      serving: {
        invoke: {
          id: 'http',
          src: 'http',
          onError: {
            target: 'failed',
            actions: { type: 'fail', params: ({ event }: Failed) => toFault(event.error) }
          }
        },
        initial: 'starting',
        states: {
          starting: { on: { 'http.listening': 'working', stop: '#worker.stopped' } },
          working: {
            invoke: roles.map(({ id, input }) => ({
              id,
              src: id,
              input: () => input,
              onDone: {
                actions: { type: 'end' as const, params: ({ event }: Done) => ({ ...event.output, id }) }
              },
              onError: {
                target: '#worker.failed',
                actions: { type: 'fail' as const, params: ({ event }: Failed) => toFault(event.error) }
              }
            })),
            initial: 'running',
            states: {
              running: {
                always: [
                  { guard: 'isFaulted', target: 'draining' },
                  { guard: 'isOver', target: '#worker.stopped' }
                ],
                on: { stop: 'draining' }
              },
              draining: {
                entry: 'drainRoles',
                always: [
                  { guard: and(['isOver', 'isFaulted']), target: '#worker.failed' },
                  { guard: 'isOver', target: '#worker.stopped' }
                ],
                on: { stop: { target: '#worker.failed', actions: 'failInterrupted' } },
                after: { drainTimeout: { target: '#worker.failed', actions: 'failLate' } }
              }
            }
          }
        }
      },
      stopped: { type: 'final' },
      failed: { type: 'final' }
    },
    output: ({ context }) => firstOf(context.fault)
  })
}

function logics(http: AnyActorLogic, roles: readonly Supervised[]): Record<string, AnyActorLogic> {
  return { http, ...Object.fromEntries(roles.map(({ id, logic }) => [id, logic])) }
}

function firstOf(...faults: readonly (Fault | undefined)[]): { readonly fault?: Fault } {
  const fault = faults.find((each) => each !== undefined)
  return fault === undefined ? {} : { fault }
}

function remaining(context: WorkerContext, roles: readonly Supervised[]): string[] {
  return roles.map(({ id }) => id).filter((id) => !context.ended.includes(id))
}

function interrupted(context: WorkerContext, roles: readonly Supervised[]): Fault {
  const names = remaining(context, roles).join(', ')
  return new Fault(
    'interrupted',
    `a second signal ended the worker while it drained ${names}; nothing is lost`
  )
}

function drainTimedOut(context: WorkerContext, roles: readonly Supervised[]): Fault {
  const names = remaining(context, roles).join(', ')
  return new Fault(
    'drain-timed-out',
    `${names} did not drain within ${context.drainTimeoutMs} ms; nothing is lost`
  )
}
