import { defineConfig } from 'vitest/config'
import { mutating } from './test/mutations/plugin.ts'

/** Runs one named test over sources of which one module is broken; see scripts/test-mutations.ts. */
export default defineConfig({
  plugins: [mutating()],
  test: {
    include: ['test/**/*.test.ts'],
    // A module that was cached whole would not be broken.
    fsModuleCache: false,
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})
