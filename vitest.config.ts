import { configDefaults, defineConfig } from 'vitest/config'

/**
 * Tests spawn brokers and databases: two workers fit two cores, and a hanging test must not hang the run.
 * `test/package/` has a config of its own.
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/package/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 15_000
  }
})
