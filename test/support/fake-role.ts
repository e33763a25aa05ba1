import { assign, setup } from 'xstate'
import { fromTask } from '../../src/actors/task.ts'
import type { RoleInstance } from '../../src/roles/catalog.ts'
import type { Role, RoleContext } from '../../src/roles/role.ts'

export interface FakeRole {
  /** Starts and ends, in order, as `mirror.cloud started`. */
  readonly steps: string[]
  /** Makes a running role count. */
  readonly count: () => void
  /** Makes a running role fail. */
  readonly fail: (error: unknown) => void
  readonly create: (instance: RoleInstance, context: RoleContext) => Promise<Role>
}

export interface FakeManner {
  /** Ends when it is drained, as a role should; otherwise never. */
  readonly drains?: boolean
  /** Thrown at the first start. */
  readonly failsWith?: unknown
}

/** Roles that read nothing: they run until they are drained or told to fail. One call serves all instances. */
export function fakeRole(manners: Readonly<Record<string, FakeManner>> = {}): FakeRole {
  const steps: string[] = []
  const hooks: { count: () => void; fail: (error: unknown) => void } = { count: () => {}, fail: () => {} }
  const starts = new Map<string, number>()

  const logicOf = (id: string) => {
    const { drains = true, failsWith } = manners[id] ?? {}
    const work = fromTask<void, unknown, { readonly type: 'drain' }, { readonly type: 'counted' }>(
      async ({ signal, receive, report }) => {
        const start = (starts.get(id) ?? 0) + 1
        starts.set(id, start)
        steps.push(`${id} started`)
        signal.addEventListener('abort', () => steps.push(`${id} aborted`))
        if (failsWith !== undefined && start === 1) throw failsWith
        await new Promise<void>((resolve, reject) => {
          hooks.fail = reject
          hooks.count = () => report({ type: 'counted' })
          receive(() => {
            if (drains) resolve()
          })
        })
        steps.push(`${id} drained`)
      }
    )
    return setup({
      types: {
        context: {} as { readonly counted: number },
        events: {} as { readonly type: 'counted' } | { readonly type: 'drain' }
      },
      actors: { work },
      actions: { count: assign({ counted: ({ context }) => context.counted + 1 }) }
    }).createMachine({
      context: { counted: 0 },
      initial: 'running',
      states: {
        running: {
          invoke: { id: 'work', src: 'work', onDone: 'done' },
          on: {
            counted: { actions: 'count' },
            drain: { actions: ({ self }) => self.getSnapshot().children.work?.send({ type: 'drain' }) }
          }
        },
        done: { type: 'final' }
      }
    })
  }
  return {
    steps,
    count: () => hooks.count(),
    fail: (error) => hooks.fail(error),
    create: async ({ id, role, instance }) => ({
      role,
      instance,
      logic: logicOf(id),
      input: undefined,
      describe: (snapshot) => {
        const { context } = snapshot as { readonly context: { readonly counted: number } }
        const counters = { recordsRead: context.counted }
        return { state: 'running.copying', ready: true, flow: 'flowing', partitions: [], counters, notes: [] }
      }
    })
  }
}
