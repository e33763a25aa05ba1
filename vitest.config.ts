import { defineConfig } from 'vitest/config'

/** Tests spawn brokers and databases: two workers fit two cores, and a hanging test must not hang the run. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 15_000
  }
})
