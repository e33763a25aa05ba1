import { toFault } from '../../errors.ts'
import { pause } from '../kafka/waiting.ts'
import { discoverChains } from '../redshift/log.ts'
import { fromTask } from '../task.ts'
import { keepChain } from './keep.ts'
import type { Store } from './store.ts'
import { sweepLeftovers } from './sweep.ts'

export interface KeeperOptions {
  readonly store: Store
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly now: () => number
  /** Uniform in [0, 1): members of a group take their turns at different times. */
  readonly random: () => number
  readonly onFailure: (error: unknown) => void
}

const INTERVAL_MS = 6 * 3_600_000

/**
 * Looks after the logs of a sink and what crashed writers left behind, a few times a day. What it does is safe beside
 * writers and other keepers, and nothing waits for it: what fails is told and done the next time.
 */
export function createKeeper({ store, sink, now, random, onFailure }: KeeperOptions) {
  return fromTask<void, undefined, never, never>(async ({ signal }) => {
    while (!signal.aborted) {
      await pause(INTERVAL_MS * (0.5 + random()) * 0.5, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        await keepSink(store, { sink, now }, signal)
      } catch (error) {
        if (!signal.aborted) onFailure(toFault(error))
      }
    }
  })
}

/** One turn over all chains of a sink and all its leftovers. */
export async function keepSink(
  store: Store,
  options: Pick<KeeperOptions, 'sink' | 'now'>,
  signal: AbortSignal
): Promise<void> {
  for (const { id } of await discoverChains(store, options.sink, signal)) {
    await keepChain(store, id, options, signal)
  }
  await sweepLeftovers(store, options, signal)
}
