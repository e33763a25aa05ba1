/**
 * Runs the checks and the quick tier: the one command behind `npm test`. Arguments go to vitest.
 *
 * The last line is `N passed, N failed`. With `REQUIRE_SERVICES=1` a test that was left out is a failure.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Results {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
}

const run = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { stdio: 'inherit' }).status ?? 1

for (const [command, ...args] of [
  ['tsc', '--noEmit'],
  ['biome', 'check', '.'],
  ['node', 'test/tools/prepare.ts']
] as const) {
  const status = run(command, args)
  if (status !== 0) process.exit(status)
}

const directory = mkdtempSync(join(tmpdir(), 'causeway-test-'))
const file = join(directory, 'results.json')
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
const status = run('vitest', ['run', ...reporters, ...process.argv.slice(2)])
const results = JSON.parse(readFileSync(file, 'utf8')) as Results
rmSync(directory, { recursive: true })

const skipped = results.numPendingTests + results.numTodoTests
const isIncomplete = skipped > 0 && process.env.REQUIRE_SERVICES === '1'
if (isIncomplete) console.error('REQUIRE_SERVICES=1: no test may be left out')
console.log(`${results.numPassedTests} passed, ${results.numFailedTests} failed, ${skipped} skipped`)
process.exit(isIncomplete ? 1 : status)
