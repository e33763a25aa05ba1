import { setTimeout as delay } from 'node:timers/promises'
import { choose, type Disturbance } from './torture.ts'
import type { SoakWorker } from './worker.ts'

/** Workers that share their work in one group: what can be done to them, whatever they do. */
export interface WorkerGroup {
  readonly workers: readonly SoakWorker[]
  /** Whether some record is on its way now. */
  isBusy(): Promise<boolean>
  /** Milliseconds until everything that can be read now has arrived. Throws when it does not; `what` tells of what. */
  flowing(what: string): Promise<number>
}

/** The least that Kafka's brokers allow by default. */
export const SESSION_MS = 6_000
/** Far longer than any recovery may take; what takes longer is wedged. */
export const PATIENCE_MS = 180_000
const IN_FLIGHT_MS_MAX = 1_500

/** Sometimes all at once: then nobody is left in the group. */
export const killWorker: Disturbance<WorkerGroup> = {
  name: 'kill -9 of a worker',
  times: 200,
  run: async (group, random) => {
    await delay(random() * IN_FLIGHT_MS_MAX)
    const met = await group.isBusy()
    const victims = random() < 0.2 ? group.workers : [choose(group.workers, random)]
    await Promise.all(victims.map((worker) => worker.killAndStart()))
    const what = victims.map(({ name }) => name).join(' and ')
    return { met, recoveredMs: await group.flowing(`kill of ${what}`), what }
  }
}

/**
 * A worker stands still until another one has its shards, and then wakes and believes that it still owns them.
 *
 * @param rejoined resolves when a worker that woke has its place in the group again, where that is waited for
 */
export function zombie(
  times: number,
  rejoined: (worker: SoakWorker) => Promise<void> = () => Promise.resolve()
): Disturbance<WorkerGroup> {
  return {
    name: 'SIGSTOP until another worker has taken over, then SIGCONT',
    times,
    run: async (group, random) => {
      await delay(random() * IN_FLIGHT_MS_MAX)
      const met = await group.isBusy()
      const victim = choose(group.workers, random)
      victim.signal('SIGSTOP')
      await delay(SESSION_MS + 500 + random() * 2_000)
      const taken = await group.flowing(`worker ${victim.name} stands still`)
      victim.signal('SIGCONT')
      await rejoined(victim)
      const recoveredMs = await group.flowing(`worker ${victim.name} woke`)
      return { met, recoveredMs, what: `${victim.name}, taken over within ${Math.round(taken)} ms` }
    }
  }
}

/**
 * Milliseconds until nothing is late any more. Throws when a worker ends by itself, or when it takes too long.
 *
 * @param late what has not arrived yet, in words
 */
export async function caughtUp(
  workers: readonly SoakWorker[],
  what: string,
  late: () => Promise<readonly string[]>
): Promise<number> {
  for (const from = performance.now(); ; await delay(50)) {
    const found = await late()
    const tookMs = performance.now() - from
    if (found.length === 0) return tookMs
    for (const worker of workers) {
      if (!worker.isRunning)
        throw new Error(`${what}: worker ${worker.name} ended by itself:\n${worker.said()}`)
    }
    if (tookMs > PATIENCE_MS) {
      const said = workers.map((worker) => worker.said()).join('\n\n')
      throw new Error(`${what}: stuck: ${found.join('; ')}\n${said}`)
    }
  }
}
