import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fetchState, hasIngested, isLagging, type WorkerState } from '../support/worker-state.ts'
import { DemoProcess } from './demo-process.ts'

export interface KillPlan {
  readonly dataDir: string
  /** Node's own arguments, for example a preload that breaks something. */
  readonly nodeArgs?: readonly string[]
  /** Variables beside our own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Kills while records are on their way. */
  readonly inFlight: number
  /** Kills between the start of a process and its first progress. */
  readonly recovering: number
  readonly random: () => number
}

/** Long enough for files to be rotated and loaded before some of the kills. */
const IN_FLIGHT_MS = 2_500
const RECOVERY_MS = 1_500

/** New events that each process is given, so that none runs dry before it is killed, however slow the machine is. */
const EVENTS_PER_PROCESS = 500
const RATE = 300

export interface KillTally {
  readonly inFlight: number
  readonly recovering: number
  /** Events that the processes together were asked for. */
  readonly events: number
}

/**
 * Starts the demo on one data directory and kills it with -9, again and again, at random moments of the wanted kinds.
 * Returns how many kills were of which kind; a kill that missed its kind is repeated.
 */
export async function killRepeatedly(plan: KillPlan): Promise<KillTally> {
  const { random } = plan
  let inFlight = 0
  let recovering = 0
  let events = 0
  while (inFlight < plan.inFlight || recovering < plan.recovering) {
    const left = plan.inFlight - inFlight + plan.recovering - recovering
    const early = random() < (plan.recovering - recovering) / left
    events += EVENTS_PER_PROCESS
    const demo = startDemo(plan, events)
    if (early) {
      await demo.until('its services', () => (existsSync(join(plan.dataDir, 'demo.toml')) ? true : undefined))
      await delay(random() * RECOVERY_MS)
      const moved = await hasMoved(demo)
      demo.kill()
      if (!moved) recovering++
    } else {
      await demo.until('records in flight', async () => ((await hasMoved(demo)) ? true : undefined))
      await delay(random() * IN_FLIGHT_MS)
      const flying = await lagging(demo)
      demo.kill()
      if (flying) inFlight++
    }
    const { signal } = await demo.exited
    if (signal !== 'SIGKILL') throw new Error(`the demo ended before it was killed:\n${demo.said()}`)
  }
  return { inFlight, recovering, events }
}

/** Starts the demo anew, with so many events in all; what the last process said of itself is removed first. */
export function startDemo(plan: Pick<KillPlan, 'dataDir' | 'nodeArgs' | 'env'>, events: number): DemoProcess {
  for (const name of ['endpoints.json', 'demo.toml']) rmSync(join(plan.dataDir, name), { force: true })
  const args = ['--events', String(events), '--rate', String(RATE), '--json']
  return new DemoProcess(plan.dataDir, args, plan)
}

/** Waits until the demo has given its report, or nothing has moved for a while with every partition at its end. */
export async function settled(demo: DemoProcess): Promise<void> {
  let last = ''
  let since = 0
  await demo.until('rest', async () => {
    if (demo.lastReport() !== undefined) return true
    const state = await stateOf(demo)
    if (state === undefined || state.unready.length > 0 || isLagging(state)) return undefined
    const now = JSON.stringify(state.roles.map(({ counters, partitions }) => [counters, partitions]))
    if (now !== last) [last, since] = [now, Date.now()]
    return Date.now() - since > STILL_MS ? true : undefined
  })
}

/** Longer than the sinks and the loader take between two steps. */
const STILL_MS = 4_000

/** Whether this process has committed something new. */
export async function hasMoved(demo: DemoProcess): Promise<boolean> {
  const state = await stateOf(demo)
  return state !== undefined && hasIngested(state)
}

/** Whether a kill now would cut work in two. */
async function lagging(demo: DemoProcess): Promise<boolean> {
  const state = await stateOf(demo)
  return state !== undefined && isLagging(state)
}

/** What the demo says of itself; `undefined` while it does not answer. */
export async function stateOf(demo: DemoProcess): Promise<WorkerState | undefined> {
  if (!existsSync(join(demo.dataDir, 'endpoints.json'))) return undefined
  return fetchState(demo.endpoints().http.url)
}
