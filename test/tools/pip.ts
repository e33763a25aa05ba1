import { readFileSync } from 'node:fs'
import { cached } from './cache.ts'
import { runOk } from './run.ts'

/**
 * The folder, for `PYTHONPATH`, with exactly the packages of a requirements file, which pins all that they need, too: so
 * what comes is the same on every day.
 */
export function pipPackages(name: string, requirements: string): Promise<string> {
  return cached(name, readFileSync(requirements, 'utf8'), async (directory) => {
    const args = ['--quiet', '--no-deps', '--target', directory, '-r', requirements]
    await runOk('python3', ['-m', 'pip', 'install', ...args])
  })
}
