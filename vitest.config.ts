import { configDefaults, defineConfig } from 'vitest/config'

/**
 * The quick tier. Tests spawn brokers and databases: two workers fit two cores, and a hanging test must not hang the run.
 * `test/real/` and `test/package/` belong to the real tier (vitest.real.config.ts).
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/package/**', 'test/real/**'],
    pool: 'forks',
    maxWorkers: 2,
    // What is waited for comes late on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 15_000
  }
})
