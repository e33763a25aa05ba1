import type { Logger } from 'pino'
import { type ActorRefFrom, createActor } from 'xstate'
import { ByteBudget } from './actors/budget.ts'
import { httpServer } from './actors/http/server.ts'
import { stopOrphans } from './actors/orphans.ts'
import type { Config } from './config.ts'
import { type DataDir, openDataDir } from './data-dir.ts'
import { exitCodeOf, exitCodes, Fault, toFault } from './errors.ts'
import { supervisorMachine } from './machines/supervisor.ts'
import { type Supervised, workerMachine } from './machines/worker.ts'
import { createRole, instancesOf, type RoleInstance } from './roles/catalog.ts'
import type { Role, RoleContext, RoleName } from './roles/role.ts'
import { Clusters } from './worker/clusters.ts'
import { RoleMonitor } from './worker/monitor.ts'
import type { WorkerState, WorkerView } from './worker/view.ts'

export interface WorkerOptions {
  readonly config: Config
  readonly roles: readonly RoleName[] | 'all'
  readonly log: Logger
  /** Our process, for the lock of the data directory. */
  readonly pid: number
  readonly version: string
  /** Wall clock in milliseconds. */
  readonly now?: () => number
  /** A uniform number in [0, 1). */
  readonly random?: () => number
  /** Makes a role of the catalog; tests give their own. */
  readonly createRole?: (instance: RoleInstance, context: RoleContext) => Promise<Role>
}

/** A worker whose server answers and whose roles have been started. */
export interface Worker {
  /** Drains: every role stops its intake, flushes, commits and leaves. A second call ends at once, like a second signal. */
  readonly stop: () => void
  /** Ends at once, as far as one process can do that to a part of itself. */
  readonly kill: () => void
  /** The exit code, after everything has been closed. Never rejects. */
  readonly done: Promise<number>
  /** URL of metrics, health, state and page. */
  readonly httpAddress: string
  readonly snapshot: () => WorkerView
}

/**
 * Takes the data directory, starts the server, then the roles under their supervisors. Rejects with the fault that kept
 * it from starting (`data-dir-…`, `port-in-use`, `arguments-invalid`); what fails later decides the exit code.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const instances = instancesOf(options.config, options.roles)
  const dataDir = await openDataDir(options.config.dataDir, options.pid)
  try {
    return await startIn(dataDir, instances, options)
  } catch (error) {
    await dataDir.release()
    throw error
  }
}

async function startIn(
  dataDir: DataDir,
  instances: readonly RoleInstance[],
  options: WorkerOptions
): Promise<Worker> {
  const { config, log, now = Date.now, random = Math.random } = options
  const startedAt = now()
  const clusters = new Clusters(config, log)
  const shares = await Promise.all(
    instances.map((instance) =>
      createShare(instance, { ...options, now, random }, dataDir, clusters, instances.length)
    )
  )
  const view = () => viewOf(root, shares, { ...options, workerId: dataDir.workerId, startedAt, now: now() })
  const [listening, closed] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
  const http = httpServer({ config, view, onListening: listening.resolve, onClosed: closed.resolve })
  const supervised = shares.map(({ instance, role }): Supervised => {
    const logic = supervisorMachine.provide({ actors: { role: role.logic } })
    return { id: instance.id, logic, input: { restart: config.restart, role: role.input, random } }
  })
  const root: Root = createActor(workerMachine(http, supervised), {
    input: { drainTimeoutMs: config.drainTimeoutMs },
    inspect: stopOrphans
  })

  const ended = Promise.withResolvers<Fault | undefined>()
  root.subscribe({
    next: ({ children }) => {
      for (const { instance, monitor } of shares) monitor.watch(children[instance.id])
    },
    // An error of the root is a defect: nothing supervises it, so the process ends.
    error: (error) => ended.resolve(toFault(error)),
    complete: () => ended.resolve(root.getSnapshot().output?.fault)
  })
  root.start()

  const closing = ended.promise.then(async (fault) => {
    root.stop()
    await closed.promise
    clusters.close()
    // A lock that cannot be removed names a dead process, and the next worker will see that.
    await dataDir
      .release()
      .catch((error: unknown) => log.warn({ err: error }, 'the data directory stays locked'))
    return fault
  })
  const address = await Promise.race([
    listening.promise,
    closing.then((fault) =>
      Promise.reject(fault ?? new Fault('aborted', 'the worker was stopped while it started'))
    )
  ])
  log.info({ address, roles: instances.map(({ id }) => id), worker: dataDir.workerId }, 'worker is running')
  return {
    stop: () => root.send({ type: 'stop' }),
    kill: () => {
      ended.resolve(new Fault('killed', 'the worker was killed'))
      root.stop()
    },
    done: closing.then((fault) => tellEnd(log, shares, fault)),
    httpAddress: address,
    snapshot: view
  }
}

type Root = ActorRefFrom<ReturnType<typeof workerMachine>>

interface Share {
  readonly instance: RoleInstance
  readonly role: Role
  readonly budget: ByteBudget
  readonly monitor: RoleMonitor
}

/** What belongs to one role instance for the life of the process; restarts do not touch it. */
async function createShare(
  instance: RoleInstance,
  options: WorkerOptions & { readonly now: () => number; readonly random: () => number },
  dataDir: DataDir,
  clusters: Clusters,
  instances: number
): Promise<Share> {
  const { config, now, random } = options
  const log = options.log.child({ role: instance.role, instance: instance.instance })
  const budget = new ByteBudget(Math.floor(config.memoryBudgetBytes / instances))
  const cluster = (name: string) => clusters.get(name)
  const context = { config, log, budget, cluster, workerId: dataDir.workerId, now, random }
  const role = await (options.createRole ?? createRole)(instance, context)
  return { instance, role, budget, monitor: new RoleMonitor({ instance, role, budget, log, now }) }
}

interface ViewFacts {
  readonly config: Config
  readonly version: string
  readonly workerId: string
  readonly startedAt: number
  readonly now: number
}

function viewOf(root: Root, shares: readonly Share[], facts: ViewFacts): WorkerView {
  const { config, version, workerId, startedAt, now } = facts
  const usedBytes = shares.reduce((sum, { budget }) => sum + budget.usedBytes, 0)
  return {
    name: config.name,
    version,
    workerId,
    state: stateOf(root),
    startedAt,
    now,
    memory: { limitBytes: config.memoryBudgetBytes, usedBytes },
    roles: shares.map(({ monitor }) => monitor.status())
  }
}

function stateOf(root: Root): WorkerState {
  const snapshot = root.getSnapshot()
  if (snapshot.status === 'error' || snapshot.matches('failed')) return 'failed'
  if (snapshot.status === 'stopped' || snapshot.matches('stopped')) return 'stopped'
  if (snapshot.matches({ serving: 'starting' })) return 'starting'
  return snapshot.matches({ serving: { working: 'running' } }) ? 'running' : 'draining'
}

/** The last line of a worker, and its exit code. What a role failed with has been logged with the role's name. */
function tellEnd(log: Logger, shares: readonly Share[], fault: Fault | undefined): number {
  const exitCode = fault === undefined ? exitCodes.done : exitCodeOf(fault)
  const isTold = shares.some(({ monitor }) => monitor.fault === fault)
  if (fault === undefined) log.info({ exitCode }, 'worker stopped')
  else log.fatal({ exitCode, ...(!isTold && { err: fault }) }, `worker failed: ${fault.message}`)
  return exitCode
}
