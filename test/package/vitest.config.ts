import { defineConfig } from 'vitest/config'

/** Tests of what is released, which take minutes to build: `npm run test:package`, no part of the quick tier. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    globalSetup: ['test/package/build.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000
  }
})
