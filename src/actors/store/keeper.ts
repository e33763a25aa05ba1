import { toFault } from '../../errors.ts'
import { pause } from '../kafka/waiting.ts'
import { fromTask } from '../task.ts'
import { readEnd } from './chain.ts'
import { type Lifetime, publishEntry, writeHead } from './commit.ts'
import { discoverChains } from './discover.ts'
import { keepChain } from './keep.ts'
import type { ChainId } from './names.ts'
import type { Store } from './store.ts'
import { sweepLeftovers } from './sweep.ts'

export interface KeeperOptions {
  readonly store: Store
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly now: () => number
  /** Milliseconds that published files are kept; undefined: for ever. */
  readonly ttlMs?: number | undefined
  /** Uniform in [0, 1): members of a group take their turns at different times. */
  readonly random: () => number
  readonly onFailure: (error: unknown) => void
}

/** Soon after a start, so that workers that live shortly do it, too. */
const FIRST_MS = 600_000
const INTERVAL_MS = 6 * 3_600_000

/**
 * Looks after the logs of a sink and what crashed writers left behind, a few times a day. What it does is safe beside
 * writers and other keepers, and nothing waits for it: what fails is told and done the next time.
 */
export function createKeeper({ store, random, onFailure, ...options }: KeeperOptions) {
  return fromTask<void, undefined, never, never>(async ({ signal }) => {
    for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
      await pause(waitMs * (0.5 + random()), signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        await keepSink(store, options, signal)
      } catch (error) {
        if (!signal.aborted) onFailure(toFault(error))
      }
    }
  })
}

/** One turn over all chains of a sink and all its leftovers. One chain's failure is told when all others had their turn. */
export async function keepSink(
  store: Store,
  options: Pick<KeeperOptions, 'sink' | 'now' | 'ttlMs'>,
  signal: AbortSignal
): Promise<void> {
  const failures: unknown[] = []
  for (const { id } of await discoverChains(store, options.sink, signal)) {
    try {
      await keepChain(store, id, options, signal)
      await publishForsaken(store, id, options, signal)
    } catch (error) {
      signal.throwIfAborted()
      failures.push(error)
    }
  }
  await sweepLeftovers(store, options, signal)
  if (failures.length > 0) throw failures[0]
}

const FORSAKEN_AGE_MS = 86_400_000

/**
 * Publishes a last entry that nobody has published for a day: its topic was deleted or created anew while no worker ran, and
 * no writer opens its chain any more. Anybody may publish; where it cannot be, its chain tells who opens it.
 */
async function publishForsaken(
  store: Store,
  chain: ChainId,
  lifetime: Lifetime,
  signal: AbortSignal
): Promise<void> {
  const end = await readEnd(store, chain, signal)
  if (end?.last === undefined || end.published || end.closing?.abandons === end.last.nonce) return
  if (Date.parse(end.last.committedAt) + FORSAKEN_AGE_MS > lifetime.now()) return
  await publishEntry(store, end.last, signal, lifetime)
  await writeHead(store, chain, end.last, lifetime.now(), signal)
}
