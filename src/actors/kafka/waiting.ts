import { setTimeout as delay } from 'node:timers/promises'
import { toFault } from '../../errors.ts'

/** Waits, or rejects with what `signal` was aborted with. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  try {
    await delay(ms, undefined, { signal })
  } catch {
    throw signal.reason
  }
}

/** The outcome of `promise`, unless `signal` aborts first. The work behind it goes on: it belongs to others too. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

const BACKOFF_MIN_MS = 20
const BACKOFF_MAX_MS = 2_000

/** 20 ms doubling to 2 s. */
export function backoffMs(failures: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10))
}

/**
 * Runs `attempt` until it succeeds, its fault is not retryable, `limitMs` have passed, or `signal` aborts; rejects with
 * the last fault. Without `limitMs` only the signal ends it.
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  limitMs = Number.POSITIVE_INFINITY
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      const fault = toFault(error)
      const waitMs = backoffMs(failures)
      if (!fault.retryable || performance.now() + waitMs > deadline) throw fault
      await pause(waitMs, signal)
    }
  }
}
