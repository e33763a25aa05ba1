import { afterEach } from 'vitest'

/** Returns `defer`: what is deferred in a test runs after it, last first, also when the test failed. */
export function cleanups(): (cleanup: () => unknown) => void {
  const deferred: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of deferred.splice(0).reverse()) await cleanup()
  })
  return (cleanup) => deferred.push(cleanup)
}
