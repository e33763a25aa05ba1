import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filled } from '../../lib/template.ts'
import type { System } from '../system.ts'

const main = join(import.meta.dirname, '../../../src/main.ts')
const template = join(import.meta.dirname, '../causeway/causeway.toml')

/** The default of the configuration, and what the target for latency is given for. */
const COMMIT_INTERVAL = { throughput: '500ms', latency: '100ms' }

export interface CausewayOptions {
  /** Path of the packaged program; its sources when undefined. */
  readonly executable: string | undefined
  /** Folder for CPU profiles, one per run; the sources only. */
  readonly profiles: string | undefined
}

export function causeway({ executable, profiles }: CausewayOptions): System {
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  const program = executable === undefined ? [process.execPath, ...profiling, main] : [executable]
  const what = executable === undefined ? `from its sources on Node ${process.version}` : 'the executable'
  return {
    name: 'causeway',
    title: 'Causeway',
    exactlyOnce: true,
    isHere: true,
    prepare: async () => {},
    command: async ({ source, target, topic, run, directory, aim }) => {
      const file = join(directory, 'causeway.toml')
      const values = { source, target, topic, run, directory, commit: COMMIT_INTERVAL[aim] }
      writeFileSync(file, filled(template, values))
      const [command = '', ...first] = program
      return { command, args: [...first, '--role', 'mirror', '--config', file] }
    },
    described: () => `${what}, \`causeway/causeway.toml\``
  }
}
