/** Runs the checks and the quick tier: the one command behind `npm test`. Arguments go to vitest. */
import { spawnSync } from 'node:child_process'

const steps: readonly (readonly string[])[] = [
  ['tsc', '--noEmit'],
  ['biome', 'check', '.'],
  ['vitest', 'run', ...process.argv.slice(2)]
]
for (const [command, ...args] of steps as readonly [string, ...string[]][]) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
