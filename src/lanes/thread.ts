import { type MessagePort, parentPort } from 'node:worker_threads'
import { type AnyActor, createActor } from 'xstate'
import { ByteBudget } from '../actors/budget.ts'
import { stopOrphans } from '../actors/orphans.ts'
import { toFault } from '../errors.ts'
import { createLogger } from '../log.ts'
import { createMirrorLane } from '../roles/mirror.ts'
import type { Role } from '../roles/role.ts'
import { Clusters } from '../worker/clusters.ts'
import { concealed, type LaneCommand, type LaneConfig, type LaneOrder, type LaneReport } from './order.ts'

/**
 * The program of a lane: a thread that runs one mirror's machine as a member of its group of its own, with sockets, buffers and
 * clusters of its own. It lives by messages and ends by itself when nothing is left that keeps its event loop.
 */

/** How often the view is sent, in milliseconds. */
const VIEW_MS = 1_000

class Lane {
  readonly #port: MessagePort
  readonly #budget: ByteBudget
  readonly #clusters: Clusters
  readonly #role: Role
  readonly #actor: AnyActor
  readonly #telling: NodeJS.Timeout

  constructor(port: MessagePort, order: LaneOrder) {
    this.#port = port
    this.#budget = new ByteBudget(order.budgetBytes)
    // The other end made it of exactly this.
    const config = concealed(order.config) as LaneConfig
    const { instance, lane, workerId } = order
    const log = createLogger(config.log).child({ role: 'mirror', instance, lane })
    this.#clusters = new Clusters(config, log)
    const context = {
      config,
      log,
      budget: this.#budget,
      cluster: (name: string) => this.#clusters.get(name),
      workerId,
      now: Date.now,
      random: Math.random
    }
    this.#role = createMirrorLane(context, instance, lane)
    this.#actor = createActor(this.#role.logic, { input: this.#role.input, inspect: stopOrphans })
    this.#telling = setInterval(() => this.#tell(), VIEW_MS)
    this.#actor.subscribe({
      error: (error) => this.#end(failed(error)),
      complete: () => this.#end({ type: 'lane.drained' })
    })
    this.#actor.start()
  }

  obey(command: LaneCommand): void {
    if (command.type === 'drain') this.#actor.send({ type: 'drain' })
    else if (command.type === 'stop') this.#end()
  }

  #tell(): void {
    const view = this.#role.describe(this.#actor.getSnapshot())
    this.#send({ type: 'lane.seen', view, usedBytes: this.#budget.usedBytes })
  }

  /** Lets go of everything that would keep the thread. */
  #end(report?: LaneReport): void {
    clearInterval(this.#telling)
    // Also of a machine that has ended: what is counted since the last time.
    this.#tell()
    if (report !== undefined) this.#send(report)
    this.#actor.stop()
    this.#clusters.close()
    this.#port.close()
  }

  #send(report: LaneReport): void {
    this.#port.postMessage(report)
  }
}

function failed(error: unknown): LaneReport {
  const { code, message, retryable } = toFault(error)
  return { type: 'lane.failed', fault: { code, message, retryable } }
}

/** Serves the commands that come through a port. */
export function serve(port: MessagePort): void {
  let lane: Lane | undefined
  const begin = (order: LaneOrder): void => {
    try {
      lane = new Lane(port, order)
    } catch (error) {
      port.postMessage(failed(error))
      port.close()
    }
  }
  port.on('message', (command: LaneCommand) => {
    if (command.type === 'begin') begin(command.order)
    else if (lane !== undefined) lane.obey(command)
    else port.close()
  })
}

if (parentPort !== null) serve(parentPort)
