import { defineConfig } from 'vitest/config'

/** The real tier: every conformance suite on every real service, and the road on real services. The executable follows it. */
export default defineConfig({
  test: {
    include: ['test/conformance/**/*.test.ts', 'test/real/**/*.test.ts'],
    env: { CAUSEWAY_TIER: 'real' },
    pool: 'forks',
    maxWorkers: 2,
    // What is waited for comes late on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000
  }
})
