import { isSea } from 'node:sea'
import { Worker } from 'node:worker_threads'
import { unlessAborted } from '../actors/kafka/waiting.ts'
import { fromTask, type TaskScope } from '../actors/task.ts'
import { LANE_ASSET, textAsset } from '../assets.ts'
import { Fault, toFault } from '../errors.ts'
import type { LaneCommand, LaneOrder, LaneReport } from './order.ts'

/** How long an ended lane may take to be gone, in milliseconds: its sockets close, and its last timers run out. */
const GONE_MS = 5_000

export interface LanesOptions {
  readonly orders: readonly LaneOrder[]
  /** The lanes are about to be started, perhaps not for the first time. */
  readonly onBegin: () => void
  /** What a lane told of itself. */
  readonly onSeen: (lane: number, seen: Extract<LaneReport, { type: 'lane.seen' }>) => void
  /** No lane is left. */
  readonly onGone: () => void
  /** Makes the thread of a lane; tests give their own. */
  readonly open?: () => Worker
  /** How long an ended lane may take to be gone, in milliseconds; 5 s by default. */
  readonly goneMs?: number
}

export interface LanesCommand {
  readonly type: 'drain'
}

/**
 * Runs the lanes, each in a thread, until all have drained. When one fails, the others are stopped and its fault is
 * thrown, but only after every thread is gone: nobody may come back under a name that is still in use.
 */
export function createLanes(options: LanesOptions) {
  const { orders, onBegin, onSeen, onGone, open = openThread, goneMs = GONE_MS } = options
  return fromTask<void, undefined, LanesCommand, never>(
    async ({ signal, receive }: TaskScope<undefined, LanesCommand, never>) => {
      signal.throwIfAborted()
      onBegin()
      const lanes = orders.map((order) => new LaneThread(open(), order, (seen) => onSeen(order.lane, seen)))
      const send = (command: LaneCommand) => {
        for (const lane of lanes) lane.send(command)
      }
      receive(({ type }) => send({ type }))
      try {
        const drained = Promise.all(lanes.map(({ done }) => done))
        await unlessAborted(drained, signal)
      } finally {
        send({ type: 'stop' })
        await Promise.all(lanes.map((lane) => lane.gone(goneMs)))
        onGone()
      }
    }
  )
}

function openThread(): Worker {
  return isSea()
    ? new Worker(textAsset(LANE_ASSET), { eval: true })
    : new Worker(new URL('thread.ts', import.meta.url))
}

type LaneOnSeen = (seen: Extract<LaneReport, { type: 'lane.seen' }>) => void

/** One thread. */
class LaneThread {
  /** Resolves when the lane has drained; rejects with its fault, also when it was stopped. */
  readonly done: Promise<void>
  readonly #worker: Worker
  readonly #exited: Promise<void>

  constructor(worker: Worker, order: LaneOrder, onSeen: LaneOnSeen) {
    this.#worker = worker
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
    this.done = new Promise((resolve, reject) => {
      worker.on('message', (report: LaneReport) => {
        if (report.type === 'lane.seen') onSeen(report)
        else if (report.type === 'lane.drained') resolve()
        else reject(new Fault(report.fault.code, report.fault.message, report.fault))
      })
      worker.once('error', (error) => reject(toFault(error)))
      const lost = () => reject(new Fault('lane-lost', `lane ${order.lane} ended without a word`))
      worker.once('exit', lost)
    })
    // Who waits for several hears of one failure only.
    this.done.catch(() => {})
    this.send({ type: 'begin', order })
  }

  send(command: LaneCommand): void {
    this.#worker.postMessage(command)
  }

  /** Resolves when the thread is gone; one that hangs is torn down after a while. */
  async gone(limitMs: number): Promise<void> {
    const timer = setTimeout(() => void this.#worker.terminate(), limitMs)
    await this.#exited
    clearTimeout(timer)
  }
}
