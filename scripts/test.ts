/**
 * Runs the checks and one tier of tests: `node scripts/test.ts quick|real|package`. Other arguments go to vitest.
 *
 * The last line is `N passed, N failed, N skipped`. With `REQUIRE_SERVICES=1` the quick tier goes on to the others, and
 * a test that was left out is a failure.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lacking } from '../test/conformance/lacking.ts'
import { conformanceTables, inequalities, printTable } from './testing/conformance-table.ts'
import { failuresOf, type Results, tallyOf } from './testing/results.ts'

/** Each tier: what it downloads and builds before any test's clock runs, and its vitest configs, run in turn. */
const tiers = {
  quick: { prepare: ['test/tools/prepare.ts'], configs: ['vitest.config.ts'] },
  real: {
    prepare: ['test/tools/prepare.ts', 'test/tools/prepare-real.ts'],
    configs: ['vitest.real.config.ts', 'test/package/vitest.config.ts']
  },
  package: { prepare: ['test/tools/prepare-real.ts'], configs: ['test/package/vitest.config.ts'] }
} as const

const required = process.env.REQUIRE_SERVICES === '1'
const [name = 'quick', ...passedOn] = process.argv.slice(2)
if (!isTier(name)) {
  console.error(`${name}: the tiers are ${Object.keys(tiers).join(', ')}`)
  process.exit(2)
}

mustRun('tsc', '--noEmit')
mustRun('biome', 'check', '.')
const names = name === 'quick' && required ? (['quick', 'real'] as const) : ([name] as const)
for (const file of new Set(names.flatMap((each) => tiers[each].prepare))) mustRun('node', file)

const results: Results[] = []
let succeeded = true
for (const config of names.flatMap((each) => tiers[each].configs)) {
  const ran = vitest(config)
  succeeded &&= ran.status === 0
  results.push(ran.results)
  console.log(printTally([ran.results], config))
}
const tables = conformanceTables(results)
for (const table of tables) console.log(`\n${printTable(table)}`)
for (const [what, reason] of Object.entries(lacking)) console.log(`${what}: not there: ${reason}`)
const unequal = passedOn.length > 0 ? [] : tables.flatMap((table) => inequalities(table, lacking))
for (const line of unequal) console.error(`not equal: ${line}`)
const leftOut = required && tallyOf(results).skipped > 0
if (leftOut) console.error('REQUIRE_SERVICES=1: no test may be left out')
// Last, where whoever sees only the end of a log finds them.
for (const failure of failuresOf(results)) console.error(`\nfailed: ${failure}`)
console.log(printTally(results))
process.exit(succeeded && unequal.length === 0 && !leftOut ? 0 : 1)

function isTier(text: string): text is keyof typeof tiers {
  return Object.hasOwn(tiers, text)
}

function mustRun(command: string, ...args: readonly string[]): void {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function vitest(config: string): { readonly status: number; readonly results: Results } {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-test-'))
  const file = join(directory, 'results.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const { status } = spawnSync('vitest', ['run', '--config', config, ...reporters, ...passedOn], {
    stdio: 'inherit'
  })
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results
  rmSync(directory, { recursive: true })
  return { status: status ?? 1, results }
}

function printTally(results: readonly Results[], of?: string): string {
  const { passed, failed, skipped } = tallyOf(results)
  return `${of === undefined ? '' : `${of}: `}${passed} passed, ${failed} failed, ${skipped} skipped`
}
