import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { toolMissing } from './require.ts'
import { type RunOptions, runOk } from './run.ts'

const folder = join(import.meta.dirname, 'python')

/** Whether Python 3 with pip is on this machine; where services are required its absence is an error. */
export const hasPython = detect()

/**
 * Runs a script of `test/tools/python/` with readers that are not ours (librdkafka, pyarrow, DuckDB, psycopg), pinned in
 * requirements.txt, and returns what it printed.
 */
export async function pythonTool(
  script: string,
  args: readonly string[] = [],
  options: RunOptions = {}
): Promise<string> {
  const packages = await pythonPackages()
  return runOk('python3', [join(folder, script), ...args], {
    ...options,
    env: { ...(options.env ?? process.env), PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
  })
}

/** The folder with the installed packages, for `PYTHONPATH`. */
export function pythonPackages(): Promise<string> {
  const requirements = join(folder, 'requirements.txt')
  return cached('python', readFileSync(requirements, 'utf8'), async (directory) => {
    await runOk('python3', ['-m', 'pip', 'install', '--quiet', '--target', directory, '-r', requirements])
  })
}

function detect(): boolean {
  const { status } = spawnSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
  return status === 0 || toolMissing('python3 with pip')
}
