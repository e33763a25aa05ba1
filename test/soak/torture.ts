import { setTimeout as delay } from 'node:timers/promises'

/** One way to torture a world of workers and services. */
export interface Disturbance<World> {
  readonly name: string
  /** How often it is done at least in a full run. */
  readonly times: number
  /** Does it once and waits until the world has recovered. */
  readonly run: (world: World, random: () => number) => Promise<Outcome>
}

export interface Outcome {
  /** Whether it met what it aimed at, for example records in flight when a process was killed. */
  readonly met: boolean
  /** How long it took until everything flowed again. */
  readonly recoveredMs: number
  /** What exactly was done. */
  readonly what: string
}

/** What was done, in the order in which it was done. */
export interface Done {
  readonly name: string
  readonly outcomes: readonly Outcome[]
}

export interface TortureOptions {
  readonly random: () => number
  /** Only disturbances whose name contains this. */
  readonly only?: string | undefined
  /** How often each is done, instead of its own count. */
  readonly times?: number | undefined
}

/** Repeats each disturbance until it has met work so often as wanted, or has tried twice as often; tells each. */
export async function torture<World>(
  world: World,
  disturbances: readonly Disturbance<World>[],
  { random, only = '', times }: TortureOptions
): Promise<Done[]> {
  const done: Done[] = []
  for (const { name, run, ...plan } of disturbances.filter((one) => one.name.includes(only))) {
    const [wanted, outcomes]: [number, Outcome[]] = [times ?? plan.times, []]
    while (outcomes.filter(({ met }) => met).length < wanted && outcomes.length < 2 * wanted) {
      const outcome = await run(world, random)
      outcomes.push(outcome)
      const { met, recoveredMs, what } = outcome
      console.log(`${name}: ${what}${met ? '' : ' (met nothing)'}: ${Math.round(recoveredMs)} ms`)
    }
    done.push({ name, outcomes })
  }
  return done
}

/** One of the values, by chance. */
export function choose<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)]
  if (value === undefined) throw new Error('there is nothing to choose from')
  return value
}

const MEETING_MS_MAX = 20_000

/** Whether a proxy's rule met what it aims at, within a time in which it should. */
export async function hasMet(isMet: () => boolean): Promise<boolean> {
  const deadline = Date.now() + MEETING_MS_MAX
  while (!isMet() && Date.now() < deadline) await delay(20)
  return isMet()
}
