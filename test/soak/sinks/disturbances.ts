import { setTimeout as delay } from 'node:timers/promises'
import { choose, type Disturbance } from '../torture.ts'
import { SESSION_MS, type SinkPair } from './pair.ts'

type SinkDisturbance = Disturbance<SinkPair>

const IN_FLIGHT_MS_MAX = 1_500

/** Sometimes both at once: then nobody is left in the group. */
const killWorker: SinkDisturbance = {
  name: 'kill -9 of a worker',
  times: 200,
  run: async (pair, random) => {
    await delay(random() * IN_FLIGHT_MS_MAX)
    const met = await pair.isBusy()
    const victims = random() < 0.2 ? pair.workers : [choose(pair.workers, random)]
    await Promise.all(victims.map((worker) => worker.killAndStart()))
    const what = victims.map(({ name }) => name).join(' and ')
    return { met, recoveredMs: await pair.flowing(`kill of ${what}`), what }
  }
}

/** It stands still until another worker has its shards, and then wakes and believes that it still owns them. */
const zombie: SinkDisturbance = {
  name: 'SIGSTOP until another worker has taken over, then SIGCONT',
  times: 20,
  run: async (pair, random) => {
    await delay(random() * IN_FLIGHT_MS_MAX)
    const met = await pair.isBusy()
    const victim = choose(pair.workers, random)
    victim.signal('SIGSTOP')
    await delay(SESSION_MS + 500 + random() * 2_000)
    const taken = await pair.flowing(`worker ${victim.name} stands still`)
    victim.signal('SIGCONT')
    const recoveredMs = await pair.flowing(`worker ${victim.name} woke`)
    return { met, recoveredMs, what: `${victim.name}, taken over within ${Math.round(taken)} ms` }
  }
}

export const disturbances: readonly SinkDisturbance[] = [killWorker, zombie]
