import type { Faults } from '../../src/embedded/faults.ts'

/** The requests that change something. */
const CHANGES = ['CreateTopics', 'InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn']
/** Of each kind the first two are met. */
const COUNTS_MAX = 2

/**
 * Does something again and again, and kills it each time when another of its changing requests has had its effect and
 * before the answer comes.
 *
 * @param kill is to end when its signal aborts, however
 * @param then what is to follow each time, unharmed
 * @returns how many times it was killed
 */
export async function atEachStep(
  faults: Faults,
  kill: (signal: AbortSignal) => Promise<unknown>,
  then: () => Promise<void>
): Promise<number> {
  let kills = 0
  for (const change of CHANGES) {
    for (let after = 0; after < COUNTS_MAX; after++) {
      const isKilled = await killedAt(faults, new RegExp(`^${change}`), after, kill)
      await then()
      if (!isKilled) break
      kills++
    }
  }
  return kills
}

/** Whether there was such a request. */
async function killedAt(
  faults: Faults,
  subject: RegExp,
  after: number,
  kill: (signal: AbortSignal) => Promise<unknown>
): Promise<boolean> {
  const killing = new AbortController()
  const met = faults.add({ subject, action: { type: 'lose-reply' }, after })
  const look = setInterval(() => {
    if (met.hits > 0) killing.abort(new Error('killed'))
  }, 1)
  try {
    await kill(killing.signal).catch((error: unknown) => {
      if (met.hits === 0) throw error
    })
  } finally {
    clearInterval(look)
    faults.clear()
  }
  return met.hits > 0
}
